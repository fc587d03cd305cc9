/* The one way to the engine. `SMBGateway.host` is where we run (hosts/): it has

   request(method, path, body)   the answer of the engine's API (docs/openapi.json) as a promise; rejected by a Problem
   follow(job, tell)             a job (the answer `{job}`) until its end: its result, or a Problem; tell(progress) meanwhile
   stop(job)                     ask a job to stop
   mayChange                     whether who is signed in may change anything
   inProxmox                     whether Proxmox VE is around us */

SMBGateway.get = (path) => SMBGateway.host.request('GET', path);

/** A path of the API with names in it, each encoded: path('/v1/status/gateway', name). A share's name is GATEWAY/NAME. */
SMBGateway.path = (path, ...names) =>
    [path, ...names.map((name) => String(name).split('/').map(encodeURIComponent).join('/'))].join('/');

SMBGateway.post = (path, body = {}) => SMBGateway.host.request('POST', path, body);

/** A change that is a job, with a window that shows what it does. The promise is that of its result. */
SMBGateway.perform = ({ title, path, body, quiet = false }) => {
    const window = Ext.create('SMBGateway.ProgressWindow', { title: SMBGateway.encode(title), quiet });
    return window.run(() => SMBGateway.post(path, body));
};

/** What all panels hear: `lost` and `found` (the engine), `changed` (a job of ours has ended), `theme`. */
SMBGateway.news = new Ext.util.Observable();
