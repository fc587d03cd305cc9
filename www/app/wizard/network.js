/* Step 5: where clients find it. Only a new gateway asks for that. */

Ext.define('SMBGateway.NetworkStep', {
    extend: 'SMBGateway.Step',
    xtype: 'smbgwNetworkStep',
    title: gettext('Network'),
    owns: ['addresses', 'address', 'port', 'bridge', 'router', 'vlan', 'mtu', 'memory', 'cores'],

    initComponent() {
        const field = (name, fieldLabel, more) => ({ xtype: 'textfield', name, fieldLabel, ...more });
        const number = (name, fieldLabel, more) => field(name, fieldLabel, { xtype: 'numberfield', hideTrigger: true, allowDecimals: false, width: 260, ...more });
        this.items = [
            { xtype: 'component', itemId: 'about', cls: 'smbgw-quiet', margin: '0 0 12 0' },
            {
                xtype: 'container', itemId: 'native', layout: 'anchor', defaults: { anchor: '100%', labelWidth: 130, msgTarget: 'under' },
                items: [
                    {
                        xtype: 'combobox', name: 'addresses', fieldLabel: gettext('Address'), editable: false, queryMode: 'local',
                        valueField: 'value', displayField: 'text', store: { fields: ['value', 'text'], data: [] }, value: '',
                    },
                    number('port', gettext('Port'), { emptyText: '445', minValue: 1, maxValue: 65535, anchor: null }),
                ],
            },
            {
                xtype: 'container', itemId: 'lxc', layout: 'anchor', defaults: { anchor: '100%', labelWidth: 130, msgTarget: 'under' },
                items: [
                    { xtype: 'combobox', name: 'bridge', fieldLabel: gettext('Bridge'), editable: false, queryMode: 'local', valueField: 'value', displayField: 'value', store: { fields: ['value'], data: [] } },
                    field('address', gettext('Address'), { emptyText: '192.168.1.50/24' }),
                    field('router', gettext('Router'), { emptyText: gettext('none: the own network alone') }),
                    number('vlan', gettext('VLAN'), { minValue: 1, maxValue: 4094, anchor: null, emptyText: gettext('none') }),
                    field('memory', gettext('Memory'), { emptyText: '128M', width: 260, anchor: null }),
                    number('cores', gettext('Processors'), { minValue: 1, anchor: null, emptyText: gettext('all') }),
                ],
            },
        ];
        this.callParent();
    },

    learn({ addresses, bridges }) {
        const all = { value: '', text: gettext('all addresses of this node') };
        this.down('[name=addresses]').getStore().loadData([all, ...addresses.map((value) => ({ value, text: value }))]);
        this.down('[name=bridge]').getStore().loadData(bridges.map((value) => ({ value })));
        this.down('[name=bridge]').setValue(bridges[0] ?? null);
    },

    enter() {
        const { joined, kind } = this.wizard().serving();
        const about = joined
            ? SMBGateway.say(gettext('Gateway {0} serves the share at the addresses that it has: {1}.'), joined.name, joined.mode.addresses?.join(', ') || joined.mode.address || gettext('all of this node'))
            : kind === 'native' ? gettext('The new gateway listens for clients at this node.') : gettext('The new gateway is a machine of its own in your network.');
        this.down('#about').setHtml(about);
        this.down('#native').setVisible(!joined && kind === 'native');
        this.down('#lxc').setVisible(!joined && kind !== 'native');
    },

    request() {
        const { joined, kind } = this.wizard().serving();
        const value = (name) => this.down(`[name=${name}]`).getValue();
        const given = (...names) => Object.fromEntries(names.map((name) => [name, value(name)]).filter(([, each]) => each !== null && each !== ''));
        if (joined) {
            return {};
        }
        if (kind === 'native') {
            return { ...(value('addresses') && { addresses: [value('addresses')] }), ...given('port') };
        }
        return { ...(value('address') && { addresses: [value('address')] }), ...given('bridge', 'router', 'vlan', 'memory', 'cores') };
    },
});
