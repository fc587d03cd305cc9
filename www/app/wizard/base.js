/* A window of steps. Inside Proxmox VE it is Proxmox's own; elsewhere this one, with the same contract: items are cards,
   each with validator() and, the last, onSubmit(); #wizcontent holds them, #next, #back and #submit go through them. */

Ext.define('SMBGateway.StandaloneWizard', {
    extend: 'Ext.window.Window',
    width: 760,
    height: 580,
    modal: true,
    resizable: false,
    layout: 'fit',

    initComponent() {
        const cards = this.items.map((card, at) => ({ ...card, disabled: at > 0 }));
        this.items = [
            {
                xtype: 'form', border: false, layout: 'fit',
                items: [{ xtype: 'tabpanel', itemId: 'wizcontent', border: false, plain: true, items: cards, listeners: { scope: this, tabchange: 'check' } }],
            },
        ];
        this.fbar = [
            '->',
            { text: gettext('Back'), itemId: 'back', handler: () => this.go(-1) },
            { text: gettext('Next'), itemId: 'next', cls: 'smbgw-primary', handler: () => this.go(1) },
            { text: gettext('Finish'), itemId: 'submit', cls: 'smbgw-primary', hidden: true, handler: () => this.card().onSubmit() },
        ];
        this.callParent();
        this.query('field').forEach((field) => field.on({ scope: this, change: 'check', validitychange: 'check' }));
        this.on('afterrender', this.check, this);
    },

    cards() {
        return this.down('#wizcontent');
    },

    card() {
        return this.cards().getActiveTab();
    },

    isGood(card) {
        const good = card.query('field').every((field) => field.isDisabled() || field.isValid());
        return card.validator ? card.validator() : good;
    },

    /** What the buttons may do, and which cards may be gone to. */
    check() {
        const card = this.card();
        const at = this.cards().items.indexOf(card);
        const good = this.isGood(card);
        this.down('#next').setVisible(!card.onSubmit).setDisabled(!good);
        this.down('#submit').setVisible(Boolean(card.onSubmit)).setDisabled(!good);
        this.down('#back').setDisabled(at === 0);
        if (good && !card.onSubmit) {
            this.cards().items.getAt(at + 1).enable();
        }
    },

    go(by) {
        const at = this.cards().items.indexOf(this.card()) + by;
        this.cards().items.getAt(at).enable();
        this.cards().setActiveTab(at);
    },
});
