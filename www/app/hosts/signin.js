/* The way in. */

Ext.define('SMBGateway.SignIn', {
    extend: 'Ext.container.Container',
    xtype: 'smbgwSignIn',
    cls: 'smbgw-signin',
    layout: { type: 'vbox', align: 'center', pack: 'center' },

    initComponent() {
        const submit = { specialkey: (field, event) => event.getKey() === event.ENTER && this.submit() };
        const field = (name, more) => ({
            xtype: 'textfield', name, labelAlign: 'top', labelSeparator: '', width: 300, allowBlank: false, msgTarget: 'none',
            listeners: submit, ...more,
        });
        this.items = [
            {
                xtype: 'form', cls: 'smbgw-card', bodyPadding: 32, border: false, width: 364,
                ariaLabel: gettext('Sign in'),
                items: [
                    { xtype: 'component', cls: 'smbgw-brand', html: `<img src="icon.svg" alt=""><h1>${gettext('SMB Gateway')}</h1>` },
                    field('name', { fieldLabel: gettext('User of this machine'), inputAttrTpl: 'autocomplete="username" autocapitalize="none" spellcheck="false"' }),
                    field('password', { fieldLabel: gettext('Password'), inputType: 'password', inputAttrTpl: 'autocomplete="current-password"' }),
                    { xtype: 'component', itemId: 'trouble', cls: 'smbgw-refusal', ariaRole: 'alert' },
                    { xtype: 'button', text: gettext('Sign in'), itemId: 'submit', scale: 'medium', width: 300, cls: 'smbgw-primary', handler: () => this.submit() },
                ],
            },
        ];
        this.callParent();
        this.on('afterrender', () => SMBGateway.beginAt(this.down('[name=name]')));
    },

    async submit() {
        const { name, password } = this.down('form').getValues();
        const button = this.down('#submit');
        if (button.disabled || !name) {
            return;
        }
        button.disable();
        this.down('#trouble').update('');
        try {
            await SMBGateway.host.signIn(name, password);
            this.fireEvent('signedin', this);
        } catch (problem) {
            button.enable();
            this.down('#trouble').update(SMBGateway.encode([problem.message, problem.hint].filter(Boolean).join(': ')));
            this.down('[name=password]').focus(true);
        }
    },
});
