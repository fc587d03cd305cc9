/* Lists of one share: who has it open, its snapshots, what is not as it should be. */

Ext.define('SMBGateway.Sessions', {
    extend: 'SMBGateway.ActionList',
    xtype: 'smbgwSessions',
    isLive: false,
    idProperty: 'id',
    fields: ['id', 'user', 'machine', 'since', 'files'],
    sorters: ['user'],
    emptyText: gettext('Nobody has it open.'),

    startLive: Ext.emptyFn,
    stopLive: Ext.emptyFn,

    initComponent() {
        this.columns = [
            { text: gettext('User'), dataIndex: 'user', flex: 1, minWidth: 90 },
            { text: gettext('Machine'), dataIndex: 'machine', flex: 1, minWidth: 110 },
            { text: gettext('Since'), dataIndex: 'since', width: 170, wide: true },
            { text: gettext('Open files'), dataIndex: 'files', flex: 3, cellWrap: true, sortable: false, renderer: SMBGateway.openFiles },
        ];
        this.verbs = [{ text: gettext('Disconnect'), icon: 'fa-sign-out', itemId: 'disconnect', row: true, run: (record) => this.disconnect(record) }];
        this.callParent();
    },

    setSessions(sessions) {
        this.showAnswer({ sessions });
        this.fireEvent('shown', this);
        this.tab?.setText(sessions.length ? Ext.String.format('{0} ({1})', gettext('Sessions'), sessions.length) : gettext('Sessions'));
    },

    rows({ sessions }) {
        return sessions;
    },

    disconnect(record) {
        SMBGateway.ask({
            title: gettext('Disconnect'),
            verb: gettext('Disconnect'),
            danger: true,
            text: Ext.String.format(gettext('{0} at {1} loses the share, and what is not saved there. It may come again.'), record.get('user'), record.get('machine')),
            save: async () => {
                const { sessions } = await SMBGateway.post('/v1/clients/disconnect', { share: this.key, id: record.get('id') });
                this.setSessions(sessions);
            },
        });
    },
});

/** The first few of many names. HTML. */
SMBGateway.openFiles = (files) => {
    const few = files.filter((file) => file !== '.').slice(0, 5);
    const more = files.filter((file) => file !== '.').length - few.length;
    return [...few.map(SMBGateway.encode), ...(more > 0 ? [Ext.String.format(gettext('and {0} more'), more)] : [])].join('<br>') || '–';
};

Ext.define('SMBGateway.Snapshots', {
    extend: 'SMBGateway.ActionList',
    xtype: 'smbgwSnapshots',
    root: 'snapshots',
    fields: ['name', 'taken', 'by', 'version'],
    sorters: [{ property: 'taken', direction: 'DESC' }],
    every: 15000,
    emptyText: gettext('No snapshots yet. Clients see each as a previous version of their files.'),

    initComponent() {
        this.path = SMBGateway.path('/v1/snapshots', this.key);
        this.columns = [
            { text: gettext('Taken'), dataIndex: 'taken', flex: 1, minWidth: 130, renderer: SMBGateway.moment },
            { text: gettext('By'), dataIndex: 'by', width: 110, renderer: (by) => (by === 'hand' ? gettext('hand') : gettext('schedule')) },
            { text: gettext('Name'), dataIndex: 'name', flex: 1, wide: true },
        ];
        const share = this.key;
        const ask = (record, settings) => {
            const { save, ...words } = settings;
            SMBGateway.ask({ ...words, save: () => save().then(() => this.refresh()) });
        };
        const perform = (title, verb, body) => SMBGateway.perform({ title, path: `/v1/snapshots/${verb}`, body: { share, ...body }, quiet: true });
        this.verbs = [
            { text: gettext('Take a snapshot'), icon: 'fa-camera', itemId: 'take', run: () => perform(gettext('Take a snapshot'), 'create', {}).then(() => this.refresh()) },
            {
                text: gettext('Restore'), icon: 'fa-history', itemId: 'restore', row: true,
                run: (record) => ask(record, {
                    title: gettext('Restore'), verb: gettext('Restore'), danger: true,
                    text: Ext.String.format(gettext('All of the share becomes as it was at {0}. Clients are shut out meanwhile; what is there now is kept as a snapshot.'), SMBGateway.moment(record.get('taken'))),
                    save: () => perform(gettext('Restore'), 'restore', { name: record.get('name') }),
                }),
            },
            {
                text: gettext('Delete snapshot'), icon: 'fa-trash-o', itemId: 'drop', row: true,
                run: (record) => ask(record, {
                    title: gettext('Delete snapshot'), verb: gettext('Delete'), danger: true,
                    text: Ext.String.format(gettext('What only the snapshot of {0} has, is gone then.'), SMBGateway.moment(record.get('taken'))),
                    save: () => perform(gettext('Delete snapshot'), 'delete', { name: record.get('name') }),
                }),
            },
        ];
        this.callParent();
    },
});

Ext.define('SMBGateway.Differences', {
    extend: 'Ext.Component',
    xtype: 'smbgwDifferences',
    cls: 'smbgw-sheet',
    scrollable: 'y',

    setCells(cells) {
        this.tab?.setText(cells.length ? Ext.String.format('{0} ({1})', gettext('Differences'), cells.length) : gettext('Differences'));
        this.setHtml(SMBGateway.differences(cells));
    },
});

/** Cells of the world that are not as they should be. HTML. */
SMBGateway.differences = (cells) => {
    const { encode } = SMBGateway;
    const value = (text) => (text === null ? `<em>${gettext('nothing')}</em>` : `<code>${encode(text)}</code>`);
    const row = ({ name, now, want, error }) =>
        `<li><b>${encode(name)}</b>${error ? `<p class="smbgw-warning">${encode(error)}</p>` : `<dl><dt>${gettext('is')}</dt><dd>${value(now)}</dd><dt>${gettext('should be')}</dt><dd>${value(want)}</dd></dl>`}</li>`;
    const calm = `<p class="smbgw-calm"><i class="fa fa-check-circle" aria-hidden="true"></i>${gettext('All is as it should be.')}</p>`;
    return cells.length ? `<ul class="smbgw-differences">${cells.map(row).join('')}</ul>` : calm;
};
