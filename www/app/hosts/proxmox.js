/* Inside Proxmox VE: the same calls by way of its API, /nodes/{node}/smbgateway (perl/PVE/API2/SMBGateway.pm), which knows
   who is signed in and what he may do. Changes are tasks there. */

SMBGateway.Proxmox = class {
    inProxmox = true;
    node = Proxmox.NodeName;

    get mayChange() {
        return Boolean(Ext.state.Manager.get('GuiCap')?.nodes?.['Sys.Modify']);
    }

    async request(method, path, body) {
        const { verb, to, params, shape } = SMBGateway.proxmoxCall(method, path, body);
        return shape(await this.call(verb, `/nodes/${this.node}/smbgateway/${to}`, params));
    }

    call(method, url, params) {
        return new Promise((resolve, reject) =>
            Proxmox.Utils.API2Request({
                url, method, params,
                success: ({ result }) => resolve(result.data),
                failure: (response) => reject(this.problem(response)),
            }),
        );
    }

    problem({ result, status, statusText }) {
        const faults = Object.entries(result?.errors ?? {}).map(([field, message]) => ({ field: field.replaceAll('-', '_'), message, hint: '' }));
        const what = (result?.message ?? statusText ?? '').trim() || gettext('Proxmox VE does not answer');
        return new SMBGateway.Problem({ what, faults }, result?.status ?? (status === 200 ? 500 : status));
    }

    stop({ job }) {
        return this.call('DELETE', `/nodes/${this.node}/tasks/${encodeURIComponent(job)}`);
    }

    /** A task until its end: each line of its log is a thing that was done. */
    async follow({ job }, tell) {
        const task = `/nodes/${this.node}/tasks/${encodeURIComponent(job)}`;
        const lines = [];
        for (;;) {
            const { status, exitstatus } = await this.call('GET', `${task}/status`);
            for (const { n, t } of await this.call('GET', `${task}/log`, { start: lines.length, limit: 500 })) {
                if (n > lines.length) {
                    lines.push(t);
                    this.hear(t, tell);
                }
            }
            if (status === 'stopped') {
                return this.result(lines, exitstatus);
            }
            await new Promise((wake) => setTimeout(wake, 1000));
        }
    }

    hear(line, tell) {
        const [, name, outcome, seconds] = /^(.+): (.+) \((\d+\.\d) s\)$/.exec(line) ?? [];
        if (name) {
            tell({ name, outcome, seconds: Number(seconds) });
        }
    }

    result(lines, exitstatus) {
        if (!/^(OK|WARNINGS)/.test(exitstatus)) {
            throw new SMBGateway.Problem({ what: exitstatus });
        }
        const after = (word) => lines.filter((line) => line.startsWith(word)).map((line) => line.slice(word.length));
        const addresses = lines.filter((line) => line.startsWith('\\\\'));
        return { outcomes: [], changes: [], proofs: [], warnings: after('warning: '), kept: after('kept: '), addresses };
    }
};
