/* What there is to see. A panel adds itself:

   SMBGateway.register({
       id: 'users',              part of the address: #users, or #share/files/docs
       text: gettext('Users'),   in the navigation; left out: a detail, opened by SMBGateway.open('share', 'files/docs')
       icon: 'fa-users',         of Font Awesome 4.7, which Proxmox VE has too
       order: 30,
       xtype: 'smbgwUsers',      made when it is first seen; a detail is given `key`
       title: (key) => key,      of a detail
       under: 'shares',          of a detail: the entry of the navigation that it belongs to
   }); */

SMBGateway.panels = new Map();

SMBGateway.register = (panel) => {
    SMBGateway.panels.set(panel.id, { order: 50, ...panel });
};

/** The entries of the navigation, in their order. */
SMBGateway.navigation = () =>
    [...SMBGateway.panels.values()].filter((panel) => panel.text).sort((one, other) => one.order - other.order);

/** Show a panel in the workspace that is on the screen. */
SMBGateway.open = (id, key = '') => {
    const shown = Ext.ComponentQuery.query('smbgwWorkspace').filter((each) => each.isVisible(true));
    shown[0]?.open(id, key);
};
