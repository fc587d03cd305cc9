/* Things and their values, in words. HTML, all encoded. */

/** `facts([[gettext('Source'), 'zfs:tank/docs'], ...])`; what has no value is left out, and a value may be made HTML by `html`. */
SMBGateway.facts = (rows) => {
    const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== '');
    const value = (each) => (each instanceof SMBGateway.Html ? each.text : SMBGateway.encode(each));
    return `<dl class="smbgw-facts">${shown.map(([name, each]) => `<dt>${SMBGateway.encode(name)}</dt><dd>${value(each)}</dd>`).join('')}</dl>`;
};

/** Text that is HTML already. */
SMBGateway.Html = class {
    constructor(text) {
        this.text = text;
    }
};

/** Words in a frame: `badge('critical', gettext('full'))`; levels as the engine names them, or `quiet`. HTML. */
SMBGateway.badge = (level, words) => `<span class="smbgw-badge smbgw-is-${SMBGateway.encode(level)}">${SMBGateway.encode(words)}</span>`;

/** Words that lead to a panel. HTML. */
SMBGateway.link = (words, id, key = '') =>
    `<a href="#" class="smbgw-link" data-smbgw-open="${SMBGateway.encode(id)}" data-smbgw-key="${SMBGateway.encode(key)}">${SMBGateway.encode(words)}</a>`;

document.addEventListener('click', (event) => {
    const link = event.target.closest?.('[data-smbgw-open]');
    if (link) {
        event.preventDefault();
        SMBGateway.open(link.dataset.smbgwOpen, link.dataset.smbgwKey);
    }
    const copied = event.target.closest?.('[data-smbgw-copy]');
    if (copied) {
        navigator.clipboard.writeText(copied.dataset.smbgwCopy).then(() => copied.classList.add('smbgw-copied'));
        setTimeout(() => copied.classList.remove('smbgw-copied'), 1500);
    }
});

/** Words with a button that copies them. HTML. */
SMBGateway.copied = (words) =>
    `<span class="smbgw-copy"><code>${SMBGateway.encode(words)}</code>` +
    `<button type="button" data-smbgw-copy="${SMBGateway.encode(words)}" aria-label="${gettext('Copy')}"><i class="fa fa-fw fa-clone" aria-hidden="true"></i></button></span>`;
