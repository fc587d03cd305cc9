/* Stands in for what our glue needs of Proxmox VE's manager: names, order of construction, and what its classes promise
   to those that extend them. Written from their behaviour; none of their code is here. */

window.gettext = (text) => text;
window.Proxmox = {
    NodeName: 'one',
    Utils: {
        task_desc_table: {},
        override_task_descriptions: (more) => Object.assign(Proxmox.Utils.task_desc_table, more),
        API2Request({ url, method = 'GET', params, success, failure }) {
            Ext.Ajax.request({
                url: `/api2/extjs${url}`, method, params,
                success(response) {
                    response.result = Ext.decode(response.responseText);
                    (response.result.success ? success : failure)(response);
                },
                failure(response) {
                    response.result = {};
                    failure(response);
                },
            });
        },
    },
};
Ext.state.Manager.setProvider(new Ext.state.Provider());
Ext.state.Manager.set('GuiCap', { nodes: { 'Sys.Modify': 1, 'Sys.Audit': 1 } });
Ext.define('Proxmox.EncodedColumn', { override: 'Ext.grid.column.Column', renderer: Ext.htmlEncode });

Ext.ns('PVE');
PVE.Utils = { storageSchema: { dir: { name: 'Directory', ipanel: 'DirInputPanel', faIcon: 'folder' } } };

Ext.define('PVE.NodeSelector', {
    extend: 'Ext.form.field.ComboBox', alias: 'widget.pveNodeSelector', queryMode: 'local', store: ['one', 'two'],
});

Ext.define('PVE.panel.StorageBase', {
    extend: 'Ext.form.Panel',
    initComponent() {
        this.items = [{ xtype: 'textfield', name: 'storage', fieldLabel: 'ID' }, ...this.column1, ...this.column2];
        this.callParent();
    },
});

Ext.define('PVE.storage.BaseEdit', {
    extend: 'Ext.window.Window', modal: true, width: 500,
    initComponent() {
        this.title = `Edit: ${this.paneltype}`;
        this.items = [Ext.create(this.paneltype, { type: this.type, isCreate: !this.storageId })];
        this.callParent();
    },
});

/* Cards are checked by their fields, unless they have a validator; all of them from the current one to the last that was
   seen are checked at each change, and an invalid one closes those after it. */
Ext.define('PVE.window.Wizard', {
    extend: 'Ext.window.Window', width: 760, height: 570, modal: true, layout: 'border',
    initComponent() {
        const cards = this.items;
        delete this.items;
        cards.forEach((card, at) => (card.disabled = at > 0));
        let now = 0;
        let seen = 0;
        const tabs = () => this.down('#wizcontent');
        const good = (card) => {
            const fields = card.query('field, fieldcontainer').every((field) => !field.isValid || field.isValid());
            return card.validator ? card.validator() : fields;
        };
        const turn = () => {
            const card = tabs().getActiveTab();
            const at = tabs().items.indexOf(card);
            this.down('#next').setVisible(!card.onSubmit);
            this.down('#submit').setVisible(Boolean(card.onSubmit));
            this.down('#next').setDisabled(!good(card));
            this.down('#submit').setDisabled(!good(card));
            this.down('#back').setDisabled(at === 0);
            now = at;
            seen = Math.max(seen, at);
            if (good(card) && !card.onSubmit) {
                tabs().items.getAt(at + 1)?.enable();
            }
        };
        const check = () => {
            for (let at = now; at <= seen; at += 1) {
                const card = tabs().items.getAt(at);
                if (at === now) {
                    this.down('#next').setDisabled(!good(card));
                    this.down('#submit').setDisabled(!good(card));
                }
                if (!good(card)) {
                    const first = tabs().items.indexOf(tabs().items.getAt(at + 1));
                    tabs().items.each((each, where) => void (where >= first && each.disable()));
                    return;
                }
                tabs().items.getAt(at + 1)?.enable();
            }
        };
        const go = (by) => {
            const card = tabs().items.getAt(tabs().items.indexOf(tabs().getActiveTab()) + by);
            card.enable();
            tabs().setActiveTab(card);
        };
        Ext.apply(this, {
            items: [{
                xtype: 'form', region: 'center', layout: 'fit', border: false, fieldDefaults: { labelWidth: 100, anchor: '100%' },
                items: [{
                    itemId: 'wizcontent', xtype: 'tabpanel', activeItem: 0, defaults: { padding: 10 }, items: cards,
                    listeners: { afterrender: turn, tabchange: turn },
                }],
            }],
            fbar: [
                { text: 'Help', itemId: 'help' }, '->',
                { text: 'Back', itemId: 'back', disabled: true, handler: () => go(-1) },
                { text: 'Next', itemId: 'next', disabled: true, handler: () => good(tabs().getActiveTab()) && go(1) },
                { text: 'Finish', itemId: 'submit', hidden: true, handler: () => tabs().getActiveTab().onSubmit() },
            ],
        });
        this.callParent();
        this.query('field').forEach((field) => field.on({ change: check, validitychange: check }));
    },
});

Ext.define('PVE.dc.StorageView', {
    extend: 'Ext.grid.Panel', alias: 'widget.pveStorageView', columns: [{ text: 'ID', dataIndex: 'storage' }], store: { fields: ['storage'], data: [] },
    createStorageEditWindow(type, id) {
        const { ipanel } = PVE.Utils.storageSchema[type];
        Ext.create('PVE.storage.BaseEdit', { paneltype: `PVE.storage.${ipanel}`, type, storageId: id }).show();
    },
    initComponent() {
        const entry = ([type, { name, faIcon }]) => ({ text: name, iconCls: `fa fa-fw fa-${faIcon}`, handler: () => this.createStorageEditWindow(type) });
        this.reloadStore = () => (window.reloaded = (window.reloaded ?? 0) + 1);
        this.tbar = [
            { text: 'Add', menu: Object.entries(PVE.Utils.storageSchema).map(entry) },
            { text: 'Edit', handler: () => this.createStorageEditWindow('smbgateway', 'docs') },
        ];
        this.callParent();
    },
});

/* Takes `items` of the subclass, keeps them by itemId, and makes one at a time. */
Ext.define('PVE.panel.Config', {
    extend: 'Ext.panel.Panel', layout: 'card', border: false,
    initComponent() {
        const kept = this.items;
        delete this.items;
        this.defaults = { pveSelNode: this.pveSelNode, border: 0 };
        this.tbar = kept.map(({ title, iconCls, itemId }) => ({
            text: title, iconCls,
            handler: () => {
                const former = this.getLayout().getActiveItem();
                this.add({ ...kept.find((each) => each.itemId === itemId), header: false });
                this.setActiveItem(itemId);
                former && this.remove(former, true);
            },
        }));
        this.callParent();
    },
});
Ext.define('PVE.dc.Config', {
    extend: 'PVE.panel.Config', alias: 'widget.pveDcConfig',
    initComponent() {
        this.items = [{ xtype: 'pveStorageView', title: 'Storage', itemId: 'storage' }];
        this.callParent();
    },
});
Ext.define('PVE.node.Config', {
    extend: 'PVE.panel.Config', alias: 'widget.PVE.node.Config',
    initComponent() {
        this.items = [{ xtype: 'panel', title: 'Summary', itemId: 'summary' }];
        this.callParent();
    },
});
Ext.define('PVE.StdWorkspace', {
    extend: 'Ext.container.Viewport', layout: 'border',
    initComponent() {
        this.items = [
            { xtype: 'pveDcConfig', region: 'center', title: 'Datacenter', pveSelNode: { data: {} } },
            { xtype: 'PVE.node.Config', region: 'east', width: 600, title: 'Node one', pveSelNode: { data: { node: 'one' } } },
        ];
        this.callParent();
    },
});
