/* What is on the screen stays true: asked again every few seconds while it is seen, and at once after a change.

   A component with this mixin gives `ask()`, a promise of an answer, and `showAnswer(answer)`, which is called only
   where the answer is another than the last; and `showTrouble(problem)`. */

Ext.define('SMBGateway.Live', {
    extend: 'Ext.Mixin',
    mixinConfig: { id: 'smbgwlive', after: { initComponent: 'startLive' }, before: { destroy: 'stopLive' } },

    isLive: true,
    /** Milliseconds between two questions. */
    every: 5000,
    showTrouble: Ext.emptyFn,

    startLive() {
        this.listening = SMBGateway.news.on({ destroyable: true, scope: this, found: 'refresh', changed: 'refresh' });
        this.on({ scope: this, afterrender: 'refresh', show: 'refresh', activate: 'refresh' });
        this.clock = setInterval(() => this.refresh(), this.every);
    },

    stopLive() {
        clearInterval(this.clock);
        Ext.destroy(this.listening);
    },

    /** Ask now, unless nobody looks or an answer is awaited. */
    async refresh() {
        if (this.asking || this.destroyed || !this.rendered || !this.isVisible(true) || document.hidden) {
            return;
        }
        this.asking = true;
        const answer = await this.ask().catch((error) => error);
        this.asking = false;
        if (!this.destroyed) {
            this.hear(answer);
        }
    },

    hear(answer) {
        const said = JSON.stringify(answer);
        if (answer instanceof SMBGateway.Problem) {
            this.said = undefined;
            if (!answer.isStranger) {
                this.showTrouble(answer);
            }
        } else if (answer instanceof Error) {
            throw answer;
        } else if (said !== this.said) {
            this.said = said;
            this.showAnswer(answer);
            this.fireEvent('shown', this, answer);
        }
    },
});

/** All live components in a container ask now: for when it comes to the front. */
SMBGateway.refreshAll = (container) => {
    [container, ...(container.query?.('component') ?? [])].filter((each) => each.isLive).forEach((each) => each.refresh());
};
