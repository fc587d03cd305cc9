/* Plain ExtJS shows what is in a cell as HTML; names of shares and users are typed by anybody. Proxmox VE's toolkit has
   such an override of its own. (Action columns have no getTip here: on ExtJS 6.2 it runs what it is given, CVE-2018-8046.) */

SMBGateway.encodeCells = () => {
    Ext.define('SMBGateway.EncodedColumn', { override: 'Ext.grid.column.Column', renderer: Ext.htmlEncode });
    Ext.define('SMBGateway.EncodedBoundList', {
        override: 'Ext.view.BoundList',
        getInnerTpl: (field) => `{${field}:htmlEncode}`,
    });
    // These make their cells themselves.
    for (const name of ['Boolean', 'Check', 'Number', 'Date', 'Action', 'RowNumberer', 'Widget']) {
        Ext.define(`SMBGateway.Own${name}Column`, { override: `Ext.grid.column.${name}`, renderer: undefined });
    }
};
