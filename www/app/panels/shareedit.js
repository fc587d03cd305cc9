/* How a share is set, to be changed: limits, who may what, snapshots, when it is told of. */

SMBGateway.editShare = async (share) => {
    const [users, groups] = await Promise.all(['user', 'group'].map((kind) => SMBGateway.get(`/v1/resources?kind=${kind}`)));
    const names = [...users.resources.map(({ name }) => name), ...groups.resources.map(({ name }) => `@${name}`)];
    const number = (name, label, value, more = {}) => ({ xtype: 'numberfield', name, fieldLabel: label, labelAlign: 'top', labelSeparator: '', value, flex: 1, minValue: 0, allowDecimals: false, hideTrigger: true, msgTarget: 'under', ...more });
    const row = (title, items) => ({ xtype: 'fieldcontainer', fieldLabel: title, layout: 'hbox', items: items.map((item, at) => ({ ...item, margin: at ? '0 0 0 8' : 0 })) });
    const size = (name, label, value) => ({ xtype: 'textfield', name, fieldLabel: label, value: value === null ? '' : SMBGateway.asSize(value), emptyText: gettext('none'), validator: SMBGateway.isSize });
    const { snapshots, levels } = share;
    const percent = { maxValue: 100, minValue: 1 };
    SMBGateway.form({
        title: Ext.String.format(gettext('Edit {0}'), share.name),
        width: 520,
        fields: [
            size('quota', gettext('Quota, such as 10G'), share.quota),
            size('user_quota', gettext('Quota of each user'), share.user_quota),
            { xtype: 'smbgwAccess', name: 'access', fieldLabel: gettext('Who may open it'), names, value: share.access },
            row(gettext('Snapshots that are kept'), [
                number('hourly', gettext('hourly'), snapshots.hourly), number('daily', gettext('daily'), snapshots.daily),
                number('weekly', gettext('weekly'), snapshots.weekly), number('monthly', gettext('monthly'), snapshots.monthly),
            ]),
            row(gettext('Alerts at so many percent, or so many days before it is full'), [
                number('notice', gettext('filling'), levels.notice, percent), number('warning', gettext('nearly full'), levels.warning, percent),
                number('critical', gettext('full'), levels.critical, percent), number('fills_within', gettext('days'), levels.fills_within, { maxValue: 365 }),
            ]),
            { xtype: 'textfield', name: 'comment', fieldLabel: gettext('Comment'), value: share.comment },
            { xtype: 'checkboxfield', name: 'encryption', boxLabel: gettext('Clients must encrypt'), checked: share.encryption === 'required', uncheckedValue: false },
            { xtype: 'checkboxfield', name: 'hidden', boxLabel: gettext('Not seen in lists'), checked: share.hidden, uncheckedValue: false },
        ],
        save: (values) => SMBGateway.apply(SMBGateway.say(gettext('Change {0}'), share.name), SMBGateway.changedShare(share, values)),
    });
};

SMBGateway.isSize = (value) => !value || SMBGateway.bytes(value) !== null || gettext('a number with K, M, G or T, such as 10G');

/** A share with what was typed. */
SMBGateway.changedShare = (share, values) => {
    const { quota, user_quota, access, comment, hidden, encryption, hourly, daily, weekly, monthly, ...levels } = values;
    const { notice, warning, critical, fills_within } = levels;
    return {
        ...share, access, comment, hidden: Boolean(hidden), encryption: encryption ? 'required' : 'default',
        // What was not touched keeps its bytes.
        quota: SMBGateway.sameSize(quota, share.quota), user_quota: SMBGateway.sameSize(user_quota, share.user_quota),
        snapshots: { hourly: hourly ?? 0, daily: daily ?? 0, weekly: weekly ?? 0, monthly: monthly ?? 0 },
        levels: { notice, warning, critical, fills_within: fills_within ?? 0 },
    };
};

SMBGateway.sameSize = (text, before) => (before !== null && text === SMBGateway.asSize(before) ? before : text || null);

/** Who may read or write: a line for each, value {'alice': 'write', '@office': 'read'}. */
Ext.define('SMBGateway.Access', {
    extend: 'Ext.form.FieldContainer',
    xtype: 'smbgwAccess',
    mixins: { field: 'Ext.form.field.Field' },
    layout: { type: 'vbox', align: 'stretch' },
    names: [],

    initComponent() {
        const free = gettext('Add a user or group');
        this.items = [
            { xtype: 'container', itemId: 'lines', layout: { type: 'vbox', align: 'stretch' } },
            {
                xtype: 'combobox', itemId: 'add', emptyText: free, ariaLabel: free, store: [], queryMode: 'local', forceSelection: true, submitValue: false, excludeForm: true,
                listConfig: { itemTpl: '{field1:htmlEncode}' },
                listeners: { scope: this, select: 'take', click: { element: 'inputEl', fn: () => this.down('#add').expand() } },
            },
        ];
        this.rights = { ...this.value };
        this.callParent();
        this.initField();
        this.drawLines();
    },

    take(box, record) {
        const [name] = Ext.Array.from(record).map((each) => each.get('field1'));
        box.setValue(null);
        this.rights = { ...this.rights, [name]: 'write' };
        this.drawLines();
    },

    drawLines() {
        const lines = this.down('#lines');
        lines.removeAll();
        lines.add(Object.entries(this.rights).map(([name, right]) => this.line(name, right)));
        const free = this.names.filter((name) => !(name in this.rights));
        this.down('#add').bindStore(Ext.create('Ext.data.ArrayStore', { fields: ['field1', 'field2'], data: free.map((name) => [name, name]), autoDestroy: true }));
        Object.assign(this.down('#add'), { displayField: 'field1', valueField: 'field1' });
    },

    line(name, right) {
        return {
            xtype: 'container', layout: { type: 'hbox', align: 'middle' }, margin: '0 0 6',
            items: [
                { xtype: 'component', flex: 1, cls: 'smbgw-name', html: SMBGateway.encode(name) },
                {
                    xtype: 'combobox', width: 110, editable: false, value: right, ariaLabel: name, submitValue: false, excludeForm: true,
                    store: [['read', gettext('reads')], ['write', gettext('writes')]],
                    listeners: { change: (box, value) => { this.rights = { ...this.rights, [name]: value }; } },
                },
                { xtype: 'button', iconCls: 'fa fa-times', margin: '0 0 0 6', ariaLabel: Ext.String.format(gettext('Remove {0}'), name), handler: () => this.drop(name) },
            ],
        };
    },

    drop(name) {
        const { [name]: gone, ...rest } = this.rights;
        this.rights = rest;
        this.drawLines();
    },

    getValue() {
        return this.rights;
    },

    setValue(rights) {
        this.rights = { ...rights };
        if (this.rendered) {
            this.drawLines();
        }
    },

    isValid: () => true,

    markInvalid(words) {
        this.setActiveErrors(Ext.Array.from(words));
    },

    clearInvalid() {
        this.unsetActiveError();
    },
});
