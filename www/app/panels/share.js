/* One share: how full it is, its snapshots, who has it open, how it is set. */

Ext.define('SMBGateway.ShareDetail', {
    extend: 'SMBGateway.Detail',
    xtype: 'smbgwShare',
    back: ['shares', gettext('Shares')],

    cards() {
        return [
            { xtype: 'smbgwShareUsage', key: this.key, title: gettext('Usage') },
            { xtype: 'smbgwSnapshots', key: this.key, tabConfig: { title: gettext('Snapshots') } },
            { xtype: 'smbgwSessions', key: this.key, tabConfig: { title: gettext('Sessions') } },
            { xtype: 'component', title: gettext('Configuration'), itemId: 'facts', cls: 'smbgw-sheet', scrollable: 'y' },
            { xtype: 'smbgwDifferences', title: gettext('Differences'), itemId: 'differences' },
        ];
    },

    ask() {
        return SMBGateway.get(SMBGateway.path('/v1/status/share', this.key));
    },

    showAnswer(answer) {
        this.share = answer.share;
        this.showHead(answer, answer.drift.length > 0);
        this.down('#facts').setHtml(SMBGateway.shareFacts(answer));
        this.down('smbgwSessions').setSessions(answer.sessions);
        this.down('#differences').setCells(answer.drift);
    },

    headline({ share, address, serving, drift }) {
        const state = serving ? SMBGateway.badge('ok', gettext('served')) : SMBGateway.badge('critical', gettext('not served as it should be'));
        const words = drift.length ? SMBGateway.badge('warning', Ext.String.format(gettext('{0} differences'), drift.length)) : state;
        return (
            `<h1>${SMBGateway.encode(share.name)} ${words}</h1>` +
            `<p>${SMBGateway.copied(address)}<span>${gettext('on')} ${SMBGateway.link(share.gateway, 'gateway', share.gateway)}</span>` +
            `<span class="smbgw-quiet">${SMBGateway.encode(share.comment)}</span></p>`
        );
    },

    edit() {
        SMBGateway.editShare(this.share);
    },

    /** What the record says is done again. */
    mend() {
        return SMBGateway.apply(SMBGateway.say(gettext('Mend {0}'), this.share.name), this.share).catch(SMBGateway.showProblem);
    },

    remove_() {
        SMBGateway.remove({
            kind: 'share',
            name: this.key,
            data: true,
            text: gettext('Clients cannot open it any more. Its data stays where it is, unless you say else.'),
            then: () => SMBGateway.open('shares'),
        });
    },
});

/** How a share is set, in words. HTML. */
SMBGateway.shareFacts = ({ share, port }) => {
    const source = Object.entries(share.source).filter(([name, value]) => name !== 'kind' && value !== null && value !== '' && value !== false);
    const access = Object.entries(share.access).map(([name, right]) => Ext.String.format(right === 'write' ? gettext('{0} writes') : gettext('{0} reads'), name));
    const kinds = { hourly: gettext('hourly'), daily: gettext('daily'), weekly: gettext('weekly'), monthly: gettext('monthly') };
    const kept = Object.entries(share.snapshots).filter(([, count]) => count).map(([kind, count]) => `${count} ${kinds[kind]}`);
    const { notice, warning, critical, fills_within: within } = share.levels;
    return SMBGateway.facts([
        [gettext('Source'), `${share.source.kind}: ${source.map(([name, value]) => (source.length > 1 ? `${name} ${value}` : value)).join(', ')}`],
        [gettext('Quota'), share.quota === null ? gettext('none') : SMBGateway.size(share.quota)],
        [gettext('Quota of each user'), share.user_quota && SMBGateway.size(share.user_quota)],
        [gettext('Purpose'), SMBGateway.PURPOSES()[share.purpose.kind] ?? share.purpose.kind],
        [gettext('Access'), access.join(', ') || gettext('nobody')],
        [gettext('Guests'), share.guest && (share.guest === 'write' ? gettext('write') : gettext('read'))],
        [gettext('Snapshots kept'), kept.join(', ') || gettext('none but those taken by hand')],
        [gettext('Told at'), Ext.String.format(gettext('{0} %, {1} %, {2} %, or when it fills within {3} days'), notice, warning, critical, within)],
        [gettext('Encryption'), share.encryption === 'required' ? gettext('required') : gettext('as the client asks')],
        [gettext('Seen in lists'), share.hidden ? gettext('no') : gettext('yes')],
        [gettext('Port'), port === 445 ? '' : port],
        [gettext('Comment'), share.comment],
    ]);
};

SMBGateway.PURPOSES = () => ({
    general: gettext('Office files'),
    timemachine: gettext('Time Machine backups'),
    media: gettext('Large media files'),
    archive: gettext('Archive: write once'),
    homes: gettext('Homes: a directory for each user'),
});

SMBGateway.register({ id: 'share', xtype: 'smbgwShare', under: 'shares', title: (key) => key.split('/').pop() });
