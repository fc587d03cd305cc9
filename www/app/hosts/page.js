/* The page around the workspace, where Proxmox VE is not: its head, who is signed in, light and dark. */

Ext.define('SMBGateway.Page', {
    extend: 'Ext.container.Viewport',
    cls: 'smbgw-page',
    layout: 'card',

    initComponent() {
        this.callParent();
        SMBGateway.news.on({ scope: this, stranger: 'askWho', lost: () => this.setLost(true), found: () => this.setLost(false) });
        window.addEventListener('hashchange', () => this.follow());
        this.begin();
    },

    begin() {
        SMBGateway.host.ask().then(() => this.enter(), (problem) => problem.isAway && SMBGateway.news.on('found', () => this.enter(), this, { single: true }));
    },

    /** The way in; what was open before is forgotten with who had it open. */
    askWho() {
        if (!this.down('smbgwSignIn')) {
            Ext.WindowManager.each((each) => each.isWindow && each.destroy());
            this.removeAll();
            this.add({ xtype: 'smbgwSignIn', listeners: { signedin: () => this.enter() } });
        }
    },

    async enter() {
        const { node } = await SMBGateway.get('/v1/version').catch(() => ({ node: '' }));
        const workspace = { xtype: 'smbgwWorkspace', flex: 1, start: this.address(), listeners: { opened: (each, at) => this.setAddress(at) } };
        this.removeAll();
        this.add({ xtype: 'container', layout: { type: 'vbox', align: 'stretch' }, items: [this.head(node), this.lostLine(), workspace] });
        document.title = node ? `${node} – ${gettext('SMB Gateway')}` : gettext('SMB Gateway');
    },

    head(node) {
        const { session } = SMBGateway.host;
        const themes = [['auto', gettext('As the system')], ['light', gettext('Light')], ['dark', gettext('Dark')]];
        const choose = ([theme, text]) => ({
            text, group: 'theme', checked: SMBGateway.theme.chosen === theme, checkHandler: (item, on) => on && SMBGateway.theme.choose(theme),
        });
        return {
            xtype: 'toolbar', cls: 'smbgw-head', height: 48, padding: '0 12',
            items: [
                { xtype: 'component', cls: 'smbgw-brand', html: `<img src="icon.svg" alt=""><span>${gettext('SMB Gateway')}</span><em>${SMBGateway.encode(node)}</em>` },
                '->',
                {
                    text: SMBGateway.encode(session.name), iconCls: 'fa fa-user-circle', itemId: 'who',
                    menu: [
                        { xtype: 'component', cls: 'smbgw-role', html: SMBGateway.host.mayChange ? gettext('May change all') : gettext('May look, and change nothing') },
                        { text: gettext('Appearance'), iconCls: 'fa fa-adjust', menu: themes.map(choose) },
                        { text: gettext('Sign out'), iconCls: 'fa fa-sign-out', itemId: 'signOut', handler: () => SMBGateway.host.signOut().catch(SMBGateway.showProblem) },
                    ],
                },
            ],
        };
    },

    lostLine() {
        const text = gettext('The engine does not answer. Shares go on being served; this page goes on when it is back.');
        return { xtype: 'component', itemId: 'lost', cls: 'smbgw-lost', hidden: !SMBGateway.host.lost, html: text, ariaRole: 'alert' };
    },

    setLost(lost) {
        this.down('#lost')?.setVisible(lost);
    },

    setAddress(at) {
        if (this.address() !== at) {
            history.pushState(null, '', `#${encodeURI(at)}`);
        }
    },

    address() {
        return decodeURI(location.hash.slice(1));
    },

    /** Back, forward, or an address typed. */
    follow() {
        const workspace = this.down('smbgwWorkspace');
        if (workspace && this.address()) {
            workspace.openAt(this.address());
        }
    },
});
