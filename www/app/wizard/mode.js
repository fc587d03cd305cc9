/* Step 1: how the share is served. */

Ext.define('SMBGateway.ModeStep', {
    extend: 'SMBGateway.Step',
    xtype: 'smbgwModeStep',
    title: gettext('Mode'),
    owns: ['mode', 'gateway'],

    KINDS: {
        native: {
            icon: 'fa-server', title: gettext('On this node'), text: gettext('Quickest and leanest: a Samba of its own beside the system, at the addresses of the node.'),
            more: gettext('About 60 MiB of memory. Good for one trusted network.'),
        },
        lxc: {
            icon: 'fa-cube', title: gettext('In a container'), text: gettext('Kept apart from the node, with an address and limits of its own.'),
            more: gettext('128 MiB of memory and a template. Good for several groups or networks.'),
        },
        vm: {
            icon: 'fa-desktop', title: gettext('In a virtual machine'), text: gettext('Kept apart most: a kernel of its own.'),
            more: gettext('Most memory, slowest to start. Good where strangers come in.'),
        },
    },

    initComponent() {
        this.items = [
            { xtype: 'smbgwCards', name: 'mode', label: gettext('Mode') },
            {
                xtype: 'combobox', name: 'gateway', fieldLabel: gettext('Gateway'), margin: '12 0 0 0', editable: false, queryMode: 'local',
                valueField: 'name', displayField: 'text', store: { fields: ['name', 'text'], data: [] },
            },
        ];
        this.callParent();
        this.down('[name=mode]').on('change', () => this.offer());
    },

    learn({ modes }, gateways) {
        this.gateways = gateways;
        const cards = modes.map(({ kind, reason, hint }) => ({ value: kind, ...this.KINDS[kind], refusal: [reason, hint].filter(Boolean).join(': ') }));
        this.down('smbgwCards').setCards(cards);
        this.offer();
    },

    /** A gateway that is there, or a new one. A node's one native gateway serves all its shares. */
    offer() {
        const mode = this.down('smbgwCards').getValue();
        const there = (this.gateways ?? []).filter((gateway) => gateway.mode.kind === mode && !gateway.cluster);
        const box = this.down('[name=gateway]');
        const rows = there.map(({ name }) => ({ name, text: SMBGateway.fill(gettext('{0}, which is there'), name) }));
        box.getStore().loadData([...rows, { name: '', text: gettext('a new one') }]);
        box.setValue(mode === 'native' && there.length ? there[0].name : '');
        box.setVisible(there.length > 0);
    },

    /** The gateway chosen, where it is there. */
    joined() {
        return (this.gateways ?? []).find((gateway) => gateway.name === this.down('[name=gateway]').getValue());
    },

    validator() {
        return Boolean(this.down('smbgwCards').getValue());
    },

    request() {
        const joined = this.joined();
        return joined ? { gateway: joined.name } : { mode: this.down('smbgwCards').getValue() };
    },
});
