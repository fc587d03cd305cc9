/* Why something did not work, as the engine says it. */

SMBGateway.Problem = class extends Error {
    constructor({ what, cause = '', hint = '', faults = [], undone = [], left = [], error = '' }, status = 0) {
        super([what, cause].filter(Boolean).join(': '));
        Object.assign(this, { what, cause, hint, faults, undone, left, kind: error, status });
    }

    /** Nobody is signed in any more. */
    get isStranger() {
        return this.status === 401;
    }

    /** The engine, or the way to it, is away; it may come back. */
    get isAway() {
        return [0, 502, 503, 504, 595, 596].includes(this.status) && this.kind !== 'Unavailable';
    }

    /** The whole of it as HTML. */
    get html() {
        const { encode } = SMBGateway;
        const list = (title, lines) =>
            lines.length ? `<dt>${title}</dt><dd>${lines.map((line) => `<div>${encode(line)}</div>`).join('')}</dd>` : '';
        const faults = this.faults.map(({ field, message, hint }) => `${field}: ${message}${hint ? ` (${hint})` : ''}`);
        return (
            `<div class="smbgw-problem" role="alert"><p><b>${encode(this.what)}</b></p><dl>` +
            list(gettext('Cause'), this.cause ? [this.cause] : []) +
            list(gettext('Faults'), faults) +
            list(gettext('Undone'), this.undone) +
            list(gettext('Left'), this.left) +
            list(gettext('What to do'), this.hint ? [this.hint] : []) +
            '</dl></div>'
        );
    }

    /** A message with the whole of it. */
    show(title = gettext('That did not work')) {
        Ext.Msg.show({ title, msg: this.html, buttons: Ext.Msg.OK, minWidth: 420, cls: 'smbgw-message' });
    }
};

/** For the end of a chain of promises: whatever it is, it is shown, but for what the page shows anyway. */
SMBGateway.showProblem = (error) => {
    if (!(error instanceof SMBGateway.Problem)) {
        throw error;
    }
    if (!error.isStranger && !error.isAway) {
        error.show();
    }
};
