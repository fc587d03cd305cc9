/* A table with what can be done to its rows, in a toolbar that a narrow screen folds into a menu.

   verbs: [{ text, icon: 'fa-trash-o', itemId, row: true, run: (record, list) => ... }]
   row      needs a row chosen, or, as a function, one of which it says so
   main     also done by a double click, or by Enter
   reading  for those too who may only look
   caption is what they are, where a panel has several of these. A column with `wide` is left out where there is little room. */

Ext.define('SMBGateway.ActionList', {
    extend: 'SMBGateway.List',
    xtype: 'smbgwActionList',
    verbs: [],
    NARROW: 620,

    initComponent() {
        const shown = this.verbs.filter((verb) => verb.reading || SMBGateway.host.mayChange);
        const caption = this.caption ? [{ xtype: 'component', cls: 'smbgw-caption', html: SMBGateway.encode(this.caption), overflowText: '' }] : [];
        if (shown.length || this.caption) {
            this.tbar = { overflowHandler: 'menu', items: [...caption, ...shown.map((verb) => this.button(verb))] };
        }
        this.columns = Ext.clone(this.columns);
        this.callParent();
        this.main = shown.find((verb) => verb.main);
        this.on({
            scope: this,
            selectionchange: 'fitActions',
            shown: 'fitActions',
            resize: 'fitColumns',
            afterrender: 'nameMore',
            rowdblclick: (view, record) => this.main?.run(record, this),
            rowkeydown: (view, record, row, at, event) => event.getKey() === event.ENTER && this.main?.run(record, this),
        });
    },

    button(verb) {
        return {
            text: verb.text, iconCls: `fa ${verb.icon}`, itemId: verb.itemId, verb, disabled: Boolean(verb.row),
            cls: verb.primary ? 'smbgw-primary' : '',
            handler: () => Promise.resolve(verb.run(this.getSelection()[0], this)).catch(SMBGateway.showProblem),
        };
    },

    /** The button of the menu into which a narrow toolbar folds: ExtJS gives it none. */
    nameMore() {
        const folded = this.down('toolbar')?.layout.overflowHandler;
        folded?.menuTrigger?.on('afterrender', (button) => button.getEl().set({ 'aria-label': gettext('More') }));
    },

    fitActions() {
        const [record] = this.getSelection();
        this.query('button[verb]').forEach((button) => {
            const { row } = button.verb;
            button.setDisabled(Boolean(row) && !(record && (row === true || row(record))));
        });
    },

    fitColumns() {
        const narrow = this.getWidth() < this.NARROW;
        this.getColumnManager().getColumns().filter((column) => column.wide).forEach((column) => column.setVisible(!narrow));
    },
});
