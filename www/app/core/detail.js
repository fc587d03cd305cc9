/* One thing with all about it: the way back, what can be done with it, a headline, and cards. */

Ext.define('SMBGateway.Detail', {
    extend: 'Ext.panel.Panel',
    mixins: ['SMBGateway.Live'],
    cls: 'smbgw-detail',
    border: false,
    layout: 'fit',
    every: 10000,
    /** The panel that it was come from: its address and what it is called. */
    back: ['', ''],
    /** Its cards. A subclass also has headline(answer), edit(), mend() and remove_(). */
    cards: () => [],

    initComponent() {
        const mayChange = { hidden: !SMBGateway.host.mayChange };
        const [address, name] = this.back;
        this.dockedItems = [
            {
                xtype: 'toolbar', dock: 'top', cls: 'smbgw-way',
                overflowHandler: 'menu',
                items: [
                    { text: name, iconCls: 'fa fa-chevron-left', handler: () => SMBGateway.open(address) },
                    '->',
                    { text: gettext('Mend'), iconCls: 'fa fa-wrench', itemId: 'mend', hidden: true, handler: () => this.mend() },
                    { text: gettext('Edit'), iconCls: 'fa fa-pencil', itemId: 'edit', disabled: true, ...mayChange, handler: () => this.edit() },
                    { text: gettext('Delete'), iconCls: 'fa fa-trash-o', itemId: 'delete', disabled: true, ...mayChange, handler: () => this.remove_() },
                ],
            },
            { xtype: 'component', dock: 'top', itemId: 'head', cls: 'smbgw-headline', html: `<h1>${SMBGateway.encode(this.key.split('/').pop())}</h1>` },
            { xtype: 'component', dock: 'top', itemId: 'trouble', cls: 'smbgw-trouble', hidden: true, ariaRole: 'alert' },
        ];
        this.items = [
            {
                xtype: 'tabpanel', border: false, plain: true, itemId: 'tabs', items: this.cards(),
                listeners: { tabchange: (tabs, card) => card.isLive && card.refresh() },
            },
        ];
        this.callParent();
    },

    /** What was told is shown; where it is not as it should be, that can be mended. */
    showHead(answer, amiss) {
        this.down('#head').setHtml(this.headline(answer));
        this.down('#trouble').hide();
        this.query('#edit, #delete').forEach((button) => button.enable());
        this.down('#mend').setVisible(SMBGateway.host.mayChange && amiss);
    },

    showTrouble(problem) {
        if (!problem.isAway) {
            this.query('#edit, #delete').forEach((button) => button.disable());
            this.down('#trouble').setHtml(SMBGateway.encode([problem.message, problem.hint].filter(Boolean).join(': ')));
            this.down('#trouble').show();
        }
    },
});
