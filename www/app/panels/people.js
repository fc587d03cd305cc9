/* Users and groups: the same in all gateways. */

Ext.define('SMBGateway.People', {
    extend: 'Ext.panel.Panel',
    xtype: 'smbgwPeople',
    title: gettext('Users and groups'),
    border: false,
    layout: { type: 'vbox', align: 'stretch' },
    items: [
        { xtype: 'smbgwUsers', flex: 3 },
        { xtype: 'smbgwGroups', flex: 2, cls: 'smbgw-list smbgw-second' },
    ],
});

Ext.define('SMBGateway.Users', {
    extend: 'SMBGateway.ActionList',
    xtype: 'smbgwUsers',
    ariaLabel: gettext('Users'),
    fields: ['name', 'full_name', 'enabled', 'groups', 'uid', 'record'],
    emptyText: gettext('No users yet. Who shall open a share is a user here, with a password of its own.'),

    columns: [
        { text: gettext('User'), dataIndex: 'name', flex: 1, minWidth: 110 },
        { text: gettext('Full name'), dataIndex: 'full_name', flex: 2 },
        { text: gettext('Groups'), dataIndex: 'groups', flex: 2, wide: true },
        { text: gettext('State'), dataIndex: 'enabled', width: 110, renderer: (enabled) => (enabled ? SMBGateway.badge('ok', gettext('enabled')) : SMBGateway.badge('quiet', gettext('disabled'))) },
        { text: gettext('Number'), dataIndex: 'uid', width: 90, align: 'end', wide: true },
    ],

    verbs: [
        { text: gettext('Create user'), icon: 'fa-plus', itemId: 'createUser', primary: true, run: () => SMBGateway.editUser() },
        { text: gettext('Edit'), icon: 'fa-pencil', itemId: 'editUser', row: true, main: true, run: (row) => SMBGateway.editUser(row.get('record')) },
        { text: gettext('Password'), icon: 'fa-key', itemId: 'password', row: true, run: (row) => SMBGateway.setPassword(row.get('record')) },
        { text: gettext('Disable'), icon: 'fa-ban', itemId: 'disable', row: (row) => row.get('enabled'), run: (row) => SMBGateway.enableUser(row.get('record'), false) },
        { text: gettext('Enable'), icon: 'fa-check', itemId: 'enable', row: (row) => !row.get('enabled'), run: (row) => SMBGateway.enableUser(row.get('record'), true) },
        {
            text: gettext('Delete'), icon: 'fa-trash-o', itemId: 'deleteUser', row: true,
            run: (row) => SMBGateway.remove({ kind: 'user', name: row.get('name'), text: gettext('The account goes from all gateways. Files stay, with the number of their owner.') }),
        },
    ],

    async ask() {
        const kinds = ['user', 'group'].map((kind) => SMBGateway.get(`/v1/resources?kind=${kind}`));
        const [users, groups] = await Promise.all(kinds);
        return { users: users.resources, groups: groups.resources };
    },

    rows({ users, groups }) {
        const of = (name) => groups.filter((group) => group.members.includes(name)).map((group) => group.name);
        return users.map((record) => ({ ...record, groups: of(record.name).join(', '), record }));
    },
});

Ext.define('SMBGateway.Groups', {
    extend: 'SMBGateway.ActionList',
    xtype: 'smbgwGroups',
    caption: gettext('Groups'),
    ariaLabel: gettext('Groups'),
    path: '/v1/resources?kind=group',
    root: 'resources',
    fields: ['name', 'members', 'gid', 'record'],
    emptyText: gettext('No groups yet. A group has a right to a share that all its members have.'),

    columns: [
        { text: gettext('Group'), dataIndex: 'name', flex: 1, minWidth: 110 },
        { text: gettext('Members'), dataIndex: 'members', flex: 4, renderer: (members) => SMBGateway.encode(members.join(', ') || '–') },
        { text: gettext('Number'), dataIndex: 'gid', width: 90, align: 'end', wide: true },
    ],

    verbs: [
        { text: gettext('Create group'), icon: 'fa-plus', itemId: 'createGroup', run: () => SMBGateway.editGroup() },
        { text: gettext('Edit'), icon: 'fa-pencil', itemId: 'editGroup', row: true, main: true, run: (row) => SMBGateway.editGroup(row.get('record')) },
        {
            text: gettext('Delete'), icon: 'fa-trash-o', itemId: 'deleteGroup', row: true,
            run: (row) => SMBGateway.remove({ kind: 'group', name: row.get('name'), text: gettext('Its members stay; the right that they have by it goes.') }),
        },
    ],

    rows({ resources }) {
        return resources.map((record) => ({ ...record, record }));
    },
});

SMBGateway.register({ id: 'people', text: gettext('Users'), icon: 'fa-users', order: 30, xtype: 'smbgwPeople' });
