/* A card of the wizard: what is wrong with it on top, then its fields. Inside Proxmox VE too it is a plain panel. */

Ext.define('SMBGateway.Step', {
    extend: 'Ext.panel.Panel',
    xtype: 'smbgwStep',
    border: false,
    bodyPadding: '14 18',
    scrollable: 'y',
    layout: { type: 'vbox', align: 'stretch' },
    defaults: { labelWidth: 130, msgTarget: 'under' },
    cls: 'smbgw-step',
    /** Words of a fault's field that are of this step. */
    owns: [],

    initComponent() {
        this.items = [{ xtype: 'component', itemId: 'faults', cls: 'smbgw-faults', hidden: true, autoEl: { tag: 'div', role: 'alert' } }, ...this.items];
        this.callParent();
        this.query('field').forEach((field) => this.hold(field));
    },

    wizard() {
        return this.up('window');
    },

    /** Called whenever it comes to the front. */
    enter: Ext.emptyFn,

    /** What it adds to the request. */
    request: () => ({}),

    /** What the engine found wrong with a field stays, whoever checks it, until it is changed. */
    hold(field) {
        const own = field.getErrors;
        // Without a value ExtJS means that of now: nothing given is not the same as `undefined`.
        field.getErrors = (...given) => [...own.apply(field, given), ...(field.fault ? [field.fault] : [])];
        field.on('change', () => (field.fault = ''));
    },

    /** Faults that the engine found: at their fields where there are such, else on top. */
    setFaults(faults) {
        const rest = [];
        this.query('field').forEach((field) => (field.fault = ''));
        for (const fault of faults) {
            const text = fault.message + (fault.hint ? ` (${fault.hint})` : '');
            const field = this.fieldOf(fault);
            if (field?.isVisible()) {
                field.fault = SMBGateway.encode(text);
            } else {
                rest.push(text);
            }
        }
        this.query('field').forEach((field) => field.validate());
        const line = this.down('#faults');
        line.setHtml(rest.map((text) => `<div>${SMBGateway.encode(text)}</div>`).join(''));
        line.setVisible(rest.length > 0);
        this.tab?.toggleCls?.('smbgw-faulty', faults.length > 0);
    },

    fieldOf({ field }) {
        const words = field.split('.').reverse();
        return words.map((word) => this.down(`field[name=${/^\w+$/.test(word) ? word : '-'}]`)).find(Boolean);
    },
});
