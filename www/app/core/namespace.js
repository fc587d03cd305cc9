/* The pages of pve-smbgateway. One code base for two hosts: a page of our own (ExtJS 6.2) and Proxmox VE (ExtJS 7.0).
   AGPL-3.0-or-later. Files are joined by www/build: core, panels, wizard, hosts, start; around them stands CATALOGUES,
   which www/catalogue makes of www/language. */

/** The language: of Proxmox VE where we are in it, else as was chosen in the settings, or as the browser asks. */
const LANGUAGE = (() => {
    const known = (tag) => ['en', ...Object.keys(CATALOGUES)].find((each) => each === tag?.split(/[-_]/)[0]);
    if (window.Proxmox) {
        const [, cookie] = /(?:^|; )PVELangCookie=([^;]*)/.exec(document.cookie) ?? [];
        return known(cookie) ?? known(window.Proxmox.defaultLang) ?? 'en';
    }
    return known(localStorage.getItem('smbgw-language')) ?? navigator.languages.map(known).find(Boolean) ?? 'en';
})();

/** A text in that language. What we have no words for, Proxmox VE may have. */
const gettext = (text) => CATALOGUES[LANGUAGE]?.[text] ?? window.gettext?.(text) ?? text;

window.SMBGateway = {
    /** Where this file is from. */
    script: document.currentScript.src,

    /** Text as HTML: for everything that a renderer, a template or a message is made of. */
    encode: (text) => Ext.htmlEncode(String(text ?? '')),

    /** A sentence with values in it, as text: fill(gettext('{0} of {1}'), used, limit). */
    fill: (sentence, ...values) => Ext.String.format(sentence, ...values),

    /** The same as HTML: each value is encoded. */
    say: (sentence, ...values) => Ext.String.format(sentence, ...values.map(SMBGateway.encode)),

    language: {
        all: ['en', ...Object.keys(CATALOGUES)],

        get chosen() {
            return localStorage.getItem('smbgw-language') ?? '';
        },

        /** One of them, '' for what the browser asks for. Words are said when a class is made: all is loaded anew. */
        choose(tag) {
            localStorage.setItem('smbgw-language', tag);
            location.reload();
        },
    },

    /** A message to close. All of it is text. */
    tell(title, text) {
        Ext.Msg.show({ title: SMBGateway.encode(title), msg: SMBGateway.encode(text), buttons: Ext.Msg.OK });
    },
};
