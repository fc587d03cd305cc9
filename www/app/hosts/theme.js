/* Light or dark: as the system says, or as was chosen here. Colours are in style/; charts ask for them by name. */

SMBGateway.theme = {
    KEY: 'smbgw-theme',
    system: window.matchMedia('(prefers-color-scheme: dark)'),

    get chosen() {
        return localStorage.getItem(this.KEY) ?? 'auto';
    },

    choose(theme) {
        localStorage.setItem(this.KEY, theme);
        this.apply();
    },

    get isDark() {
        return this.chosen === 'dark' || (this.chosen === 'auto' && this.system.matches);
    },

    apply() {
        document.documentElement.dataset.theme = this.isDark ? 'dark' : 'light';
        SMBGateway.news.fireEvent('theme');
    },

    /** A colour of style/colours.css by its name: `accent`, `text`, `line`, `ok`, `notice`, `warning`, `critical`. */
    colour(name) {
        return getComputedStyle(document.documentElement).getPropertyValue(`--smbgw-${name}`).trim();
    },

    begin() {
        this.system.addEventListener('change', () => this.apply());
        this.apply();
    },
};
