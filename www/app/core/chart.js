/* How full something was, is, and may become: a line in a band, the quota above it, the forecast to the right.

   An SVG of our own: lines stay sharp, its colours are those of the page, and a reader hears what it shows. */

Ext.define('SMBGateway.Chart', {
    extend: 'Ext.Component',
    xtype: 'smbgwChart',
    cls: 'smbgw-chart',
    EDGE: { left: 74, right: 16, top: 14, bottom: 26 },

    initComponent() {
        this.callParent();
        this.on({ scope: this, resize: 'draw', afterrender: 'listen' });
    },

    /** points: [{at, used, limit, low, high}], oldest first; from, to: Unix times; ahead: [{at, low, mid, high}]. */
    show_(data) {
        this.data = data;
        this.draw();
    },

    draw() {
        if (!this.rendered || !this.data) {
            return;
        }
        const { width, height } = this.getSize();
        this.scale = SMBGateway.chartScale(this.data, width, height, this.EDGE);
        this.getEl().setHtml(SMBGateway.chartSvg(this.data, this.scale));
    },

    listen() {
        this.getEl().on({ mousemove: (event) => this.point(event.getX() - this.getEl().getX()), mouseleave: () => this.point(null) });
    },

    /** Say what was there at a place under the pointer. */
    point(x) {
        const mark = this.getEl().dom.querySelector('.smbgw-chart-mark');
        const words = this.getEl().dom.querySelector('.smbgw-chart-words');
        const { points = [] } = this.data ?? {};
        if (!mark || !points.length) {
            return;
        }
        const near = x === null ? null : points.reduce((best, each) => (Math.abs(this.scale.x(each.at) - x) < Math.abs(this.scale.x(best.at) - x) ? each : best));
        mark.setAttribute('visibility', near ? 'visible' : 'hidden');
        if (near) {
            mark.setAttribute('transform', `translate(${this.scale.x(near.at)} 0)`);
            mark.querySelector('circle').setAttribute('cy', this.scale.y(near.used));
        }
        words.textContent = near ? SMBGateway.chartWords(near) : '';
        words.setAttribute('x', near && this.scale.x(near.at) > this.scale.width / 2 ? this.scale.x(near.at) - 8 : this.scale.x(near?.at ?? 0) + 8);
        words.setAttribute('text-anchor', near && this.scale.x(near.at) > this.scale.width / 2 ? 'end' : 'start');
    },
});

SMBGateway.chartWords = ({ at, used, limit }) => {
    const when = Ext.Date.format(new Date(at * 1000), 'Y-m-d H:i');
    return `${when}   ${SMBGateway.size(used)}${limit ? `, ${Math.round((100 * used) / limit)} %` : ''}`;
};

/** Where a time and a number of bytes lie in a picture. */
SMBGateway.chartScale = ({ points, from, to, ahead = [] }, width, height, edge) => {
    const limits = points.map((point) => point.limit ?? 0);
    const tops = [...points.map((point) => point.high), ...ahead.map((point) => Math.min(point.high, Math.max(...limits, 0) || point.high))];
    const most = Math.max(...limits, ...tops, 1) * 1.06;
    const end = ahead.length ? ahead[ahead.length - 1].at : to;
    const x = (at) => edge.left + ((at - from) / (end - from)) * (width - edge.left - edge.right);
    const y = (bytes) => height - edge.bottom - (Math.min(bytes, most) / most) * (height - edge.top - edge.bottom);
    return { x, y, width, height, edge, from, end, most };
};

/** Round numbers of bytes, about four of them. */
SMBGateway.chartSizes = (most) => {
    const unit = 1024 ** Math.floor(Math.log(most) / Math.log(1024));
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((each) => most / unit / each <= 5) ?? 1000;
    const smaller = most / unit < 2 ? [0.25, 0.5].find((each) => most / unit / each <= 5) ?? step : step;
    return Array.from({ length: Math.floor(most / unit / smaller) + 1 }, (_, at) => at * smaller * unit);
};

/** Round times between two, and how they are written. */
SMBGateway.chartTimes = (from, to, most) => {
    const hour = 3600;
    const steps = [hour, 3 * hour, 6 * hour, 12 * hour, 24 * hour, 48 * hour, 168 * hour, 336 * hour, 744 * hour, 1488 * hour];
    const step = steps.find((each) => (to - from) / each <= most) ?? 2976 * hour;
    const shift = new Date(from * 1000).getTimezoneOffset() * 60;
    const first = Math.ceil((from - shift) / step) * step + shift;
    const format = step < 24 * hour ? 'H:i' : 'M j';
    const times = [];
    for (let at = first; at <= to; at += step) {
        times.push({ at, words: Ext.Date.format(new Date(at * 1000), format) });
    }
    return times;
};

SMBGateway.chartSvg = (data, scale) => {
    const { x, y, width, height, edge } = scale;
    const { points, ahead = [], to } = data;
    const round = (number) => Math.round(number * 10) / 10;
    const line = (list, of) => list.map((each, at) => `${at ? 'L' : 'M'}${round(x(each.at))} ${round(y(of(each)))}`).join('');
    const band = (list) => `${line(list, (each) => each.high)}${line([...list].reverse(), (each) => each.low).replace('M', 'L')}Z`;
    const path = (cls, d) => (d ? `<path class="${cls}" d="${d}"/>` : '');
    const sizes = SMBGateway.chartSizes(scale.most).map(
        (bytes) => `<line x1="${edge.left}" x2="${width - edge.right}" y1="${round(y(bytes))}" y2="${round(y(bytes))}"/><text x="${edge.left - 10}" y="${round(y(bytes)) + 4}" text-anchor="end">${SMBGateway.size(bytes)}</text>`,
    );
    const times = SMBGateway.chartTimes(scale.from, scale.end, Math.max(2, Math.floor((width - edge.left) / 90))).map(
        ({ at, words }) => `<text x="${round(x(at))}" y="${height - 8}" text-anchor="middle">${words}</text>`,
    );
    const limits = points.filter((point) => point.limit !== null);
    const stretched = limits.length ? [...limits, { ...limits[limits.length - 1], at: scale.end }] : [];
    const now = ahead.length ? `<line class="smbgw-chart-now" x1="${round(x(to))}" x2="${round(x(to))}" y1="${edge.top}" y2="${height - edge.bottom}"/>` : '';
    const area = points.length ? `${line(points, (each) => each.used)}L${round(x(points[points.length - 1].at))} ${y(0)}L${round(x(points[0].at))} ${y(0)}Z` : '';
    return (
        `<svg width="${width}" height="${height}" role="img" aria-label="${SMBGateway.encode(SMBGateway.chartSaid(data))}">` +
        `<g class="smbgw-chart-grid">${sizes.join('')}${times.join('')}</g>${now}` +
        path('smbgw-chart-ahead', ahead.length > 1 && band(ahead)) +
        path('smbgw-chart-area', area) +
        path('smbgw-chart-band', points.length > 1 && band(points)) +
        path('smbgw-chart-mid', ahead.length > 1 && line(ahead, (each) => each.mid)) +
        path('smbgw-chart-line', line(points, (each) => each.used)) +
        path('smbgw-chart-limit', line(stretched, (each) => each.limit)) +
        `<g class="smbgw-chart-mark" visibility="hidden"><line y1="${edge.top}" y2="${height - edge.bottom}"/><circle r="4"/></g>` +
        `<text class="smbgw-chart-words" y="${edge.top + 4}"></text></svg>`
    );
};

/** The picture in words. */
SMBGateway.chartSaid = ({ points }) => {
    if (!points.length) {
        return gettext('Nothing measured yet');
    }
    const used = points.map((point) => point.used);
    const last = points[points.length - 1];
    const words = [Math.min(...used), Math.max(...used), last.used, last.limit].map(SMBGateway.size);
    return Ext.String.format(gettext('Usage: lowest {0}, highest {1}, last {2} of {3}'), ...words);
};
