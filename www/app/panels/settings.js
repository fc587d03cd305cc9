/* Tokens for programs, what is in the way of gateways on this node, and what runs here. */

Ext.define('SMBGateway.Settings', {
    extend: 'Ext.panel.Panel',
    xtype: 'smbgwSettings',
    title: gettext('Settings'),
    border: false,
    layout: { type: 'vbox', align: 'stretch' },

    initComponent() {
        this.items = [
            { xtype: 'smbgwAbout' },
            ...(SMBGateway.host.inProxmox ? [] : [this.language()]),
            ...(SMBGateway.host.mayChange && !SMBGateway.host.inProxmox ? [{ xtype: 'smbgwTokens', flex: 2 }] : []),
            { xtype: 'smbgwCheckup', flex: 3, cls: 'smbgw-list smbgw-second' },
        ];
        this.callParent();
    },

    /** Proxmox VE has one of its own. */
    language() {
        const named = (tag) => [tag, new Intl.DisplayNames([tag], { type: 'language' }).of(tag)];
        return {
            xtype: 'combobox', itemId: 'language', fieldLabel: gettext('Language'), editable: false, maxWidth: 380, margin: '0 20 12', value: SMBGateway.language.chosen,
            store: [['', gettext('As the browser asks')], ...SMBGateway.language.all.map(named)],
            listeners: { change: (box, tag) => SMBGateway.language.choose(tag) },
        };
    },
});

Ext.define('SMBGateway.About', {
    extend: 'Ext.Component',
    xtype: 'smbgwAbout',
    mixins: ['SMBGateway.Live'],
    cls: 'smbgw-about',
    minHeight: 70,
    every: 60000,

    ask() {
        return SMBGateway.get('/v1/version');
    },

    showAnswer({ version, node, samba }) {
        const api = SMBGateway.host.inProxmox ? '' : `<a class="smbgw-link" href="api.html" target="_blank" rel="noopener">${gettext('API for programs')}</a>`;
        const words = [`pve-smbgateway ${version}`, samba ? `Samba ${samba}` : gettext('no Samba on the node'), node];
        this.setHtml(`<p>${words.map(SMBGateway.encode).join(' · ')}</p><p>${api}</p>`);
        this.updateLayout();
    },
});

Ext.define('SMBGateway.Tokens', {
    extend: 'SMBGateway.ActionList',
    xtype: 'smbgwTokens',
    caption: gettext('Tokens'),
    ariaLabel: gettext('Tokens'),
    path: '/v1/tokens',
    root: 'tokens',
    fields: ['name', 'role', 'made'],
    emptyText: gettext('No tokens. A program that asks the API brings one.'),

    columns: [
        { text: gettext('Token'), dataIndex: 'name', flex: 2, minWidth: 110 },
        { text: gettext('May'), dataIndex: 'role', flex: 1, renderer: (role) => (role === 'admin' ? gettext('change all') : gettext('look')) },
        { text: gettext('Made'), dataIndex: 'made', width: 150, renderer: SMBGateway.moment },
    ],

    verbs: [
        { text: gettext('Create token'), icon: 'fa-plus', itemId: 'createToken', run: (row, list) => list.create() },
        { text: gettext('Delete'), icon: 'fa-trash-o', itemId: 'deleteToken', row: true, run: (row, list) => list.drop(row.get('name')) },
    ],

    create() {
        SMBGateway.form({
            title: gettext('Create token'),
            verb: gettext('Create'),
            fields: [
                { xtype: 'textfield', name: 'name', fieldLabel: gettext('Name'), allowBlank: false },
                { xtype: 'combobox', name: 'role', fieldLabel: gettext('It may'), editable: false, value: 'viewer', store: [['viewer', gettext('look')], ['admin', gettext('change all')]] },
            ],
            save: async ({ name, role }) => {
                const { token } = await SMBGateway.post('/v1/tokens', { name, role });
                this.refresh();
                this.tellToken(name, token);
            },
        });
    },

    tellToken(name, token) {
        Ext.create('Ext.window.Window', {
            title: SMBGateway.say(gettext('Token {0}'), name), cls: 'smbgw-window', modal: true, width: Math.min(520, Ext.getBody().getViewSize().width - 8), bodyPadding: 20,
            items: [{ xtype: 'component', html: `<p>${gettext('It is shown this once; kept is only a hash of it.')}</p>${SMBGateway.copied(token)}` }],
            buttons: [{ text: gettext('Close'), handler: (button) => button.up('window').close() }],
        }).show();
    },

    drop(name) {
        SMBGateway.ask({
            title: Ext.String.format(gettext('Delete {0}'), name), verb: gettext('Delete'), danger: true,
            text: gettext('Programs that bring this token are refused at once.'),
            save: () => SMBGateway.post('/v1/tokens/delete', { name }).then(() => this.refresh()),
        });
    },
});

Ext.define('SMBGateway.Checkup', {
    extend: 'SMBGateway.ActionList',
    xtype: 'smbgwCheckup',
    caption: gettext('Checkup of this node'),
    ariaLabel: gettext('Checkup of this node'),
    path: '/v1/checkup',
    root: 'findings',
    idProperty: 'id',
    fields: ['id', 'check', 'state', 'text', 'hint', { name: 'rank', calculate: ({ state }) => ['fail', 'warn', 'ok'].indexOf(state) }],
    sorters: ['rank', 'check'],
    every: 60000,
    emptyText: gettext('Nothing was found.'),

    columns: [
        { text: gettext('Check'), dataIndex: 'check', width: 110 },
        { text: gettext('State'), dataIndex: 'rank', width: 120, renderer: (rank, cell, { data }) => SMBGateway.findingState(data.state) },
        { text: gettext('Found'), dataIndex: 'text', flex: 1, cellWrap: true, renderer: (text, cell, { data }) => SMBGateway.encode(text) + (data.hint ? `<br><span class="smbgw-quiet">${SMBGateway.encode(data.hint)}</span>` : '') },
    ],

    verbs: [{ text: gettext('Look again'), icon: 'fa-refresh', itemId: 'again', reading: true, run: (row, list) => list.refresh() }],

    rows({ findings }) {
        return findings.map((finding, id) => ({ id, ...finding }));
    },
});

SMBGateway.findingState = (state) => {
    const words = { ok: ['ok', gettext('ok')], warn: ['warning', gettext('look at it')], fail: ['critical', gettext('in the way')] };
    return SMBGateway.badge(...words[state]);
};

SMBGateway.register({ id: 'settings', text: gettext('Settings'), icon: 'fa-cog', order: 70, xtype: 'smbgwSettings' });
