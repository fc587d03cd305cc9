/* Step 2: where the data lies. Places that the node really has, or a path. */

Ext.define('SMBGateway.StorageStep', {
    extend: 'SMBGateway.Step',
    xtype: 'smbgwStorageStep',
    title: gettext('Storage'),
    owns: ['source', 'path'],

    ICONS: { zfs: 'fa-database', btrfs: 'fa-leaf', xfs: 'fa-hdd-o', image: 'fa-file-archive-o', cephfs: 'fa-cloud', rbd: 'fa-cubes', storage: 'fa-database' },

    initComponent() {
        this.items = [
            { xtype: 'smbgwCards', name: 'place', label: gettext('Where the data lies') },
            {
                xtype: 'textfield', name: 'source', fieldLabel: gettext('Place'), margin: '10 0 0 0', hidden: true,
                emptyText: 'zfs:tank/docs', listeners: { change: (field) => (field.typed = !this.filling) },
            },
        ];
        this.callParent();
        this.down('[name=place]').on('change', () => {
            this.sourceField().typed = false; // it was of the former place
            this.chosen();
        });
    },

    /** Where a place is typed. ExtJS sees what was typed a moment later: whoever asks, sees it now. */
    sourceField() {
        const field = this.down('[name=source]');
        field.checkChange();
        return field;
    },

    /** Places are named for a share; `SHARE` stands for its name. */
    learn({ places, roots }) {
        const root = roots[roots.length - 1];
        const named = ({ source, free, where, modes }) => ({
            modes, value: source, icon: this.ICONS[source.split(':')[0]] ?? 'fa-hdd-o', title: where, free,
            text: SMBGateway.fill(gettext('{0} free'), SMBGateway.size(free)),
        });
        this.free = new Map(places.map(({ source, free }) => [source, free]));
        const own = [
            {
                value: `image:${root.path}/SHARE.img`, icon: this.ICONS.image, title: SMBGateway.fill(gettext('An image file below {0}'), root.path),
                text: SMBGateway.fill(gettext('{0} free on that disk, which others use too; space for the quota is taken at once'), SMBGateway.size(root.free)),
            },
            {
                modes: ['native', 'lxc'], value: `directory:${root.path}/SHARE`, icon: 'fa-folder-o', title: SMBGateway.fill(gettext('A directory below {0}'), root.path),
                text: gettext('New, or one that is there with all that is in it; no quota'),
            },
            { value: 'other', icon: 'fa-pencil', title: gettext('Another place'), text: gettext('Written as KIND:PLACE') },
        ];
        this.free.set(own[0].value, root.free);
        this.cards = [...places.map(named), ...own];
        this.offer();
        this.chosen();
    },

    /** A place that is not for gateways of the mode chosen says so. */
    offer() {
        const { joined, kind } = this.wizard()?.serving() ?? {};
        const mode = joined?.mode.kind ?? kind;
        const refusal = ({ modes }) => (modes && mode && !modes.includes(mode) ? SMBGateway.fill(gettext('Not for mode {0}'), mode) : '');
        this.down('smbgwCards').setCards(this.cards.map((card) => ({ ...card, refusal: refusal(card) })));
    },

    chosen() {
        const place = this.down('smbgwCards').getValue();
        const field = this.sourceField();
        field.setVisible(place === 'other' || place.startsWith('directory:'));
        if (place !== 'other') {
            this.filling = true;
            field.setValue(this.source());
            this.filling = false;
        }
    },

    enter() {
        this.offer();
        if (!this.sourceField().typed) {
            this.chosen();
        }
    },

    /** The place chosen, for the share as it is named now. */
    source() {
        const place = this.down('smbgwCards').getValue();
        const field = this.sourceField();
        return place === 'other' || field.typed ? field.getValue() : place.replace('SHARE', this.wizard()?.shareName() ?? 'SHARE');
    },

    /** Bytes that are free there; undefined where nobody knows. */
    freeThere() {
        return this.free?.get(this.down('smbgwCards').getValue());
    },

    hasQuota() {
        return !this.source().startsWith('directory:');
    },

    validator() {
        return Boolean(this.source());
    },

    request() {
        return { source: this.source() };
    },
});
