/* Windows in which something is stated and applied; every fault lands on its field. */

/** Goes to a field once it is drawn; who has begun to type elsewhere meanwhile stays there. */
SMBGateway.beginAt = (field) => Ext.defer(() => {
    const typing = document.activeElement?.matches('input, textarea');
    field?.destroyed || typing || field?.focus(true);
}, 50);

Ext.define('SMBGateway.FormWindow', {
    extend: 'Ext.window.Window',
    xtype: 'smbgwForm',
    cls: 'smbgw-window',
    modal: true,
    width: 460,
    constrain: true,
    layout: 'fit',
    /** What the button says. */
    verb: gettext('Save'),
    /** Whether the button warns. */
    danger: false,
    fields: [],
    /** The answer of `save(values)`, a promise; where it is kept, the window closes. */
    save: Ext.emptyFn,

    initComponent() {
        const seen = Ext.getBody().getViewSize();
        const plain = { labelAlign: 'top', labelSeparator: '', anchor: '100%', msgTarget: 'under' };
        this.title = SMBGateway.encode(this.title);
        this.width = Math.min(this.width, seen.width - 8);
        this.maxHeight = Math.max(320, seen.height - 40);
        this.items = [
            {
                xtype: 'form', border: false, bodyPadding: '4 20 12', scrollable: 'y', defaults: plain, fieldDefaults: plain,
                items: [...this.fields, { xtype: 'component', itemId: 'trouble', cls: 'smbgw-form-trouble', hidden: true, ariaRole: 'alert' }],
            },
        ];
        this.buttons = [
            { text: gettext('Cancel'), handler: () => this.close() },
            { text: this.verb, itemId: 'save', cls: this.danger ? 'smbgw-primary smbgw-dangerous' : 'smbgw-primary', handler: () => this.submit() },
        ];
        this.callParent();
        this.on('show', () => SMBGateway.beginAt(this.down('field:not([readOnly]):not([hidden])')));
        this.on('afterrender', () => this.getEl().on('keydown', (event) => this.press(event)));
    },

    press(event) {
        if (event.getKey() === event.ENTER && event.target.tagName === 'INPUT' && !event.isStopped && !event.target.getAttribute('aria-haspopup')) {
            this.submit();
        }
    },

    async submit() {
        const form = this.down('form');
        const button = this.down('#save');
        // ExtJS sees what was typed a moment later, and would then take the faults away that come back.
        this.query('field').forEach((field) => field.checkChange());
        if (button.disabled || !form.isValid()) {
            return;
        }
        button.disable();
        this.say('');
        try {
            await this.save(form.getForm().getFieldValues(), this);
            this.destroyed || this.close();
        } catch (problem) {
            if (!(problem instanceof SMBGateway.Problem)) {
                throw problem;
            }
            if (!this.destroyed) {
                button.enable();
                this.tellFaults(problem);
            }
        }
    },

    /** Each fault to the field whose name is in its own; what is left over, and said nowhere yet, below them. */
    tellFaults({ faults, message, hint }) {
        const fields = this.query('field[name]');
        const words = (fault) => [fault.message, fault.hint].filter(Boolean).join(': ');
        const fieldOf = (fault) => fields.find(({ name, disabled }) => !disabled && `.${fault.field}.`.includes(`.${name}.`));
        const placed = faults.filter(fieldOf);
        const rest = faults.filter((fault) => !placed.some((other) => words(other) === words(fault)));
        placed.forEach((fault) => fieldOf(fault).markInvalid(SMBGateway.encode(words(fault))));
        const said = faults.length ? rest.map((fault) => `${fault.field}: ${words(fault)}`) : [message, hint].filter(Boolean);
        this.say(said.map(SMBGateway.encode).join('<br>'));
        placed.length ? fieldOf(placed[0]).focus(true) : this.down('#save').focus();
    },

    say(html) {
        const trouble = this.down('#trouble');
        trouble.setHtml(html);
        trouble.setVisible(Boolean(html));
    },
});

/** A window with fields. The promise of `save` keeps it open where it fails. */
SMBGateway.form = (settings) => Ext.create('SMBGateway.FormWindow', settings).show();

/** Apply resources in a window that closes by itself. */
SMBGateway.apply = (title, ...resources) => SMBGateway.perform({ title, path: '/v1/apply', body: { resources }, quiet: true });

/** Ask before something is done: `ask({title, text, verb, danger, save})`. */
SMBGateway.ask = ({ text, ...settings }) =>
    SMBGateway.form({ ...settings, fields: [{ xtype: 'component', cls: 'smbgw-words', html: SMBGateway.encode(text) }] });

/** Remove a resource. Data goes along only where it is asked for and the name is typed. */
SMBGateway.remove = ({ kind, name, text, data = false, then = Ext.emptyFn }) => {
    const short = name.split('/').pop();
    const typed = {
        xtype: 'textfield', name: 'typed', itemId: 'typed', hidden: true, msgTarget: 'under', inputAttrTpl: 'autocomplete="off" autocapitalize="none" spellcheck="false"',
        fieldLabel: SMBGateway.say(gettext('Type {0} to destroy its data for good'), short),
        validator: (value) => !SMBGateway.chosen(data && typed.window, 'destroy') || value === short || SMBGateway.say(gettext('This is not {0}'), short),
    };
    const destroy = {
        xtype: 'checkboxfield', name: 'destroy', boxLabel: gettext('Destroy the data too: files, snapshots, everything'), uncheckedValue: false,
        listeners: { change: (box, on) => typed.window.down('#typed').setVisible(on).clearInvalid() },
    };
    typed.window = SMBGateway.form({
        title: Ext.String.format(gettext('Delete {0}'), short),
        verb: gettext('Delete'),
        danger: true,
        fields: [{ xtype: 'component', cls: 'smbgw-words', html: SMBGateway.encode(text) }, ...(data ? [destroy, typed] : [])],
        save: async ({ destroy: all }) => {
            const body = { targets: [{ kind, name }], options: { destroy_data: Boolean(all) } };
            await SMBGateway.perform({ title: Ext.String.format(gettext('Delete {0}'), short), path: '/v1/remove', body, quiet: true });
            then();
        },
    });
};

SMBGateway.chosen = (window, name) => Boolean(window?.down(`[name=${name}]`)?.getValue());
