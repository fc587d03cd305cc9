/* A page of our own: the engine's API as it is, through the relay; a session by cookie and the form key. */

SMBGateway.Standalone = class {
    inProxmox = false;
    session = null;

    get mayChange() {
        return this.session?.role === 'admin';
    }

    async request(method, path, body) {
        const headers = { Accept: 'application/json' };
        if (method !== 'GET') {
            headers['X-CSRF-Token'] = this.session?.form ?? '';
        }
        if (body !== undefined) {
            headers['Content-Type'] = 'application/json';
        }
        const answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) }).catch(() => null);
        const content = await answer?.json().catch(() => null);
        if (answer?.ok) {
            this.back();
            return content;
        }
        throw this.trouble(answer?.status ?? 0, content);
    }

    /** What an answer that is none means for the whole page. */
    trouble(status, content) {
        const problem = new SMBGateway.Problem(content ?? { what: gettext('the engine does not answer') }, status);
        if (problem.isStranger) {
            this.session = null;
            SMBGateway.news.fireEvent('stranger');
        } else if (problem.isAway) {
            this.lose();
        }
        return problem;
    }

    lose() {
        if (!this.lost) {
            this.lost = true;
            SMBGateway.news.fireEvent('lost');
            this.knock();
        }
    }

    /** Ask again until it answers. */
    knock() {
        setTimeout(() => this.lost && this.ask().catch(() => this.knock()), 1500);
    }

    back() {
        if (this.lost) {
            this.lost = false;
            SMBGateway.news.fireEvent('found');
        }
    }

    /** Who is signed in. */
    async ask() {
        this.session = await this.request('GET', '/v1/session');
        return this.session;
    }

    async signIn(name, password) {
        this.session = await this.request('POST', '/v1/session', { name, password });
        return this.session;
    }

    async signOut() {
        await this.request('DELETE', '/v1/session');
        this.session = null;
        SMBGateway.news.fireEvent('stranger');
    }

    stop({ job }) {
        return this.request('POST', SMBGateway.path('/v1/jobs', job, 'stop'), {});
    }

    /** Server-sent events, until the job's end; through a restart of the relay too. */
    follow({ job }, tell) {
        return new Promise((resolve, reject) => {
            const path = SMBGateway.path('/v1/jobs', job);
            let seen = 0;
            let source = null;
            const end = (settle, value) => {
                source?.close();
                settle(value);
            };
            const listen = () => {
                source = new EventSource(`${path}/events`);
                source.addEventListener('progress', (event) => {
                    if (Number(event.lastEventId) > seen) {
                        seen = Number(event.lastEventId);
                        tell(JSON.parse(event.data));
                    }
                });
                source.addEventListener('done', (event) => end(resolve, JSON.parse(event.data)));
                source.addEventListener('failed', (event) => end(reject, new SMBGateway.Problem(JSON.parse(event.data))));
                source.onerror = () => source.readyState === EventSource.CLOSED && again();
            };
            // An engine that has come up anew knows no former job; it has finished it or set it back by its journal.
            const again = () =>
                this.request('GET', path).then(listen, (problem) =>
                    problem.isAway ? setTimeout(again, 1500) : end(reject, problem.status === 404 ? this.forgotten() : problem),
                );
            listen();
        });
    }

    forgotten() {
        return new SMBGateway.Problem({
            what: gettext('the engine was started anew meanwhile'),
            hint: gettext('what was under way was finished or set back: look at what is there now'),
        });
    }
};
