/* How a gateway is set, to be changed. */

SMBGateway.editGateway = (gateway) => {
    const { mode } = gateway;
    const container = mode.kind === 'lxc';
    const check = (name, boxLabel) => ({ xtype: 'checkboxfield', name, boxLabel, checked: gateway[name], uncheckedValue: false });
    const dialects = [['SMB2_10', 'SMB 2.1'], ['SMB3_00', 'SMB 3.0'], ['SMB3_11', 'SMB 3.1.1']];
    SMBGateway.form({
        title: Ext.String.format(gettext('Edit {0}'), gateway.name),
        fields: [
            { xtype: 'textfield', name: 'workgroup', fieldLabel: gettext('Workgroup'), value: gateway.workgroup },
            { xtype: 'combobox', name: 'minimum_protocol', fieldLabel: gettext('Oldest dialect'), editable: false, value: gateway.minimum_protocol, store: dialects },
            ...(container
                ? [
                    { xtype: 'textfield', name: 'memory', fieldLabel: gettext('Memory, such as 256M'), value: SMBGateway.asSize(mode.memory), allowBlank: false, validator: SMBGateway.isSize },
                    { xtype: 'numberfield', name: 'cores', fieldLabel: gettext('Cores'), value: mode.cores, minValue: 1, allowDecimals: false, emptyText: gettext('all') },
                ]
                : []),
            check('discovery', gettext('Tell the network of it: Explorer, Finder')),
            check('hardened', gettext('Hardened: SMB 3.1.1 only, all is encrypted')),
            check('allow_guests', gettext('Shares may let in guests, without a password')),
        ],
        save: ({ memory, cores, ...values }) => {
            const changed = { ...gateway, ...values, ...(container ? { mode: { ...mode, memory, cores: cores ?? null } } : {}) };
            return SMBGateway.apply(SMBGateway.say(gettext('Change {0}'), gateway.name), changed);
        },
    });
};
