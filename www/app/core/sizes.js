/* Sizes, shares of a whole, and times, as people read them. */

SMBGateway.UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** Bytes in words: 1.5 GiB; what is not known is a dash. */
SMBGateway.size = (bytes) => {
    if (bytes === null || bytes === undefined) {
        return '–';
    }
    let value = Math.abs(bytes);
    let unit = 0;
    while (value >= 1024 && unit < SMBGateway.UNITS.length - 1) {
        value /= 1024;
        unit += 1;
    }
    const digits = unit > 0 && value < 10 && Math.round(value * 10) % 10 ? 1 : 0;
    return `${bytes < 0 ? '−' : ''}${value.toFixed(digits)} ${SMBGateway.UNITS[unit]}`;
};

/** Bytes as the engine reads them: 10G. */
SMBGateway.asSize = (bytes) => {
    const unit = ['', 'K', 'M', 'G', 'T'];
    let power = 0;
    while (power < 4 && bytes >= 1024 && bytes % 1024 === 0) {
        bytes /= 1024;
        power += 1;
    }
    return `${Math.round(bytes)}${unit[power]}`;
};

/** `10G`, `1.5 TiB` as bytes; null where it is no size. */
SMBGateway.bytes = (text) => {
    const found = /^\s*(\d+(?:[.,]\d+)?)\s*([KMGTP]?)(?:i?B)?\s*$/i.exec(text ?? '');
    return found && Math.round(parseFloat(found[1].replace(',', '.')) * 1024 ** ' KMGTP'.indexOf(found[2].toUpperCase() || ' '));
};

/** How long ago a Unix time is. */
SMBGateway.ago = (seconds) => {
    if (!seconds) {
        return '–';
    }
    const past = Math.max(0, Date.now() / 1000 - seconds);
    const steps = [[60, 1, gettext('{0} s ago')], [3600, 60, gettext('{0} min ago')], [86400, 3600, gettext('{0} h ago')]];
    const [, unit, sentence] = steps.find(([below]) => past < below) ?? [0, 86400, gettext('{0} d ago')];
    return SMBGateway.fill(sentence, Math.floor(past / unit));
};

/** A Unix time as date and time of day here. */
SMBGateway.moment = (seconds) => (seconds ? Ext.Date.format(new Date(seconds * 1000), 'Y-m-d H:i') : '–');

/** The level of a share of a whole, as the engine names levels. */
SMBGateway.level = (percent) =>
    percent >= 95 ? 'critical' : percent >= 85 ? 'warning' : percent >= 75 ? 'notice' : 'ok';

/** A bar that is so full, with words beside it. HTML. */
SMBGateway.meter = (percent, words, level = SMBGateway.level(percent)) => {
    const full = Math.max(0, Math.min(100, Math.round(percent)));
    return (
        `<div class="smbgw-meter smbgw-${SMBGateway.encode(level)}" role="img" aria-label="${full} %">` +
        `<div class="smbgw-meter-bar"><div style="width:${full}%"></div></div>` +
        `<span>${SMBGateway.encode(words)}</span></div>`
    );
};
