/* The wizard: a share, and the gateway that it needs, in a few steps. What is right and wrong the engine says. */

Ext.define('SMBGateway.Wizard', {
    extend: Ext.ClassManager.get('PVE.window.Wizard') ? 'PVE.window.Wizard' : 'SMBGateway.StandaloneWizard',
    cls: 'smbgw-window smbgw-wizard',
    subject: gettext('SMB share'),
    title: gettext('Create SMB share'),
    STEPS: ['smbgwModeStep', 'smbgwStorageStep', 'smbgwShareStep', 'smbgwAccessStep', 'smbgwNetworkStep', 'smbgwReviewStep'],

    initComponent() {
        this.width = Math.min(780, Ext.Element.getViewportWidth());
        this.height = Math.min(600, Ext.Element.getViewportHeight());
        this.items = this.STEPS.map((xtype) => ({ xtype, ...(xtype === 'smbgwReviewStep' && { onSubmit: () => this.make() }) }));
        this.callParent();
        this.down('#submit').setText(gettext('Create'));
        this.down('#wizcontent').on('tabchange', (tabs, card) => card.enter());
        this.addShortCut();
        this.on('show', () => this.learn().catch((problem) => this.giveUp(problem)), this, { single: true });
    },

    /** All that is asked for has a default: the last step can be gone to from any. */
    addShortCut() {
        const next = this.down('#next');
        const bar = next.ownerCt;
        bar.down('proxmoxcheckbox')?.hide(); // "Advanced": nothing here is
        bar.insert(bar.items.indexOf(next), { xtype: 'button', text: gettext('Review'), itemId: 'toReview', handler: () => this.goTo('smbgwReviewStep') });
        this.down('#wizcontent').on('tabchange', (tabs, card) => this.down('#toReview').setVisible(!card.onSubmit && card.xtype !== 'smbgwNetworkStep'));
    },

    step(xtype) {
        return this.down(xtype);
    },

    shareName() {
        return this.down('smbgwShareStep [name=name]').getValue();
    },

    /** What serves it: the gateway that is there, or how a new one is to run. */
    serving() {
        const mode = this.step('smbgwModeStep');
        return { joined: mode.joined(), kind: mode.down('smbgwCards').getValue() };
    },

    async learn() {
        const [choices, { resources: gateways }, { shares }] = await Promise.all([
            SMBGateway.get('/v1/choices?name=SHARE'), SMBGateway.get('/v1/resources?kind=gateway'), SMBGateway.get('/v1/shares'), this.learnPeople(),
        ]);
        const name = this.down('smbgwShareStep [name=name]');
        if (!name.getValue()) {
            name.setValue(SMBGateway.freeName(shares.map((share) => share.name)));
        }
        this.step('smbgwModeStep').learn(choices, gateways);
        this.step('smbgwStorageStep').learn(choices);
        this.step('smbgwShareStep').learn(this.step('smbgwStorageStep'));
        this.step('smbgwNetworkStep').learn(choices);
        this.look();
    },

    async learnPeople() {
        const [users, groups] = await Promise.all([SMBGateway.get('/v1/resources?kind=user'), SMBGateway.get('/v1/resources?kind=group')]);
        this.step('smbgwAccessStep').learn(users.resources, groups.resources);
    },

    giveUp(problem) {
        this.close();
        SMBGateway.showProblem(problem);
    },

    /** What the steps say of themselves has changed: buttons and tabs follow, as after a change of any field. */
    look() {
        const card = this.down('#wizcontent').getActiveTab();
        if (card.onSubmit) {
            this.down('#submit').setDisabled(!card.validator());
            return;
        }
        const field = this.down('hiddenfield');
        field.fireEvent('validitychange', field, true);
    },

    request() {
        // ExtJS sees what was typed a moment later, and would then take the faults away that come back.
        this.query('textfield').forEach((field) => field.checkChange());
        return Object.assign({}, ...this.STEPS.map((xtype) => this.step(xtype).request()));
    },

    goTo(xtype) {
        const tabs = this.down('#wizcontent');
        const at = this.STEPS.indexOf(xtype);
        tabs.items.getRange(0, at).forEach((card) => card.enable());
        tabs.setActiveTab(at);
    },

    /** Faults go to their steps, and the first of these comes to the front. */
    setFaults(problem) {
        if (!problem.faults?.length) {
            SMBGateway.showProblem(problem);
            return;
        }
        const found = new Map(this.STEPS.map((xtype) => [xtype, []]));
        problem.faults.forEach((fault) => found.get(this.ownerOf(fault)).push(fault));
        this.goTo(this.STEPS.find((xtype) => found.get(xtype).length));
        found.forEach((faults, xtype) => this.step(xtype).setFaults(faults));
    },

    /** Before the engine is asked again. */
    forgive() {
        this.STEPS.forEach((xtype) => this.step(xtype).setFaults([]));
    },

    /** The step that a fault is of: share.docs.quota, gateway.docs.mode.memory, source. */
    ownerOf({ field }) {
        const words = field.split('.');
        const inside = (words.length > 2 ? words.slice(2) : words).reverse();
        const word = inside.find((each) => this.STEPS.some((xtype) => this.step(xtype).owns.includes(each)));
        return this.STEPS.find((xtype) => this.step(xtype).owns.includes(word)) ?? 'smbgwShareStep';
    },

    async make() {
        const request = this.request();
        const done = Ext.create('SMBGateway.Done', { title: SMBGateway.say(gettext('Create share {0}'), request.name), request });
        try {
            await done.run(() => SMBGateway.post('/v1/create', request).then((job) => (this.hide(), job)));
            this.close();
        } catch (problem) {
            done.destroyed ? this.setFaults(problem) : done.on('close', () => this.show());
        }
    },
});

/** share, share2, share3: the first that no share has. */
SMBGateway.freeName = (taken) => {
    let name = 'share';
    for (let number = 2; taken.includes(name); number += 1) {
        name = `share${number}`;
    }
    return name;
};

SMBGateway.createShare = () => {
    const wizard = Ext.create('SMBGateway.Wizard');
    wizard.show();
    return wizard;
};
