/* Step 3: the share itself. */

Ext.define('SMBGateway.ShareStep', {
    extend: 'SMBGateway.Step',
    xtype: 'smbgwShareStep',
    title: gettext('Share'),
    owns: ['name', 'comment', 'purpose', 'quota', 'snapshots', 'storage'],

    PURPOSES: [
        ['general', gettext('Office files')],
        ['timemachine', gettext('Backups of Macs (Time Machine)')],
        ['media', gettext('Large files: media, Macs, players')],
        ['archive', gettext('Archive: a file can be written once')],
        ['homes', gettext('Homes: a directory for each user')],
    ],
    SCHEDULES: [
        ['', gettext('none')],
        ['{"daily":7}', gettext('one a day, for a week')],
        ['{"hourly":24,"daily":7,"weekly":4}', gettext('one an hour for a day, then one a day and a week')],
    ],
    STEPS: 40,

    initComponent() {
        const choice = (name, fieldLabel, data) => ({
            xtype: 'combobox', name, fieldLabel, editable: false, queryMode: 'local', valueField: 'value', displayField: 'text',
            value: data[0][0], store: { type: 'array', fields: ['value', 'text'], data },
        });
        this.items = [
            { xtype: 'textfield', name: 'name', fieldLabel: gettext('Name'), allowBlank: false, maxLength: 80 },
            choice('purpose', gettext('For'), this.PURPOSES),
            {
                xtype: 'fieldcontainer', itemId: 'limit', fieldLabel: gettext('Quota'), layout: 'hbox', labelWidth: 130,
                items: [
                    {
                        xtype: 'textfield', name: 'quota', width: 110, ariaLabel: gettext('Quota'), msgTarget: 'under', emptyText: gettext('none'),
                        validator: (text) => !text || SMBGateway.bytes(text) > 0 || gettext('a size, such as 10G'),
                    },
                    { xtype: 'slider', itemId: 'slider', flex: 1, margin: '6 0 0 14', minValue: 0, maxValue: this.STEPS, useTips: false, ariaLabel: gettext('Quota') },
                ],
            },
            { xtype: 'component', itemId: 'room', cls: 'smbgw-quiet', margin: '-4 0 10 135' },
            choice('snapshots', gettext('Snapshots'), this.SCHEDULES),
            { xtype: 'textfield', name: 'comment', fieldLabel: gettext('Comment'), maxLength: 256 },
            {
                xtype: 'checkbox', name: 'storage', fieldLabel: gettext('Show as storage'), hidden: !SMBGateway.host.inProxmox, checked: SMBGateway.host.inProxmox,
                boxLabel: gettext('Proxmox VE shows how full it is, and keeps that for years'),
            },
        ];
        this.callParent();
        const slider = this.down('#slider');
        slider.on('change', (each, value) => slider.dragged !== false && this.down('[name=quota]').setValue(this.sizeAt(value)));
        slider.on({ change: this.sayValue, afterrender: this.sayValue });
        this.down('[name=quota]').on('change', () => this.showRoom());
    },

    /** For those who hear it: ExtJS 6.2 tells no value of a slider. */
    sayValue(slider) {
        slider.inputEl?.set({ 'aria-valuenow': slider.getValue(), 'aria-valuemin': 0, 'aria-valuemax': slider.maxValue });
    },

    /** Sizes grow by steps that people can tell apart: each the 40th part of the way from 1 GiB to all that is free. */
    sizeAt(step) {
        const most = Math.max(2 ** 31, this.free ?? 2 ** 40);
        const size = 2 ** 30 * (most / 2 ** 30) ** (step / this.STEPS);
        const unit = size >= 2 ** 40 ? 2 ** 40 : 2 ** 30;
        const rounded = size / unit >= 10 ? Math.floor(size / unit) * unit : Math.floor((size / unit) * 10) / 10 * unit;
        return step ? SMBGateway.size(Math.min(rounded, most)).replace(' ', '').replace('iB', '') : '';
    },

    learn(storage) {
        const known = this.free !== undefined;
        this.free = storage.freeThere();
        const has = storage.hasQuota();
        this.down('#limit').setVisible(has);
        this.down('#room').setVisible(has && this.free !== undefined);
        if (has && !known && !this.down('[name=quota]').getValue()) {
            this.down('[name=quota]').setValue(this.free > 40 * 2 ** 30 ? '10G' : this.sizeAt(20));
        }
        this.showRoom();
    },

    showRoom() {
        const wanted = SMBGateway.bytes(this.down('[name=quota]').getValue());
        const free = this.free ?? 0;
        const part = wanted && free ? Math.round((wanted / free) * 100) : 0;
        const text = part > 100 ? gettext('{0} free there: the quota is more than that') : gettext('{0} free there; the quota takes {1} % of it');
        this.down('#room').setHtml(wanted ? SMBGateway.say(text, SMBGateway.size(free), part) : SMBGateway.say(gettext('{0} free there'), SMBGateway.size(free)));
        const slider = this.down('#slider');
        slider.dragged = false;
        const most = Math.max(2, free / 2 ** 30);
        slider.setValue(wanted ? Math.min(this.STEPS, Math.max(0, Math.round((Math.log(wanted / 2 ** 30) / Math.log(most)) * this.STEPS))) : 0, false);
        delete slider.dragged;
    },

    enter() {
        this.learn(this.wizard().step('smbgwStorageStep'));
    },

    request() {
        const value = (name) => this.down(`[name=${name}]`).getValue();
        const quota = this.wizard().step('smbgwStorageStep').hasQuota() && value('quota').trim();
        return {
            name: value('name'),
            ...(value('purpose') !== 'general' && { purpose: value('purpose') }),
            ...(quota && { quota: SMBGateway.asSize(SMBGateway.bytes(quota)) }),
            ...(value('snapshots') && { snapshots: JSON.parse(value('snapshots')) }),
            ...(value('comment') && { comment: value('comment') }),
            ...(value('storage') && { storage: true }),
        };
    },
});
