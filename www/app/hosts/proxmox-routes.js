/* The engine's API as Proxmox VE has it: the same nouns, shorter paths, and flat parameters. */

SMBGateway.flat = (fields) => {
    const known = Object.entries(fields).filter(([name, value]) => value !== null && value !== undefined && !['kind', 'state'].includes(name));
    const flat = (value) =>
        value === true ? 1 : value === false ? 0 : Array.isArray(value) ? value.join(',') : typeof value === 'object' ? JSON.stringify(value) : value;
    return Object.fromEntries(known.map(([name, value]) => [name.replaceAll('_', '-'), flat(value)]));
};

/** Call and answer by pattern of the engine's path. Answers that are lists there have a name here. */
SMBGateway.PROXMOX_ROUTES = [
    ['GET', /^\/v1\/(shares|templates|jobs|places)(\?.*)?$/, ([name, query = '']) => ({ to: name + query, shape: (list) => ({ [name]: list }) })],
    ['GET', /^\/v1\/resources\?kind=(\w+)$/, ([kind]) => ({ to: `${kind}s`, shape: (resources) => ({ resources }) })],
    ['GET', /^\/v1\/resources\/share\/(.+)$/, ([key]) => ({ to: `shares/${key}`, shape: ({ share }) => share })],
    ['GET', /^\/v1\/resources\/(\w+)\/(.+)$/, ([kind, key]) => ({ to: `${kind}s/${key}` })],
    ['GET', /^\/v1\/status\/share\/(.+)$/, ([key]) => ({ to: `shares/${key}` })],
    ['GET', /^\/v1\/snapshots\/(.+)$/, ([key]) => ({ to: `shares/${key}/snapshots`, shape: (snapshots) => ({ snapshots }) })],
    ['GET', /^\/v1\/quota\/show\?share=(.+)$/, ([key]) => ({ to: `shares/${decodeURIComponent(key)}/quota` })],
    ['GET', /^\/v1\/quota\/history\?share=(.+)&span=(\w+)$/, ([key, span]) => ({ to: `shares/${decodeURIComponent(key)}/history?span=${span}` })],
    ['GET', /^\/v1\/receivers$/, () => ({ to: 'telling' })],
    ['GET', /^\/v1\/status\/gateway\/([^/]+)\/log$/, ([name]) => ({ to: `gateways/${name}/log` })],
    ['GET', /^\/v1\/status\/gateway\/(.+)$/, ([name]) => ({ to: `gateways/${name}/status` })],
    ['GET', /^\/v1\/clusters\/(.+)$/, ([name]) => ({ to: `gateways/${name}/members` })],
    ['GET', /^\/v1\/(.+)$/, ([rest]) => ({ to: rest })],
    ['POST', /^\/v1\/clients\/disconnect$/, (found, { share, id }) => ({ to: SMBGateway.path('shares', share, 'disconnect'), params: { id }, atOnce: true })],
    ['POST', /^\/v1\/receivers\/test$/, (found, { name }) => ({ to: SMBGateway.path('receivers', name, 'test'), atOnce: true })],
    ['POST', /^\/v1\/plan$/, (found, { create }) => ({ to: 'plan', params: SMBGateway.flat(create) })],
    ['POST', /^\/v1\/create$/, (found, { options, ...create }) => ({ to: 'shares', params: SMBGateway.flat({ ...create, ...options }) })],
    ['POST', /^\/v1\/apply$/, (found, body) => SMBGateway.proxmoxApply(body)],
    ['POST', /^\/v1\/remove$/, (found, { targets: [{ kind, name }], options }) => ({ verb: 'DELETE', to: SMBGateway.path(`${kind}s`, name), params: SMBGateway.flat(options ?? {}) })],
    ['POST', /^\/v1\/snapshots\/create$/, (found, { share }) => ({ to: SMBGateway.path('shares', share, 'snapshots') })],
    ['POST', /^\/v1\/snapshots\/delete$/, (found, { share, name }) => ({ verb: 'DELETE', to: SMBGateway.path('shares', share, 'snapshots', name) })],
    ['POST', /^\/v1\/snapshots\/restore$/, (found, { share, name }) => ({ to: SMBGateway.path('shares', share, 'snapshots', name, 'restore') })],
    ['POST', /^\/v1\/(.+)$/, ([rest], body) => ({ to: rest, params: SMBGateway.flat(body ?? {}) })],
];

/** One resource has a method of its own: a new one has no digest. Several together are root's to apply. */
SMBGateway.proxmoxApply = ({ resources = [], text, options = {} }) => {
    const [{ kind, name, gateway, ...fields }, ...more] = resources.length ? resources : [{}];
    if (!kind || more.length || (kind === 'share' && !fields.digest)) {
        return { to: 'apply', params: { text: text ?? JSON.stringify({ resources }), ...SMBGateway.flat(options) } };
    }
    const params = SMBGateway.flat({ ...fields, ...options });
    const path = kind === 'share' ? SMBGateway.path('shares', gateway, name) : SMBGateway.path(`${kind}s`, name);
    return fields.digest ? { verb: 'PUT', to: path, params } : { to: `${kind}s`, params: { name, ...params } };
};

SMBGateway.proxmoxCall = (method, path, body) => {
    const [, pattern, route] = SMBGateway.PROXMOX_ROUTES.find(([verb, each]) => verb === method && each.test(path));
    const call = { verb: method, params: undefined, shape: (data) => data, ...route(pattern.exec(path).slice(1), body) };
    const isTask = method === 'POST' && call.to !== 'plan' && !call.atOnce;
    return isTask ? { ...call, shape: (upid) => ({ job: upid }) } : call;
};
