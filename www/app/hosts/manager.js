/* How we join the manager of Proxmox VE. Each part is on its own: where a later release lacks what it needs, the rest and
   the manager go on, and the browser's console says what is missing. */

SMBGateway.MANAGER = {
    /** Datacenter, Storage, Add: an entry, and the form to edit such a storage, or to add one by hand. */
    storage() {
        PVE.Utils.storageSchema.smbgateway = { name: 'SMB Gateway', ipanel: 'SMBGatewayInputPanel', faIcon: 'share-alt', backups: false };
        Ext.define('PVE.storage.SMBGatewayInputPanel', {
            extend: 'PVE.panel.StorageBase',
            initComponent() {
                const xtype = this.isCreate ? 'textfield' : 'displayfield';
                this.column1 = [{ xtype, name: 'smbgw-share', fieldLabel: gettext('Share'), allowBlank: false, emptyText: 'files/docs', renderer: Ext.htmlEncode }];
                this.column2 = [];
                this.callParent();
            },
        });
    },

    /** Its entry opens the wizard, which makes the share, and the storage of it. */
    wizard() {
        if (!PVE.dc.StorageView.prototype.createStorageEditWindow) {
            throw new Error('PVE.dc.StorageView has no createStorageEditWindow');
        }
        Ext.define('SMBGateway.ManagerStorageView', {
            override: 'PVE.dc.StorageView',
            createStorageEditWindow(type, id) {
                if (type !== 'smbgateway' || id) {
                    return this.callParent(arguments);
                }
                SMBGateway.host.node = Proxmox.NodeName;
                return SMBGateway.createShare().on('destroy', () => this.reloadStore?.());
            },
        });
    },

    /** A panel of the datacenter, and of each node. */
    panels() {
        const classes = ['PVE.dc.Config', 'PVE.node.Config'];
        Ext.define('SMBGateway.ManagerConfig', {
            override: 'PVE.panel.Config',
            initComponent() {
                if (classes.includes(this.$className) && Ext.state.Manager.get('GuiCap')?.nodes?.['Sys.Audit']) {
                    const node = this.pveSelNode?.data?.node ?? '';
                    this.items = [...(this.items ?? []), { xtype: 'smbgwManagerPanel', itemId: 'smbgateway', title: 'SMB Gateway', iconCls: 'fa fa-share-alt', node }];
                }
                this.callParent();
            },
        });
    },

    tasks() {
        const names = { create: gettext('Create'), apply: gettext('Apply'), update: gettext('Change'), delete: gettext('Remove'), snapshot: gettext('Snapshot'), template: gettext('Template') };
        Proxmox.Utils.override_task_descriptions(Object.fromEntries(Object.entries(names).map(([verb, text]) => [`smb${verb}`, ['SMB', text]])));
    },

    /** Colours of ours that fit theirs, light or dark. */
    style() {
        const sheet = document.createElement('link');
        Object.assign(sheet, { rel: 'stylesheet', href: SMBGateway.script.replace('.js', '.css') });
        document.head.append(sheet);
        const look = () => {
            const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
            document.documentElement.dataset.smbgw = red + green + blue < 380 ? 'dark' : 'light';
            SMBGateway.news.fireEvent('theme');
        };
        Ext.onReady(() => setTimeout(look, 500));
        window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => setTimeout(look, 500));
    },
};

SMBGateway.joinProxmox = () => {
    SMBGateway.host = new SMBGateway.Proxmox();
    for (const [part, join] of Object.entries(SMBGateway.MANAGER)) {
        try {
            join();
        } catch (error) {
            console.warn(`SMB Gateway: ${part} does not fit this manager: ${error.message}`);
        }
    }
};

/** Our workspace as a panel of theirs; that of the datacenter asks which node. */
Ext.define('SMBGateway.ManagerPanel', {
    extend: 'Ext.panel.Panel',
    xtype: 'smbgwManagerPanel',
    border: false,
    layout: 'fit',
    node: '',

    initComponent() {
        SMBGateway.host.node = this.node || Proxmox.NodeName;
        if (!this.node) {
            this.tbar = [
                {
                    xtype: 'pveNodeSelector', fieldLabel: gettext('Node'), labelWidth: 50, value: SMBGateway.host.node,
                    listeners: { change: (field, node) => node && this.ask(node) },
                },
            ];
        }
        this.items = [{ xtype: 'smbgwWorkspace' }];
        this.callParent();
        this.on('activate', () => (SMBGateway.host.node = this.node || SMBGateway.host.node));
    },

    /** Another node: all is asked anew. */
    ask(node) {
        SMBGateway.host.node = node;
        this.removeAll();
        this.add({ xtype: 'smbgwWorkspace' });
    },
});
