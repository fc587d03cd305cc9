/* A job as it goes: one line for each thing done. */

Ext.define('SMBGateway.Progress', {
    extend: 'Ext.Component',
    xtype: 'smbgwProgress',
    cls: 'smbgw-progress',
    scrollable: true,
    ariaRole: 'log',

    MARKS: { running: 'fa-circle-o-notch fa-spin', done: 'fa-check', failed: 'fa-times' },

    begin() {
        this.lines = [];
        this.state = 'running';
        this.draw();
    },

    /** One more thing was done, as the engine tells it. */
    add({ name, outcome, seconds }) {
        if (name !== 'request') {
            this.lines.push({ name, outcome, seconds });
            this.draw();
        }
    },

    end(state, html = '') {
        this.state = state;
        this.draw(html);
    },

    draw(html = '') {
        const { encode } = SMBGateway;
        const line = ({ name, outcome, seconds }) =>
            `<li><i class="fa fa-fw fa-check" aria-hidden="true"></i><span>${encode(name)}</span>` +
            `<em>${encode(outcome)}</em><small>${seconds >= 0.05 ? `${seconds.toFixed(1)} s` : ''}</small></li>`;
        const waiting = `<li class="smbgw-now"><i class="fa fa-fw ${this.MARKS.running}" aria-hidden="true"></i>${gettext('working')}</li>`;
        this.setHtml(`<ul>${this.lines.map(line).join('')}${this.state === 'running' ? waiting : ''}</ul>${html}`);
        this.getEl()?.setScrollTop(1e6);
    },
});

/** A window around a change. `run(start)`: start posts it, and promises `{job}`; the promise is that of its result. */
Ext.define('SMBGateway.ProgressWindow', {
    extend: 'Ext.window.Window',
    cls: 'smbgw-window',
    width: 560,
    height: 380,
    layout: 'fit',
    modal: true,
    closable: false,
    /** Closes by itself where all went well. */
    quiet: false,

    initComponent() {
        this.items = [{ xtype: 'smbgwProgress', padding: 12 }];
        this.buttons = [
            { text: gettext('Stop'), itemId: 'stop', hidden: true, handler: () => this.stopJob() },
            { text: gettext('Close'), itemId: 'close', disabled: true, handler: () => this.close() },
        ];
        this.callParent();
    },

    async run(start) {
        const lines = this.down('smbgwProgress');
        lines.begin();
        try {
            this.job = await start();
            this.show();
            this.down('#stop').show();
            const result = await SMBGateway.host.follow(this.job, (progress) => lines.add(progress));
            lines.end('done', await this.resultHtml(result));
            this.finish(this.quiet && !result.warnings.length);
            return result;
        } catch (error) {
            if (this.job && error instanceof SMBGateway.Problem) {
                lines.end('failed', error.html);
                this.finish(false);
            } else {
                this.destroy();
            }
            throw error;
        }
    },

    /** What is shown after the lines, where all went well. */
    resultHtml: (result) => SMBGateway.resultHtml(result),

    finish(closes) {
        SMBGateway.news.fireEvent('changed');
        this.down('#stop').hide();
        this.down('#close').enable().focus();
        if (closes) {
            this.close();
        }
    },

    stopJob() {
        SMBGateway.host.stop(this.job).catch(SMBGateway.showProblem);
    },
});

/** What a job did, after its lines. HTML. */
SMBGateway.resultHtml = (result) => {
    const { encode } = SMBGateway;
    const warnings = result.warnings.map((text) => `<p class="smbgw-warning">${encode(text)}</p>`);
    const kept = result.kept.map((text) => `<p>${SMBGateway.say(gettext('kept: {0}'), text)}</p>`);
    return `<div class="smbgw-result" role="status"><p><b>${gettext('Done.')}</b></p>${[...warnings, ...kept].join('')}</div>`;
};
