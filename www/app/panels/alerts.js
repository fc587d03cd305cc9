/* Who is told when a share fills, and what they were told of. */

Ext.define('SMBGateway.Alerts', {
    extend: 'Ext.panel.Panel',
    xtype: 'smbgwAlerts',
    title: gettext('Alerts'),
    border: false,
    layout: { type: 'vbox', align: 'stretch' },
    items: [
        { xtype: 'smbgwReceivers', flex: 1 },
        { xtype: 'smbgwEvents', flex: 1, cls: 'smbgw-list smbgw-second' },
    ],
});

SMBGateway.WAYS = () => ({
    mail: gettext('Mail'),
    webhook: gettext('Webhook'),
    journal: gettext("The system's log"),
    proxmox: gettext('Notifications of Proxmox VE'),
});

Ext.define('SMBGateway.Receivers', {
    extend: 'SMBGateway.ActionList',
    xtype: 'smbgwReceivers',
    ariaLabel: gettext('Receivers'),
    fields: ['name', 'way', 'least', 'enabled', 'waiting', 'error', 'told', 'record'],
    emptyText: gettext('Nobody is told when a share fills.'),

    columns: [
        { text: gettext('Receiver'), dataIndex: 'name', flex: 1, minWidth: 100 },
        { text: gettext('Way'), dataIndex: 'way', flex: 1, minWidth: 100, renderer: (way) => SMBGateway.encode(SMBGateway.WAYS()[way] ?? way) },
        { text: gettext('From level'), dataIndex: 'least', width: 110, wide: true, renderer: (least) => SMBGateway.encode(SMBGateway.LEVELS()[least]) },
        { text: gettext('State'), dataIndex: 'error', flex: 2, cellWrap: true, renderer: (error, cell, row) => SMBGateway.receiverState(row.data) },
    ],

    verbs: [
        { text: gettext('Add receiver'), icon: 'fa-plus', itemId: 'addReceiver', primary: true, run: () => SMBGateway.editReceiver() },
        { text: gettext('Edit'), icon: 'fa-pencil', itemId: 'editReceiver', row: (row) => Boolean(row.get('record')), main: true, run: (row) => SMBGateway.editReceiver(row.get('record')) },
        { text: gettext('Test'), icon: 'fa-paper-plane-o', itemId: 'test', row: true, run: (row, list) => list.test(row.get('name')) },
        {
            text: gettext('Delete'), icon: 'fa-trash-o', itemId: 'deleteReceiver', row: (row) => Boolean(row.get('record')),
            run: (row) => SMBGateway.remove({ kind: 'receiver', name: row.get('name'), text: gettext('It is told no more, also not of what waits.') }),
        },
    ],

    async ask() {
        const [states, records] = await Promise.all([SMBGateway.get('/v1/receivers'), SMBGateway.get('/v1/resources?kind=receiver')]);
        return { states: states.receivers, records: records.resources };
    },

    rows({ states, records }) {
        return states.map((state) => ({ ...state, record: records.find((record) => record.name === state.name) }));
    },

    async test(name) {
        this.setLoading(gettext('telling'));
        const answer = await SMBGateway.post('/v1/receivers/test', { name }).finally(() => this.setLoading(false));
        const { error } = answer.results[0];
        SMBGateway.tell(gettext('Test'), error ? Ext.String.format(gettext('{0} was not told: {1}'), name, error) : Ext.String.format(gettext('{0} was told.'), name));
        this.refresh();
    },
});

SMBGateway.receiverState = ({ enabled, error, waiting, told }) => {
    const { badge, encode } = SMBGateway;
    if (!enabled) {
        return badge('quiet', gettext('off'));
    }
    const waits = waiting ? ` <span class="smbgw-quiet">${Ext.String.format(gettext('{0} waiting'), waiting)}</span>` : '';
    const last = told ? `<span class="smbgw-quiet">${Ext.String.format(gettext('told {0}'), SMBGateway.ago(told))}</span>` : '';
    return error ? `${badge('warning', gettext('not told'))} ${encode(error)}${waits}` : `${badge('ok', gettext('ready'))} ${last}${waits}`;
};

Ext.define('SMBGateway.Events', {
    extend: 'SMBGateway.ActionList',
    xtype: 'smbgwEvents',
    caption: gettext('Recent alerts'),
    ariaLabel: gettext('Recent alerts'),
    path: '/v1/quota/events',
    root: 'events',
    idProperty: 'id',
    sorters: [{ property: 'at', direction: 'DESC' }],
    emptyText: gettext('No alerts yet.'),
    fields: ['id', 'at', 'level', 'subject', 'forecast'],

    columns: [
        { text: gettext('When'), dataIndex: 'at', width: 150, renderer: SMBGateway.moment },
        { text: gettext('Level'), dataIndex: 'level', width: 110, renderer: (level) => SMBGateway.badge(level, SMBGateway.LEVELS()[level]) },
        { text: gettext('What was told'), dataIndex: 'subject', flex: 3, cellWrap: true },
        { text: gettext('Forecast'), dataIndex: 'forecast', flex: 2, cellWrap: true, wide: true },
    ],

    rows({ events }) {
        return events.map((event, id) => ({ id, ...event }));
    },
});

/** Add a receiver, or change one. What it needs goes by the way. */
SMBGateway.editReceiver = (record) => {
    const way = record?.way ?? { kind: 'mail' };
    const shown = (form, kind) => form.query('[only]').forEach((field) => field.setVisible(field.only === kind).setDisabled(field.only !== kind));
    const field = (only, name, label, more = {}) => ({ xtype: 'textfield', only, name, fieldLabel: label, value: way[name], hidden: way.kind !== only, disabled: way.kind !== only, ...more });
    const pairs = (texts) => Object.entries(texts);
    const secret = record?.password_set ? gettext('kept as it is where this is empty') : '';
    SMBGateway.form({
        title: record ? Ext.String.format(gettext('Receiver {0}'), record.name) : gettext('Add receiver'),
        fields: [
            SMBGateway.nameField(gettext('Name'), record),
            {
                xtype: 'combobox', name: 'kind', fieldLabel: gettext('Way'), editable: false, value: way.kind, readOnly: Boolean(record),
                store: pairs(SMBGateway.WAYS()).filter(([kind]) => kind !== 'proxmox' || SMBGateway.host.inProxmox || way.kind === kind),
                listeners: { change: (box, kind) => shown(box.up('form'), kind) },
            },
            field('mail', 'to', gettext('To'), { value: way.to?.join(', '), allowBlank: false, emptyText: 'admin@example.org' }),
            field('mail', 'server', gettext('Mail server'), { emptyText: gettext("the machine's own (sendmail)") }),
            field('mail', 'login', gettext('Login at the server')),
            field('mail', 'password', gettext('Password at the server'), { inputType: 'password', value: '', emptyText: secret }),
            field('webhook', 'url', gettext('Address'), { allowBlank: false, emptyText: 'https://example.org/hook' }),
            field('webhook', 'password', gettext('Secret, where one is wanted'), { inputType: 'password', value: '', emptyText: secret }),
            { xtype: 'combobox', name: 'least', fieldLabel: gettext('From level'), editable: false, value: record?.least ?? 'notice', store: pairs(SMBGateway.LEVELS()).filter(([level]) => level !== 'ok') },
            { xtype: 'checkboxfield', name: 'enabled', boxLabel: gettext('Is told'), checked: record?.enabled ?? true, uncheckedValue: false },
        ],
        save: (values) => SMBGateway.apply(record ? gettext('Change receiver') : gettext('Add receiver'), SMBGateway.receiver(values, record)),
    });
};

/** What was typed, as a resource. */
SMBGateway.receiver = ({ name, kind, to, server, login, url, password, least, enabled }, record) => {
    const ways = { mail: { to: (to ?? '').split(/[\s,;]+/).filter(Boolean), server: server ?? '', login: login ?? '' }, webhook: { url } };
    const way = { ...(record?.way ?? {}), kind, ...(ways[kind] ?? {}) };
    return { ...(record ?? {}), kind: 'receiver', name, way, least, enabled, ...(password ? { password } : {}) };
};

SMBGateway.register({ id: 'alerts', text: gettext('Alerts'), icon: 'fa-bell-o', order: 40, xtype: 'smbgwAlerts' });
