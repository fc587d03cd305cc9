/* Where are we? */

if (window.PVE?.Utils) {
    SMBGateway.joinProxmox();
} else {
    SMBGateway.encodeCells();
    Ext.onReady(() => {
        Ext.tip.QuickTipManager.init();
        document.documentElement.lang = LANGUAGE;
        SMBGateway.theme.begin();
        SMBGateway.host = new SMBGateway.Standalone();
        SMBGateway.page = Ext.create('SMBGateway.Page');
    });
}
