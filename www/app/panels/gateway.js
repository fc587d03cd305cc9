/* One gateway: what it is, its members and addresses, its shares, its log. */

Ext.define('SMBGateway.GatewayDetail', {
    extend: 'SMBGateway.Detail',
    xtype: 'smbgwGateway',
    back: ['overview', gettext('Overview')],

    cards() {
        return [
            { xtype: 'component', title: gettext('Summary'), itemId: 'facts', cls: 'smbgw-sheet', scrollable: 'y' },
            { xtype: 'smbgwDifferences', title: gettext('Differences'), itemId: 'differences' },
            { xtype: 'smbgwGatewayLog', title: gettext('Log'), key: this.key },
        ];
    },

    async ask() {
        const [status, record, shares] = await Promise.all([
            SMBGateway.get(SMBGateway.path('/v1/status/gateway', this.key)),
            SMBGateway.get(SMBGateway.path('/v1/resources/gateway', this.key)),
            SMBGateway.get('/v1/shares'),
        ]);
        return { status, record, shares: shares.shares.filter((share) => share.gateway === this.key) };
    },

    showAnswer({ status, record, shares }) {
        this.record = record;
        this.shares = shares;
        this.showHead(status, status.drift.length > 0 || status.running === false);
        this.down('#facts').setHtml(SMBGateway.gatewayFacts(status, record, shares));
        this.down('#differences').setCells(status.drift);
        if (record.cluster && !this.down('smbgwMembers')) {
            this.down('#tabs').insert(1, { xtype: 'smbgwMembers', key: this.key, tabConfig: { title: gettext('Members') } });
        }
    },

    headline({ running, drift, mode, node }) {
        const { badge } = SMBGateway;
        const state = running === null ? badge('quiet', gettext('on another node')) : running ? badge('ok', gettext('running')) : badge('critical', gettext('down'));
        const differs = drift.length ? badge('warning', Ext.String.format(gettext('{0} differences'), drift.length)) : '';
        return `<h1>${SMBGateway.encode(this.key)} ${state}${differs}</h1><p><span class="smbgw-quiet">${SMBGateway.encode(`${mode} · ${node}`)}</span></p>`;
    },

    edit() {
        SMBGateway.editGateway(this.record);
    },

    /** The gateway and its shares, as their records say. */
    async mend() {
        const found = await Promise.all(this.shares.map(({ key }) => SMBGateway.get(SMBGateway.path('/v1/resources/share', key))));
        return SMBGateway.apply(SMBGateway.say(gettext('Mend {0}'), this.key), this.record, ...found).catch(SMBGateway.showProblem);
    },

    remove_() {
        SMBGateway.remove({
            kind: 'gateway',
            name: this.key,
            text: this.shares.length
                ? Ext.String.format(gettext('It has {0} shares: delete these first. Their data stays, unless you say else there.'), this.shares.length)
                : gettext('Its Samba ends, and its container where it has one. No share is lost: it has none.'),
            then: () => SMBGateway.open('overview'),
        });
    },
});

/** A gateway in words. HTML. */
SMBGateway.gatewayFacts = (status, record, shares) => {
    const { facts, size, Html, link } = SMBGateway;
    const { mode } = record;
    const yes = (value) => (value ? gettext('yes') : gettext('no'));
    const protocols = { SMB2_10: 'SMB 2.1', SMB3_00: 'SMB 3.0', SMB3_11: 'SMB 3.1.1' };
    return facts([
        [gettext('Shares'), new Html(shares.map((share) => link(share.name, 'share', share.key)).join(', ') || gettext('none'))],
        [gettext('Addresses'), status.address === 'all' ? gettext('all of the node') : status.address],
        [gettext('Port'), status.port],
        [gettext('Found in the network'), status.discovery],
        [gettext('Workgroup'), record.workgroup],
        [gettext('Oldest dialect'), record.hardened ? 'SMB 3.1.1' : protocols[record.minimum_protocol]],
        [gettext('Hardened'), record.hardened ? gettext('yes: all is encrypted') : gettext('no')],
        [gettext('Guests'), yes(record.allow_guests)],
        [gettext('For Macs'), yes(record.apple)],
        [gettext('Container'), mode.vmid],
        [gettext('Bridge'), mode.bridge],
        [gettext('Hardware address'), mode.mac],
        [gettext('Memory'), mode.memory && size(mode.memory)],
        [gettext('Cores'), mode.cores],
        [gettext('Template'), mode.template],
        [gettext('SID'), record.sid],
    ]);
};

Ext.define('SMBGateway.GatewayLog', {
    extend: 'Ext.Component',
    xtype: 'smbgwGatewayLog',
    mixins: ['SMBGateway.Live'],
    cls: 'smbgw-log',
    scrollable: true,

    ask() {
        return SMBGateway.get(SMBGateway.path('/v1/status/gateway', this.key, 'log'));
    },

    showAnswer({ lines }) {
        const element = this.getEl();
        const atEnd = element.dom.scrollHeight - element.dom.scrollTop - element.dom.clientHeight < 40;
        this.setHtml(lines.length ? `<pre>${SMBGateway.encode(lines.join('\n'))}</pre>` : `<p class="smbgw-empty">${gettext('Its log is empty.')}</p>`);
        if (atEnd || !this.once) {
            element.setScrollTop(1e7);
        }
        this.once = true;
    },

    showTrouble(problem) {
        if (!problem.isAway) {
            this.setHtml(`<p class="smbgw-empty">${SMBGateway.encode(problem.message)}</p>`);
        }
    },
});

SMBGateway.register({ id: 'gateway', xtype: 'smbgwGateway', under: 'overview', title: (key) => key });
