/* Windows for users and groups. */

SMBGateway.passwordFields = () => {
    const again = { xtype: 'textfield', itemId: 'again', inputType: 'password', fieldLabel: gettext('Again'), allowBlank: false, inputAttrTpl: 'autocomplete="new-password"' };
    again.validator = function (value) {
        return value === this.up('form').down('[name=password]').getValue() || gettext('These differ');
    };
    return [
        { xtype: 'textfield', name: 'password', inputType: 'password', fieldLabel: gettext('Password'), allowBlank: false, inputAttrTpl: 'autocomplete="new-password"' },
        again,
    ];
};

/** A field of names to choose from, several of them. */
SMBGateway.namesField = (name, label, names, chosen) => ({
    xtype: 'tagfield', name, fieldLabel: label, store: names, value: chosen, queryMode: 'local', forceSelection: true, filterPickList: true,
    labelTpl: '{field1:htmlEncode}',
    listConfig: { itemTpl: '{field1:htmlEncode}' },
});

SMBGateway.nameField = (label, record) => ({
    xtype: 'textfield', name: 'name', fieldLabel: label, allowBlank: false, value: record?.name, readOnly: Boolean(record),
    fieldCls: record ? 'smbgw-fixed' : '', inputAttrTpl: 'autocomplete="off" autocapitalize="none" spellcheck="false"',
});

/** Create a user, or change one; with it the groups that are to have it. */
SMBGateway.editUser = async (record) => {
    const { resources: groups } = await SMBGateway.get('/v1/resources?kind=group');
    const names = groups.map((group) => group.name);
    const before = record ? groups.filter((group) => group.members.includes(record.name)).map((group) => group.name) : [];
    SMBGateway.form({
        title: record ? Ext.String.format(gettext('User {0}'), record.name) : gettext('Create user'),
        verb: record ? gettext('Save') : gettext('Create'),
        fields: [
            SMBGateway.nameField(gettext('Name, as it is typed to sign in'), record),
            { xtype: 'textfield', name: 'full_name', fieldLabel: gettext('Full name'), value: record?.full_name },
            ...(record ? [] : SMBGateway.passwordFields()),
            SMBGateway.namesField('groups', gettext('Groups'), names, before),
        ],
        save: ({ name, full_name, password, groups: chosen }) => {
            const user = record ? { ...record, full_name } : { kind: 'user', name, full_name, password };
            const changed = groups.filter((group) => chosen.includes(group.name) !== before.includes(group.name));
            const others = ({ members }) => members.filter((member) => member !== user.name);
            const moved = changed.map((group) => ({ ...group, members: chosen.includes(group.name) ? [...group.members, user.name] : others(group) }));
            return SMBGateway.apply(record ? gettext('Change user') : gettext('Create user'), user, ...moved);
        },
    });
};

SMBGateway.setPassword = (record) =>
    SMBGateway.form({
        title: Ext.String.format(gettext('Password of {0}'), record.name),
        fields: SMBGateway.passwordFields(),
        save: ({ password }) => SMBGateway.apply(gettext('Change password'), { ...record, password }),
    });

SMBGateway.enableUser = (record, enabled) => {
    const save = () => SMBGateway.apply(enabled ? gettext('Enable user') : gettext('Disable user'), { ...record, enabled });
    return enabled
        ? save()
        : SMBGateway.ask({
            title: Ext.String.format(gettext('Disable {0}'), record.name), verb: gettext('Disable'), danger: true,
            text: gettext('Nobody can sign in by this name until it is enabled again. Its files and rights stay.'), save,
        });
};

SMBGateway.editGroup = async (record) => {
    const { resources: users } = await SMBGateway.get('/v1/resources?kind=user');
    SMBGateway.form({
        title: record ? Ext.String.format(gettext('Group {0}'), record.name) : gettext('Create group'),
        verb: record ? gettext('Save') : gettext('Create'),
        fields: [SMBGateway.nameField(gettext('Name'), record), SMBGateway.namesField('members', gettext('Members'), users.map((user) => user.name), record?.members)],
        save: ({ name, members }) => SMBGateway.apply(record ? gettext('Change group') : gettext('Create group'), record ? { ...record, members } : { kind: 'group', name, members }),
    });
};
