/* Step 5: where clients find it. Only a new gateway asks for that. */

Ext.define('SMBGateway.NetworkStep', {
    extend: 'SMBGateway.Step',
    xtype: 'smbgwNetworkStep',
    title: gettext('Network'),
    owns: ['addresses', 'address', 'port', 'bridge', 'listen', 'router', 'vlan', 'mtu', 'memory', 'cores', 'image'],

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
                xtype: 'container', itemId: 'guest', layout: 'anchor', defaults: { anchor: '100%', labelWidth: 130, msgTarget: 'under' },
                items: [
                    { xtype: 'combobox', name: 'bridge', fieldLabel: gettext('Bridge'), editable: false, queryMode: 'local', valueField: 'value', displayField: 'text', store: { fields: ['value', 'text'], data: [] } },
                    field('address', gettext('Address'), { emptyText: '192.168.1.50/24' }),
                    number('outside', gettext('Port'), { emptyText: '445', minValue: 1, maxValue: 65535, anchor: null }),
                    field('router', gettext('Router'), { emptyText: gettext('none: the own network alone') }),
                    number('vlan', gettext('VLAN'), { minValue: 1, maxValue: 4094, anchor: null, emptyText: gettext('none') }),
                    field('memory', gettext('Memory'), { emptyText: '128M', width: 260, anchor: null }),
                    number('cores', gettext('Processors'), { minValue: 1, anchor: null, emptyText: gettext('all') }),
                ],
            },
        ];
        this.callParent();
        this.down('[name=bridge]').on('change', () => this.fit());
    },

    learn({ addresses, bridges }) {
        const all = { value: '', text: gettext('all addresses of this node') };
        this.down('[name=addresses]').getStore().loadData([all, ...addresses.map((value) => ({ value, text: value }))]);
        this.bridges = bridges;
    },

    /** A container hangs on a bridge; a machine may also be reached at the node itself. */
    offer(kind) {
        const box = this.down('[name=bridge]');
        const own = this.bridges.map((value) => ({ value, text: value }));
        box.getStore().loadData(kind === 'vm' ? [{ value: '', text: gettext('none: at the address of the node') }, ...own] : own);
        if (this.offered !== kind) {
            this.offered = kind;
            box.setValue(kind === 'vm' ? '' : this.bridges[0] ?? null);
        }
        this.fit();
    },

    /** Without a bridge there is no address to have, but a port of the node. */
    fit() {
        const alone = this.offered === 'vm' && !this.down('[name=bridge]').getValue();
        ['address', 'router', 'vlan'].forEach((name) => this.down(`[name=${name}]`).setVisible(!alone));
        this.down('[name=outside]').setVisible(alone);
        const vm = this.offered === 'vm';
        Object.entries({ memory: vm ? '512M' : '128M', cores: vm ? '1' : gettext('all') }).forEach(([name, text]) => this.down(`[name=${name}]`).setEmptyText(text));
    },

    enter() {
        const { joined, kind } = this.wizard().serving();
        const about = joined
            ? SMBGateway.say(gettext('Gateway {0} serves the share at the addresses that it has: {1}.'), joined.name, joined.mode.addresses?.join(', ') || joined.mode.address || gettext('all of this node'))
            : kind === 'native' ? gettext('The new gateway listens for clients at this node.') : gettext('The new gateway is a machine of its own in your network.');
        this.down('#about').setHtml(about);
        this.down('#native').setVisible(!joined && kind === 'native');
        this.down('#guest').setVisible(!joined && kind !== 'native');
        if (!joined && kind !== 'native') {
            this.offer(kind);
        }
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
        const own = given('memory', 'cores');
        if (kind === 'vm' && !value('bridge')) {
            return { ...own, ...(value('outside') && { port: value('outside') }) };
        }
        return { ...own, ...(value('address') && { addresses: [value('address')] }), ...given('bridge', 'router', 'vlan') };
    },
});
