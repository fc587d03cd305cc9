/* Step 6: what would be done, cell by cell, as the engine plans it; and the same as a command. */

Ext.define('SMBGateway.ReviewStep', {
    extend: 'SMBGateway.Step',
    xtype: 'smbgwReviewStep',
    title: gettext('Review'),

    initComponent() {
        this.items = [
            { xtype: 'component', itemId: 'plan', cls: 'smbgw-plan' },
            { xtype: 'component', itemId: 'line', cls: 'smbgw-command', margin: '14 0 0 0' },
        ];
        this.callParent();
    },

    /** Asks for the plan; faults go to the steps that they are of. */
    async enter() {
        const request = this.wizard().request();
        this.ready = false;
        this.wizard().forgive();
        this.down('#plan').setHtml(`<p class="smbgw-quiet"><i class="fa fa-circle-o-notch fa-spin" aria-hidden="true"></i> ${gettext('The engine looks what is there')}</p>`);
        this.down('#line').setHtml('');
        this.wizard().look();
        try {
            const planned = await SMBGateway.post('/v1/plan', { create: request });
            if (!this.destroyed) {
                this.showPlan(planned, request);
            }
        } catch (problem) {
            this.down('#plan').setHtml(problem.html ?? '');
            this.wizard().setFaults(problem);
        }
    },

    showPlan({ cells, warnings }, request) {
        const { encode } = SMBGateway;
        const row = ({ name, now, want, error }) =>
            `<tr><td>${encode(name)}</td><td>${error ? `<em>${encode(error)}</em>` : now === null ? '' : `<del>${encode(this.short(now))}</del>`}</td><td>${encode(this.short(want))}</td></tr>`;
        this.down('#plan').setHtml(
            warnings.map((text) => `<p class="smbgw-warning">${encode(text)}</p>`).join('') +
                `<table><caption>${SMBGateway.say(gettext('{0} things will be done. If any fails, all is set back.'), cells.length)}</caption>` +
                `<thead><tr><th>${gettext('What')}</th><th>${gettext('Now')}</th><th>${gettext('Then')}</th></tr></thead><tbody>${cells.map(row).join('')}</tbody></table>`,
        );
        const line = SMBGateway.commandLine(request);
        this.down('#line').setHtml(`<div>${gettext('The same as a command')}</div>${SMBGateway.copyable(line)}`);
        this.ready = true;
        this.wizard().look();
    },

    /** A value in a line; bytes as people read them. */
    short(text) {
        const words = text ?? '';
        return /^[1-9]\d{6,}$/.test(words) ? SMBGateway.size(Number(words)) : Ext.String.ellipsis(words, 120);
    },

    validator() {
        return Boolean(this.ready);
    },

    onSubmit() {
        this.wizard().make();
    },
});

/** A request as the words of the command line. */
SMBGateway.commandLine = (request) => {
    const quoted = (word) => (/^[\w@:.,/=+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
    const words = ['pve-smbgateway', 'create', request.name];
    for (const name of ['mode', 'gateway', 'source', 'quota', 'purpose', 'comment', 'port', 'bridge', 'router', 'vlan', 'memory', 'cores']) {
        request[name] === undefined || words.push(`--${name}`, String(request[name]));
    }
    request.storage && words.push('--storage');
    (request.addresses ?? []).forEach((address) => words.push('--address', address));
    Object.entries(request.snapshots ?? {}).forEach(([kind, count], at) => (at ? (words[words.length - 1] += `,${kind}=${count}`) : words.push('--snapshots', `${kind}=${count}`)));
    Object.entries(request.access ?? {}).forEach(([name, right]) =>
        words.push(name.startsWith('@') ? '--group' : '--user', name.replace('@', '') + (right === 'read' ? ':read' : '')),
    );
    return words.map(quoted).join(' ');
};

/** Text with a button that copies it. HTML; the click is heard by the document. */
SMBGateway.copyable = (text) =>
    `<span class="smbgw-copy"><code>${SMBGateway.encode(text)}</code><button type="button" data-copy="${SMBGateway.encode(text)}">` +
    `<i class="fa fa-clipboard" aria-hidden="true"></i> ${gettext('Copy')}</button></span>`;

document.addEventListener('click', async (event) => {
    const button = event.target.closest?.('[data-copy]');
    if (button) {
        await navigator.clipboard.writeText(button.dataset.copy);
        button.lastChild.textContent = ` ${gettext('Copied')}`;
    }
});
