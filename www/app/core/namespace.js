/* The pages of pve-smbgateway. One code base for two hosts: a page of our own (ExtJS 6.2) and Proxmox VE (ExtJS 7.0).
   AGPL-3.0-or-later. Files are joined by www/build: core, panels, wizard, hosts, start. */
window.gettext ??= (text) => text;

window.SMBGateway = {
    /** Where this file is from. */
    script: document.currentScript.src,

    /** Text as HTML: for everything that a renderer, a template or a message is made of. */
    encode: (text) => Ext.htmlEncode(String(text ?? '')),

    /** A sentence with values in it, as text: fill(gettext('{0} of {1}'), used, limit). */
    fill: (sentence, ...values) => Ext.String.format(sentence, ...values),

    /** The same as HTML: each value is encoded. */
    say: (sentence, ...values) => Ext.String.format(sentence, ...values.map(SMBGateway.encode)),

    /** A message to close. All of it is text. */
    tell(title, text) {
        Ext.Msg.show({ title: SMBGateway.encode(title), msg: SMBGateway.encode(text), buttons: Ext.Msg.OK });
    },
};
