/* Is all well? Where not, what to look at; then the gateways, and the shares that are fullest. */

Ext.define('SMBGateway.Overview', {
    extend: 'Ext.Component',
    xtype: 'smbgwOverview',
    mixins: ['SMBGateway.Live'],
    cls: 'smbgw-sheet',
    scrollable: 'y',
    every: 10000,
    /** Shares in short; the rest is one click away. */
    MOST: 10,

    async ask() {
        const paths = ['/v1/status', '/v1/quota', '/v1/receivers'];
        const [status, quota, receivers] = await Promise.all(paths.map(SMBGateway.get));
        return { status, quota, receivers: receivers.receivers };
    },

    showTrouble(problem) {
        if (!problem.isAway) {
            this.setHtml(problem.html);
        }
    },

    showAnswer({ status, quota, receivers }) {
        const { encode } = SMBGateway;
        const { shares } = quota;
        const troubles = SMBGateway.troubles(status, quota, receivers);
        const section = (id, title, html, more = '') =>
            `<section aria-labelledby="${this.id}-${id}"><header><h2 id="${this.id}-${id}">${encode(title)}</h2>${more}</header>${html}</section>`;
        const all = shares.length > this.MOST ? SMBGateway.link(Ext.String.format(gettext('all {0}'), shares.length), 'shares') : '';
        this.setHtml(
            `<div class="smbgw-overview">${this.attention(troubles)}` +
                section('gateways', gettext('Gateways'), this.gateways(status.gateways)) +
                section('shares', gettext('Fullest shares'), this.shares(shares), all) +
                '</div>',
        );
    },

    attention(troubles) {
        const calm = `<p class="smbgw-calm"><i class="fa fa-check-circle" aria-hidden="true"></i>${gettext('All is well.')}</p>`;
        const row = ({ level, words, hint, link }) =>
            `<li class="smbgw-is-${level}"><i class="fa fa-fw ${level === 'notice' ? 'fa-info-circle' : 'fa-exclamation-triangle'}" aria-hidden="true"></i>` +
            `<span>${link ? SMBGateway.link(words, ...link) : SMBGateway.encode(words)}${hint ? `<small>${SMBGateway.encode(hint)}</small>` : ''}</span></li>`;
        const list = `<ul class="smbgw-attention">${troubles.map(row).join('')}</ul>`;
        return `<section aria-label="${gettext('Attention')}" role="status">${troubles.length ? list : calm}</section>`;
    },

    gateways(gateways) {
        const { encode } = SMBGateway;
        const state = ({ running }) =>
            running === null ? SMBGateway.badge('quiet', gettext('elsewhere')) : running ? SMBGateway.badge('ok', gettext('running')) : SMBGateway.badge('critical', gettext('down'));
        const card = (gateway) =>
            `<li class="smbgw-tile"><div><b>${SMBGateway.link(gateway.name, 'gateway', gateway.name)}</b>${state(gateway)}</div>` +
            `<small>${encode([gateway.mode, gateway.node].filter(Boolean).join(' · '))}</small>` +
            `<small>${encode(gateway.address === 'all' ? gettext('all addresses of the node') : gateway.address)}</small>` +
            `<small>${encode(gateway.shares === 1 ? gettext('1 share') : Ext.String.format(gettext('{0} shares'), gateway.shares))}</small></li>`;
        return gateways.length ? `<ul class="smbgw-tiles">${gateways.map(card).join('')}</ul>` : `<p class="smbgw-empty">${gettext('No gateways yet. The first share makes one.')}</p>`;
    },

    shares(shares) {
        const fullest = [...shares].sort((one, other) => (other.percent ?? -1) - (one.percent ?? -1)).slice(0, this.MOST);
        const row = (share) =>
            `<li><b>${SMBGateway.link(share.name, 'share', share.key)}<small>${SMBGateway.encode(share.gateway)}</small></b>` +
            `${SMBGateway.usage(share)}<small>${SMBGateway.encode(share.unknown || share.forecast)}</small></li>`;
        return shares.length ? `<ul class="smbgw-fullest">${fullest.map(row).join('')}</ul>` : `<p class="smbgw-empty">${gettext('No shares yet.')}</p>`;
    },
});

/** How full a share is: a bar where it has a limit. HTML. */
SMBGateway.usage = ({ used, limit, percent, level }) => {
    if (used === null || used === undefined) {
        return `<span class="smbgw-quiet">${gettext('not known')}</span>`;
    }
    return limit ? SMBGateway.meter(percent, SMBGateway.sizes(used, limit), level) : `<span>${SMBGateway.size(used)}</span>`;
};

SMBGateway.sizes = (used, limit) => Ext.String.format(gettext('{0} of {1}'), SMBGateway.size(used), SMBGateway.size(limit));

/** What needs attention, worst first: [{level, words, hint, link}]. */
SMBGateway.troubles = (status, { shares, troubles }, receivers) => {
    const { format } = Ext.String;
    const found = [];
    const add = (level, words, link, hint = '') => found.push({ level, words, link, hint });
    for (const { name, running, drift } of status.gateways) {
        if (running === false) {
            add('critical', format(gettext('Gateway {0} does not run'), name), ['gateway', name]);
        } else if (drift.length) {
            add('warning', format(gettext('Gateway {0} is not as it should be'), name), ['gateway', name], drift.map((cell) => cell.name).slice(0, 3).join(', '));
        }
    }
    for (const [file, why] of Object.entries(status.broken)) {
        add('critical', format(gettext('Record {0} cannot be read'), file), null, why);
    }
    troubles.forEach((line) => add('warning', line));
    status.said.forEach((line) => add('notice', line));
    for (const { key, name, level, percent, forecast, unknown } of shares) {
        if (unknown) {
            add('warning', format(gettext('How full share {0} is, is not known'), name), ['share', key], unknown);
        } else if (level !== 'ok') {
            add(level, format(gettext('Share {0} is {1} % full'), name, Math.round(percent)), ['share', key], forecast);
        }
    }
    for (const { name, error } of receivers.filter((receiver) => receiver.enabled && receiver.error)) {
        add('warning', format(gettext('{0} could not be told of alerts'), name), ['alerts'], error);
    }
    const order = ['critical', 'warning', 'notice'];
    return found.sort((one, other) => order.indexOf(one.level) - order.indexOf(other.level));
};

SMBGateway.register({ id: 'overview', text: gettext('Overview'), icon: 'fa-dashboard', order: 10, xtype: 'smbgwOverview' });
