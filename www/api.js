/* The API in words: /openapi.json as a page. It is text of the engine's own; all of it goes in as text all the same. */
(async () => {
    const theme = localStorage.getItem('smbgw-theme') ?? 'auto';
    const dark = theme === 'dark' || (theme === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
    document.documentElement.dataset.theme = dark ? 'dark' : 'light';

    /** An element: make('td', {title: '...'}, 'text', element, ...). */
    const make = (tag, more = {}, ...inside) => {
        const made = Object.assign(document.createElement(tag), more);
        made.append(...inside.filter((each) => each !== undefined && each !== ''));
        return made;
    };

    const nameOf = (reference) => reference.split('/').pop();

    /** What kind of value it is, with links to what is described apart. */
    const kind = (schema = {}) => {
        const among = schema.anyOf ?? schema.oneOf ?? schema.allOf;
        if (schema.$ref) {
            return [make('a', { href: `#${nameOf(schema.$ref)}` }, nameOf(schema.$ref))];
        }
        if (among) {
            return among.flatMap((each, at) => (at ? [' or ', ...kind(each)] : kind(each)));
        }
        if (schema.enum || 'const' in schema) {
            return [(schema.enum ?? [schema.const]).map((each) => JSON.stringify(each)).join(', ')];
        }
        if (schema.type === 'array') {
            return ['list of ', ...kind(schema.items)];
        }
        if (schema.additionalProperties && !schema.properties) {
            return ['names with ', ...kind(schema.additionalProperties === true ? {} : schema.additionalProperties)];
        }
        return [schema.type ?? 'anything'];
    };

    /** Rows of [name, kinds, words]. */
    const table = (caption, rows) => {
        const body = rows.map(([name, kinds, words]) => make('tr', {}, make('th', { scope: 'row' }, make('code', {}, name)), make('td', {}, ...kinds), make('td', {}, words ?? '')));
        return make('table', {}, make('caption', {}, caption), make('tbody', {}, ...body));
    };

    const wanted = (required) => (required ? ' (required)' : '');
    const fields = ({ properties = {}, required = [] }) =>
        Object.entries(properties).map(([name, each]) => [name, [...kind(each), wanted(required.includes(name))], each.description]);
    const content = (holder) => Object.values(holder?.content ?? {})[0]?.schema;

    const route = (path, verb, { summary, description, parameters = [], requestBody, responses }) => {
        const head = make('summary', {}, make('b', { className: `smbgw-verb-${verb}` }, verb.toUpperCase()), make('code', {}, path), make('span', {}, summary ?? ''));
        const asked = parameters.map((each) => [each.name, [...kind(each.schema), wanted(each.required)], each.description]);
        const answers = Object.entries(responses).map(([code, each]) => [code, content(each) ? kind(content(each)) : [], each.description]);
        const parts = [
            description ? make('p', {}, description) : '',
            asked.length ? table('Parameters', asked) : '',
            requestBody ? make('p', {}, 'Body: ', ...kind(content(requestBody))) : '',
            table('Answers', answers),
        ];
        const made = make('details', {}, head, ...parts);
        made.dataset.words = `${verb} ${path} ${summary}`.toLowerCase();
        return made;
    };

    const schema = ([name, each]) =>
        make('details', { id: name }, make('summary', {}, make('code', {}, name)), make('p', {}, each.description ?? ''), each.properties ? table('Fields', fields(each)) : make('p', {}, ...kind(each)));

    /** A link to a part opens it. */
    const openPart = () => {
        const part = document.getElementById(decodeURIComponent(location.hash.slice(1)));
        if (part?.tagName === 'DETAILS') {
            part.open = true;
            part.scrollIntoView();
        }
    };

    const about = document.getElementById('about');
    const answer = await fetch('/openapi.json').catch(() => null);
    if (!answer?.ok) {
        about.replaceChildren('The engine does not answer: ', make('a', { href: '' }, 'ask again'));
        return;
    }
    const { info, paths, components } = await answer.json();
    about.replaceChildren(`Version ${info.version}. Programs send a token, made in the settings, as Authorization: Bearer TOKEN. For machines: `, make('a', { href: '/openapi.json' }, 'openapi.json'));
    const routes = Object.entries(paths).flatMap(([path, verbs]) => Object.entries(verbs).map(([verb, each]) => route(path, verb, each)));
    document.getElementById('routes').append(make('h2', {}, 'Calls'), ...routes);
    document.getElementById('schemas').append(make('h2', {}, 'What is sent and answered'), ...Object.entries(components?.schemas ?? {}).map(schema));
    const search = document.getElementById('search');
    search.hidden = false;
    search.querySelector('input').addEventListener('input', ({ target }) => {
        routes.forEach((each) => (each.hidden = !each.dataset.words.includes(target.value.trim().toLowerCase())));
    });
    window.addEventListener('hashchange', openPart);
    openPart();
})();
