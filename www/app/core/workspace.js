/* Navigation at the left, the panel chosen at the right. Narrow screens have the navigation on top. */

Ext.define('SMBGateway.Navigation', {
    extend: 'Ext.Component',
    xtype: 'smbgwNavigation',
    cls: 'smbgw-navigation',
    autoEl: { tag: 'nav', 'aria-label': gettext('Navigation') },
    scrollable: true,

    initComponent() {
        const { encode } = SMBGateway;
        const entry = ({ id, text, icon }) =>
            `<button type="button" data-panel="${encode(id)}"><i class="fa fa-fw ${encode(icon)}" aria-hidden="true"></i>` +
            `<span>${encode(text)}</span></button>`;
        this.html = SMBGateway.navigation().map(entry).join('');
        this.listeners = {
            element: 'el', delegate: 'button',
            click: (event, button) => this.fireEvent('chosen', this, button.dataset.panel),
        };
        this.callParent();
    },

    mark(id) {
        this.getEl().dom.querySelectorAll('button').forEach((button) => {
            button.dataset.panel === id ? button.setAttribute('aria-current', 'page') : button.removeAttribute('aria-current');
        });
    },
});

Ext.define('SMBGateway.Workspace', {
    extend: 'Ext.container.Container',
    xtype: 'smbgwWorkspace',
    cls: 'smbgw-workspace',
    layout: { type: 'box', vertical: false, align: 'stretch' },
    NARROW: 760,
    /** The address of the panel that is seen first. */
    start: '',

    initComponent() {
        this.items = [
            { xtype: 'smbgwNavigation', width: 190, listeners: { chosen: (each, id) => this.open(id) } },
            { xtype: 'container', flex: 1, itemId: 'stage', layout: 'card', cls: 'smbgw-stage' },
        ];
        this.callParent();
        this.on({ scope: this, resize: 'fit', afterrender: () => this.openAt(this.start) });
    },

    fit() {
        const narrow = this.getWidth() < this.NARROW;
        const navigation = this.down('smbgwNavigation');
        navigation.toggleCls('smbgw-narrow', narrow);
        this.getLayout().setVertical(narrow);
        navigation.setSize(narrow ? { width: null, height: 46 } : { width: 190, height: null });
    },

    /** Bring a panel to the front; details are made anew, the others stay. */
    open(id, key = '') {
        const panel = SMBGateway.panels.get(id) ?? SMBGateway.navigation()[0];
        const at = panel.text ? panel.id : `${panel.id}/${key}`;
        if (at === this.at) {
            return;
        }
        this.at = at;
        const stage = this.down('#stage');
        const former = stage.getLayout().getActiveItem();
        const known = stage.items.findBy((each) => each.at === at);
        const shown = known ?? stage.add({ xtype: panel.xtype, at, isDetail: !panel.text, ...(panel.text ? {} : { key }) });
        stage.setActiveItem(shown);
        if (former?.isDetail && former !== shown) {
            stage.remove(former);
        }
        this.mark(panel.text ? panel.id : panel.under);
        SMBGateway.refreshAll(shown);
        this.fireEvent('opened', this, at);
    },

    /** The address of a panel: `users`, or `share/files/docs`. */
    openAt(address) {
        const [id, ...rest] = address.split('/');
        this.open(id, rest.join('/'));
    },

    mark(id) {
        this.down('smbgwNavigation').mark(id);
    },
});
