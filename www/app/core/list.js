/* A table of what the engine answers, always fresh.

   Ext.define('SMBGateway.Users', {
       extend: 'SMBGateway.List', xtype: 'smbgwUsers',
       path: '/v1/resources?kind=user', root: 'resources', idProperty: 'name',
       fields: ['name', ...], columns: [...], emptyText: gettext('No users yet'),
   });
   Cells are HTML-encoded, unless a column has a renderer: that encodes itself. */

Ext.define('SMBGateway.List', {
    extend: 'Ext.grid.Panel',
    xtype: 'smbgwList',
    mixins: ['SMBGateway.Live'],

    cls: 'smbgw-list',
    border: false,
    scrollable: true,
    idProperty: 'name',
    fields: [],
    sorters: ['name'],
    emptyText: gettext('Nothing here yet'),

    initComponent() {
        this.store = Ext.create('Ext.data.Store', {
            // A row stays chosen when all is read anew: it is the same by its name.
            model: Ext.define(null, { extend: 'Ext.data.Model', idProperty: this.idProperty, fields: this.fields }),
            proxy: { type: 'memory' },
            sorters: this.sorters,
        });
        this.viewConfig = {
            deferEmptyText: false,
            emptyText: `<div class="smbgw-empty">${SMBGateway.encode(this.emptyText)}</div>`,
            loadMask: false,
            preserveScrollOnRefresh: true,
            ...this.viewConfig,
        };
        this.callParent();
    },

    ask() {
        return SMBGateway.get(this.path);
    },

    /** The rows of an answer. */
    rows(answer) {
        return answer[this.root];
    },

    showAnswer(answer) {
        const chosen = this.getSelection().map((record) => record.getId());
        this.store.loadData(this.rows(answer));
        const again = chosen.map((id) => this.store.getById(id)).filter(Boolean);
        this.setSelection(again.length ? again : null);
        this.setTrouble('');
    },

    showTrouble(problem) {
        if (!problem.isAway) {
            this.setTrouble(problem.message);
        }
    },

    setTrouble(text) {
        this.trouble ??= this.addDocked({ xtype: 'component', dock: 'top', cls: 'smbgw-trouble', hidden: true })[0];
        this.trouble.setHtml(SMBGateway.encode(text));
        this.trouble.setVisible(Boolean(text));
    },
});
