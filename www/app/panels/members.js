/* The members of a cluster, and the addresses that move between them. */

Ext.define('SMBGateway.Members', {
    extend: 'SMBGateway.ActionList',
    xtype: 'smbgwMembers',
    idProperty: 'node',
    fields: ['node', 'address', 'state', 'leader', 'addresses', 'why'],
    sorters: ['node'],
    emptyText: gettext('No member answers.'),

    initComponent() {
        this.path = SMBGateway.path('/v1/clusters', this.key);
        this.columns = [
            { text: gettext('Node'), dataIndex: 'node', flex: 1, minWidth: 100, renderer: (node, cell, record) => SMBGateway.encode(node) + (record.get('leader') ? ` ${SMBGateway.badge('quiet', gettext('leader'))}` : '') },
            { text: gettext('State'), dataIndex: 'state', flex: 1, minWidth: 110, renderer: SMBGateway.memberState },
            { text: gettext('Addresses of clients'), dataIndex: 'addresses', flex: 2, sortable: false, renderer: (addresses) => SMBGateway.encode(addresses.join(', ')) },
            { text: gettext('Address of the member'), dataIndex: 'address', flex: 1, wide: true },
            { text: gettext('Why'), dataIndex: 'why', flex: 2, wide: true },
        ];
        this.verbs = [
            { text: gettext('Move an address here'), icon: 'fa-exchange', itemId: 'failover', row: true, run: (record) => this.failover(record.get('node')) },
            { text: gettext('Drain'), icon: 'fa-pause', itemId: 'drain', row: (record) => record.get('state') !== 'drained', run: (record) => this.drain(record.get('node'), true) },
            { text: gettext('Take back'), icon: 'fa-play', itemId: 'undrain', row: (record) => record.get('state') === 'drained', run: (record) => this.drain(record.get('node'), false) },
        ];
        this.callParent();
    },

    rows(answer) {
        this.addresses = answer.addresses;
        return answer.members;
    },

    failover(node) {
        const away = this.addresses.filter((each) => each.node !== node).map((each) => each.address);
        if (!away.length) {
            SMBGateway.tell(gettext('Move an address here'), Ext.String.format(gettext('{0} has them all.'), node));
            return;
        }
        SMBGateway.form({
            title: Ext.String.format(gettext('Move an address to {0}'), node),
            verb: gettext('Move'),
            fields: [{ xtype: 'combobox', name: 'address', fieldLabel: gettext('Address'), store: away, value: away[0], editable: false, allowBlank: false }],
            save: ({ address }) => SMBGateway.post('/v1/clusters/failover', { address, node }).then(() => this.refresh()),
        });
    },

    drain(node, drained) {
        const words = drained
            ? gettext('Its addresses move to the other members; clients come back there by themselves. It gets none until it is taken back.')
            : gettext('It may have addresses again; some move to it.');
        SMBGateway.ask({
            title: Ext.String.format(drained ? gettext('Drain {0}') : gettext('Take back {0}'), node),
            verb: drained ? gettext('Drain') : gettext('Take back'),
            text: words,
            save: () => SMBGateway.post('/v1/clusters/drain', { node, drained }).then(() => this.refresh()),
        });
    },
});

SMBGateway.memberState = (state) => {
    const levels = { healthy: 'ok', drained: 'notice', recovering: 'notice', unknown: 'quiet' };
    return SMBGateway.badge(levels[state] ?? 'critical', state);
};
