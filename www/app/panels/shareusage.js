/* How full a share is: now, over time, and when it will be full; and who fills it. */

Ext.define('SMBGateway.ShareUsage', {
    extend: 'Ext.panel.Panel',
    xtype: 'smbgwShareUsage',
    mixins: ['SMBGateway.Live'],
    border: false,
    cls: 'smbgw-usage',
    scrollable: 'y',
    layout: { type: 'vbox', align: 'stretch' },
    every: 15000,
    span: 'day',
    SPANS: () => [['day', gettext('24 hours')], ['week', gettext('7 days')], ['month', gettext('30 days')]],
    SECONDS: { day: 86400, week: 7 * 86400, month: 30 * 86400 },

    initComponent() {
        const spans = this.SPANS().map(([span, text]) => ({ text, span, pressed: span === this.span }));
        this.items = [
            { xtype: 'component', itemId: 'now', cls: 'smbgw-now-used' },
            { xtype: 'container', layout: 'hbox', margin: '0 20 6', items: [{ xtype: 'segmentedbutton', itemId: 'spans', items: spans, listeners: { toggle: (group, button, on) => on && this.choose(button.span) } }] },
            { xtype: 'smbgwChart', height: 260, margin: '0 8' },
            { xtype: 'component', itemId: 'users', cls: 'smbgw-users' },
        ];
        this.callParent();
        this.down('#spans').on('render', (group) => group.getEl().dom.setAttribute('aria-label', gettext('Span of time')));
    },

    choose(span) {
        this.span = span;
        this.refresh();
    },

    async ask() {
        const share = encodeURIComponent(this.key);
        const { span } = this;
        const [now, history] = await Promise.all([
            SMBGateway.get(`/v1/quota/show?share=${share}`),
            SMBGateway.get(`/v1/quota/history?share=${share}&span=${span}`),
        ]);
        return { now, history, span };
    },

    showTrouble(problem) {
        if (!problem.isAway) {
            this.down('#now').setHtml(`<p class="smbgw-quiet">${SMBGateway.encode(problem.message)}</p>`);
        }
    },

    showAnswer({ now, history, span }) {
        const to = Date.now() / 1000;
        const from = to - this.SECONDS[span];
        const seen = history.points.filter((point) => point.at >= from);
        const points = [...seen, ...(now.used === null ? [] : [{ at: to, used: now.used, limit: now.limit, low: now.used, high: now.used }])];
        this.down('#now').setHtml(this.words(now));
        this.down('smbgwChart').show_({ points, from, to, ahead: SMBGateway.ahead(now, to, this.SECONDS[span] / 3) });
        this.down('#users').setHtml(this.users(now));
        if (span !== this.span) {
            this.refresh();
        }
    },

    words(now) {
        const { encode, size } = SMBGateway;
        const change = now.change_24h === null ? '' : Ext.String.format(now.change_24h < 0 ? gettext('{0} less than a day ago') : gettext('{0} more than a day ago'), size(Math.abs(now.change_24h)));
        const notes = [now.unknown, change, now.forecast].filter(Boolean).map((text) => `<li>${encode(text)}</li>`);
        const used = now.used === null ? gettext('not known') : `${size(now.used)}${now.limit ? `<small>${Ext.String.format(gettext('of {0}, {1} %'), size(now.limit), Math.round(now.percent))}</small>` : ''}`;
        return `<p class="smbgw-figure">${used}${now.level === 'ok' ? '' : SMBGateway.badge(now.level, SMBGateway.LEVELS()[now.level])}</p>${now.limit && now.used !== null ? SMBGateway.meter(now.percent, '', now.level) : ''}<ul>${notes.join('')}</ul>`;
    },

    users({ users = [] }) {
        if (!users.length) {
            return '';
        }
        const row = ({ name, used, limit }) =>
            `<li><span>${SMBGateway.encode(name)}</span>${limit ? SMBGateway.meter((100 * used) / limit, SMBGateway.sizes(used, limit)) : `<span>${SMBGateway.size(used)}</span>`}</li>`;
        const sorted = [...users].sort((one, other) => other.used - one.used);
        return `<h2>${gettext('Users')}</h2><ul class="smbgw-fullest">${sorted.map(row).join('')}</ul>`;
    },
});

SMBGateway.LEVELS = () => ({ ok: gettext('ok'), notice: gettext('filling'), warning: gettext('nearly full'), critical: gettext('full') });

/** What may come: lines from now to where the limit is reached, soonest, as expected, latest; empty without a forecast. */
SMBGateway.ahead = ({ used, limit, rate, full_in: expected, full_earliest: soonest, full_latest: latest }, now, seconds) => {
    if (used === null || !limit || !rate || expected === null) {
        return [];
    }
    const days = seconds / 86400;
    const start = { at: now, low: used, mid: used, high: used };
    const steps = Array.from({ length: 24 }, (_, index) => ((index + 1) * days) / 24);
    const reach = (until, day) => (until === null || until === undefined ? used : used + Math.min(1, day / Math.max(until, 0.001)) * (limit - used));
    return [start, ...steps.map((day) => ({ at: now + day * 86400, low: reach(latest, day), mid: reach(expected, day), high: reach(soonest ?? expected, day) }))];
};
