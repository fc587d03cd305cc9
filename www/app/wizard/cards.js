/* One of several, each with words about it: a group of radio buttons drawn as cards. Its value is that of a hidden
   field `name`, so that forms and wizards know it as any field. */

Ext.define('SMBGateway.Cards', {
    extend: 'Ext.container.Container',
    xtype: 'smbgwCards',
    cls: 'smbgw-cards',
    /** Cards: {value, icon, title, text, more, refusal}; one with a refusal cannot be chosen, and says why. */
    cards: [],

    initComponent() {
        this.items = [
            { xtype: 'hiddenfield', name: this.name, listeners: { change: () => (this.draw(), this.fireEvent('change', this)) } },
            { xtype: 'component', itemId: 'group', autoEl: { tag: 'div', role: 'radiogroup', 'aria-label': this.label } },
        ];
        this.callParent();
        this.on('afterrender', () => {
            this.draw();
            this.el.on('click', (event, card) => this.choose(card.dataset.value), this, { delegate: '[role=radio]' });
            this.el.on('keydown', (event) => this.press(event), this, { delegate: '[role=radio]' });
        });
    },

    field() {
        return this.down('hiddenfield');
    },

    getValue() {
        return this.field().getValue();
    },

    /** What can be chosen now; what was chosen stays so, where it still can be, else the first. */
    setCards(cards) {
        this.cards = cards;
        const possible = cards.filter((card) => !card.refusal).map((card) => card.value);
        if (!possible.includes(this.getValue())) {
            this.field().setValue(possible[0] ?? '');
        }
        this.draw();
    },

    choose(value, focus) {
        if (this.cards.some((card) => card.value === value && !card.refusal)) {
            this.field().setValue(value);
            if (focus) {
                this.el.dom.querySelector('[aria-checked=true]').focus();
            }
        }
    },

    press(event) {
        const step = { [event.DOWN]: 1, [event.RIGHT]: 1, [event.UP]: -1, [event.LEFT]: -1 }[event.getKey()];
        if (step) {
            event.stopEvent();
            const possible = this.cards.filter((card) => !card.refusal).map((card) => card.value);
            const at = possible.indexOf(this.getValue()) + step;
            this.choose(possible[(at + possible.length) % possible.length], true);
        } else if (event.getKey() === event.SPACE) {
            event.stopEvent();
            this.choose(event.getTarget('[role=radio]').dataset.value, true);
        }
    },

    draw() {
        const group = this.down('#group');
        if (group?.rendered) {
            group.setHtml(this.cards.map((card) => this.card(card)).join(''));
            this.updateLayout();
        }
    },

    card({ value, icon, title, text, more, refusal }) {
        const { encode } = SMBGateway;
        const chosen = value === this.getValue();
        const first = !this.getValue() && value === this.cards[0].value;
        return (
            `<div role="radio" data-value="${encode(value)}" aria-checked="${chosen}" aria-disabled="${Boolean(refusal)}" tabindex="${chosen || first ? 0 : -1}">` +
            `<i class="fa ${encode(icon)}" aria-hidden="true"></i><div><b>${encode(title)}</b>` +
            (text ? `<span>${encode(text)}</span>` : '') +
            (more ? `<small>${encode(more)}</small>` : '') +
            (refusal ? `<em>${encode(refusal)}</em>` : '') +
            '</div></div>'
        );
    },
});
