/* Step 4: who may open it. */

Ext.define('SMBGateway.AccessStep', {
    extend: 'SMBGateway.Step',
    xtype: 'smbgwAccessStep',
    title: gettext('Access'),
    owns: ['access', 'guest'],
    layout: { type: 'vbox', align: 'stretch' },
    scrollable: false,

    RIGHTS: [['', gettext('No')], ['read', gettext('Read')], ['write', gettext('Read and write')]],

    initComponent() {
        this.rights = {};
        const list = {
            xtype: 'grid', flex: 1, border: true, cls: 'smbgw-list', title: gettext('Users and groups'), header: false, sortableColumns: false,
            store: { fields: ['principal', 'name'], data: [] },
            viewConfig: { deferEmptyText: false, emptyText: `<div class="smbgw-empty">${gettext('Nobody is there yet: create a user, who may then open the share.')}</div>` },
            columns: [
                { text: gettext('User or @group'), dataIndex: 'principal', flex: 1 },
                { text: gettext('Name'), dataIndex: 'name', flex: 1 },
                { text: gettext('May'), dataIndex: 'principal', width: 230, renderer: (principal) => this.choice(principal) },
            ],
            listeners: { cellclick: (view, cell, column, record, row, at, event) => this.press(record.get('principal'), event) },
        };
        this.items = [
            list,
            {
                xtype: 'container', layout: 'hbox', margin: '10 0 0 0',
                items: [
                    { xtype: 'button', text: gettext('Create user'), iconCls: 'fa fa-user-plus', handler: () => this.createUser() },
                    { xtype: 'component', itemId: 'nobody', cls: 'smbgw-warning', flex: 1, margin: '5 0 0 14', html: gettext('Nobody can open the share yet.') },
                ],
            },
        ];
        this.callParent();
    },

    learn(users, groups) {
        const rows = [
            ...users.map((user) => ({ principal: user.name, name: user.full_name })),
            ...groups.map((group) => ({ principal: `@${group.name}`, name: SMBGateway.fill(gettext('{0} members'), group.members.length) })),
        ];
        if (users.length === 1 && !Object.keys(this.rights).length) {
            this.rights[users[0].name] = 'write';
        }
        this.down('grid').getStore().loadData(rows);
        this.draw();
    },

    choice(principal) {
        const { encode } = SMBGateway;
        const chosen = this.rights[principal] ?? '';
        const one = ([right, text]) =>
            `<button type="button" data-right="${right}" aria-pressed="${right === chosen}" aria-label="${encode(`${principal}: ${text}`)}">${text}</button>`;
        return `<span class="smbgw-rights">${this.RIGHTS.map(one).join('')}</span>`;
    },

    press(principal, event) {
        const button = event.getTarget('button');
        if (button) {
            this.give(principal, button.dataset.right);
        }
    },

    give(principal, right) {
        right ? (this.rights[principal] = right) : delete this.rights[principal];
        this.draw();
        const again = [...this.el.dom.querySelectorAll('button[aria-pressed=true]')].find((each) => each.ariaLabel.startsWith(`${principal}:`));
        again?.focus();
    },

    draw() {
        if (this.down('grid').rendered) {
            this.down('grid').getView().refresh();
        }
        this.down('#nobody').setVisible(!Object.keys(this.rights).length);
    },

    createUser() {
        Ext.create('SMBGateway.NewUser', {
            listeners: { made: (each, name) => this.wizard().learnPeople().then(() => this.give(name, 'write'), SMBGateway.showProblem) },
        }).show();
    },

    request() {
        return Object.keys(this.rights).length ? { access: this.rights } : {};
    },
});

/** A user, made at once. */
Ext.define('SMBGateway.NewUser', {
    extend: 'Ext.window.Window',
    title: gettext('Create user'),
    width: 380,
    modal: true,
    layout: 'fit',
    defaultFocus: 'textfield',

    initComponent() {
        const field = (name, fieldLabel, more) => ({ xtype: 'textfield', name, fieldLabel, msgTarget: 'under', ...more });
        this.items = [
            {
                xtype: 'smbgwStep',
                items: [
                    field('name', gettext('Name'), { allowBlank: false }),
                    field('full_name', gettext('Full name')),
                    field('password', gettext('Password'), { inputType: 'password', allowBlank: false, inputAttrTpl: 'autocomplete="new-password"' }),
                ],
            },
        ];
        this.buttons = [{ text: gettext('Create'), cls: 'smbgw-primary', itemId: 'make', handler: () => this.make() }];
        this.callParent();
        this.query('textfield').forEach((each) => each.on('specialkey', (it, event) => event.getKey() === event.ENTER && this.make()));
    },

    async make() {
        const step = this.down('smbgwStep');
        if (!step.query('field').every((field) => field.validate())) {
            return;
        }
        const [name, fullName, password] = ['name', 'full_name', 'password'].map((each) => this.down(`[name=${each}]`).getValue());
        const resource = { kind: 'user', name, password, ...(fullName && { full_name: fullName }) };
        const title = SMBGateway.fill(gettext('Create user {0}'), name);
        try {
            await SMBGateway.perform({ title, path: '/v1/apply', body: { resources: [resource] }, quiet: true });
            this.fireEvent('made', this, name);
            this.close();
        } catch (problem) {
            problem.faults?.length ? step.setFaults(problem.faults) : SMBGateway.showProblem(problem);
        }
    },
});
