/* All shares, in short. */

Ext.define('SMBGateway.Shares', {
    extend: 'SMBGateway.List',
    xtype: 'smbgwShares',
    title: gettext('Shares'),
    path: '/v1/shares',
    root: 'shares',
    idProperty: 'key',
    fields: ['key', 'name', 'gateway', 'mode', 'source', 'quota', 'purpose', 'state', 'address'],
    emptyText: gettext('No shares yet. Create the first one: five clicks, and a real client has proved it.'),

    columns: [
        { text: gettext('Share'), dataIndex: 'name', flex: 2, minWidth: 120 },
        { text: gettext('Address'), dataIndex: 'address', flex: 3, minWidth: 160 },
        { text: gettext('Gateway'), dataIndex: 'gateway', flex: 2 },
        { text: gettext('Quota'), dataIndex: 'quota', width: 90, align: 'end', renderer: SMBGateway.size },
        { text: gettext('State'), dataIndex: 'state', width: 90 },
    ],

    initComponent() {
        this.tbar = [
            { text: gettext('Create share'), iconCls: 'fa fa-plus', cls: 'smbgw-primary', itemId: 'create', hidden: !SMBGateway.host.mayChange, handler: () => SMBGateway.createShare() },
        ];
        this.callParent();
    },
});

SMBGateway.register({ id: 'shares', text: gettext('Shares'), icon: 'fa-folder-open', order: 20, xtype: 'smbgwShares' });
