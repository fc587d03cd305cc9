/* What the engine does and did, since it was started. */

Ext.define('SMBGateway.Tasks', {
    extend: 'SMBGateway.ActionList',
    xtype: 'smbgwTasks',
    title: gettext('Tasks'),
    path: '/v1/jobs',
    root: 'jobs',
    idProperty: 'id',
    fields: ['id', 'title', 'state', 'started'],
    sorters: [{ property: 'started', direction: 'DESC' }],
    every: 2500,
    emptyText: gettext('Nothing was done since the engine was started.'),

    columns: [
        { text: gettext('Task'), dataIndex: 'title', flex: 3, minWidth: 140 },
        { text: gettext('State'), dataIndex: 'state', width: 110, renderer: (state) => SMBGateway.jobState(state) },
        { text: gettext('Started'), dataIndex: 'started', width: 150, renderer: SMBGateway.moment },
    ],

    verbs: [
        { text: gettext('Show'), icon: 'fa-list-ul', itemId: 'show', row: true, main: true, reading: true, run: (row) => SMBGateway.showTask(row.data) },
        {
            text: gettext('Stop'), icon: 'fa-stop', itemId: 'stopTask', row: (row) => row.get('state') === 'running',
            run: (row) => SMBGateway.host.stop({ job: row.get('id') }),
        },
    ],
});

SMBGateway.jobState = (state) => {
    const words = { running: ['notice', gettext('running')], done: ['ok', gettext('done')], failed: ['critical', gettext('failed')] };
    return SMBGateway.badge(...words[state]);
};

/** A job with all that it did, and does. */
SMBGateway.showTask = ({ id, title }) =>
    Ext.create('SMBGateway.ProgressWindow', { title: SMBGateway.encode(title) }).run(async () => ({ job: id })).catch((error) => {
        if (!(error instanceof SMBGateway.Problem)) {
            throw error;
        }
    });

SMBGateway.register({ id: 'tasks', text: gettext('Tasks'), icon: 'fa-list-alt', order: 60, xtype: 'smbgwTasks' });
