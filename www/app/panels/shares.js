/* All shares, in short. */

Ext.define('SMBGateway.Shares', {
    extend: 'SMBGateway.ActionList',
    xtype: 'smbgwShares',
    title: gettext('Shares'),
    idProperty: 'key',
    fields: ['key', 'name', 'gateway', 'mode', 'source', 'quota', 'purpose', 'state', 'address', 'usage', { name: 'percent', calculate: ({ usage }) => usage?.percent ?? -1 }],
    emptyText: gettext('No shares yet. Create the first one: five clicks, and a real client has proved it.'),

    columns: [
        { text: gettext('Share'), dataIndex: 'name', flex: 2, minWidth: 90, renderer: (name, cell, { data }) => SMBGateway.link(name, 'share', data.key) },
        { text: gettext('Usage'), dataIndex: 'percent', flex: 3, minWidth: 190, renderer: (percent, cell, { data }) => SMBGateway.usage(data.usage ?? {}) },
        { text: gettext('Address'), dataIndex: 'address', flex: 3, minWidth: 160, wide: true },
        { text: gettext('Gateway'), dataIndex: 'gateway', flex: 2, wide: true, renderer: (name) => SMBGateway.link(name, 'gateway', name) },
        { text: gettext('State'), dataIndex: 'state', width: 90, wide: true },
    ],

    verbs: [
        { text: gettext('Create share'), icon: 'fa-plus', itemId: 'create', primary: true, run: () => SMBGateway.createShare() },
        { text: gettext('Open'), icon: 'fa-folder-open-o', itemId: 'open', row: true, main: true, reading: true, run: (row) => SMBGateway.open('share', row.get('key')) },
    ],

    async ask() {
        const [{ shares }, quota] = await Promise.all(['/v1/shares', '/v1/quota'].map(SMBGateway.get));
        return { shares, usage: Object.fromEntries(quota.shares.map((row) => [row.key, row])) };
    },

    rows({ shares, usage }) {
        return shares.map((share) => ({ ...share, usage: usage[share.key] }));
    },
});

SMBGateway.register({ id: 'shares', text: gettext('Shares'), icon: 'fa-folder-open', order: 20, xtype: 'smbgwShares' });
