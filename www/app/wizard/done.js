/* The end of the wizard: what is done, line by line; then how to connect. */

Ext.define('SMBGateway.Done', {
    extend: 'SMBGateway.ProgressWindow',
    width: 640,
    height: 520,

    async resultHtml(result) {
        const { encode } = SMBGateway;
        const { shares } = await SMBGateway.get('/v1/shares');
        const row = ([icon, system, text, how]) =>
            `<div><i class="fa fa-fw ${icon}" aria-hidden="true"></i><b>${system}</b>${SMBGateway.copyable(text)}<small>${encode(how)}</small></div>`;
        const mine = shares.filter(({ address }) => result.addresses.includes(address));
        return SMBGateway.resultHtml(result) + mine.map((share) => `<div class="smbgw-connect">${this.ways(share).map(row).join('')}</div>`).join('');
    },

    /** Where a share is found, as the systems write it. Windows knows no other port than 445. */
    ways({ address, name, port }) {
        const host = address.split('\\')[2];
        const url = `smb://${host}${port === 445 ? '' : `:${port}`}/${encodeURIComponent(name)}`;
        const windows = port === 445 ? gettext('in the address line of Explorer') : gettext('Windows cannot reach another port than 445');
        return [
            ['fa-windows', 'Windows', address, windows],
            ['fa-apple', 'macOS', url, gettext('Finder: Go, Connect to Server')],
            ['fa-linux', 'Linux', url, gettext('in the address line of the file manager')],
        ];
    },
});
