package PVE::API2::SMBGateway;

# /nodes/{node}/smbgateway: who may ask for what. Everything else is the engine's, which also checks what is asked.

use strict;
use warnings;

use JSON;

use PVE::Exception qw(raise raise_param_exc raise_perm_exc);
use PVE::JSONSchema qw(get_standard_option);
use PVE::RESTHandler;
use PVE::RPCEnvironment;

use PVE::API2::SMBGateway::Engine;
use PVE::API2::SMBGateway::Fields;

our @ISA = ('PVE::RESTHandler');

my $NAME = '[A-Za-z0-9_][A-Za-z0-9 ._-]*\$?';
my @SHARE = (gateway => '[a-z][a-z0-9-]*', share => $NAME);
my @MAY_SEE = ('perm', '/nodes/{node}', ['Sys.Audit']);
my @MAY_CHANGE = ('perm', '/nodes/{node}', ['Sys.Modify']);
my $MAY_SHARE = ['and', ['perm', '/storage', ['Datastore.Allocate']], [@MAY_CHANGE]];
my $ALL_NODES = ['perm', '/', ['Sys.Modify']];
my $TASK = { type => 'string', description => 'UPID of the task.' };
my %OPTIONS = (
    force => { type => 'boolean', optional => 1, description => 'Do it although a check advises against it.' },
    'destroy-data' => { type => 'boolean', optional => 1, description => 'Remove the data too.' },
);

sub mount {
    PVE::RESTHandler::register_method('PVE::API2::Nodes::Nodeinfo', { subclass => __PACKAGE__, path => 'smbgateway' });
    return;
}

sub _user {
    return PVE::RPCEnvironment::get()->get_user();
}

# Asks the engine; what it refuses is an exception, with each fault at the parameter that it is about.
sub _ask {
    my ($verb, $target, $body, $fields) = @_;

    my ($status, $answer) = eval { PVE::API2::SMBGateway::Engine::ask(_user(), $verb, $target, $body) };
    raise($@, code => 503) if $@;
    return $answer if $status < 300;
    raise_param_exc(_faults($answer->{faults}, $fields // {})) if $answer->{faults} && $answer->{faults}->@*;
    raise(PVE::API2::SMBGateway::Engine::told($answer) . "\n", code => $status);
}

# A fault's field is a dotted path that ends near the parameter: share.docs.quota, gateway.docs.mode.memory.
sub _faults {
    my ($faults, $fields) = @_;

    my $errors = {};
    for my $fault (@$faults) {
        my ($field) = grep { $fields->{$_} } map { tr/_/-/r } reverse split(/\./, $fault->{field});
        $field //= $fields->{name} ? 'name' : $fault->{field};
        my $text = $fault->{message} . ($fault->{hint} ne '' ? " ($fault->{hint})" : '');
        $errors->{$field} = defined($errors->{$field}) ? "$errors->{$field}; $text" : $text;
    }
    return $errors;
}

# Has the engine check a change, and sees it through as a task.
sub _task {
    my ($type, $id, $target, $body, $fields) = @_;

    my $user = _user();
    my ($job) = (_ask('POST', $target, $body, $fields)->{job} // '') =~ m/^([0-9a-f]+)$/
        or raise("the engine started no job\n", code => 500);
    my $work = sub { PVE::API2::SMBGateway::Engine::follow($user, $job) };
    return PVE::RPCEnvironment::get()->fork_worker($type, $id =~ s{[^\w.-]}{_}gr, $user, $work);
}

sub _options {
    my ($param) = @_;
    return { map { tr/-/_/r => $param->{$_} ? JSON::true : JSON::false } grep { defined($param->{$_}) } keys %OPTIONS };
}

# Parameters as fields of a request of a kind.
sub _given {
    my ($kind, $param) = @_;

    my $fields = $PVE::API2::SMBGateway::Fields::OF{$kind};
    my %given;
    for my $name (grep { defined($param->{$_}) } sort keys %$fields) {
        my ($form, $value) = ($fields->{$name}->[0], $param->{$name});
        $value = $value =~ m/^(?:1|on|yes|true)$/i ? JSON::true : JSON::false if $form eq 'boolean';
        $value = int($value) if $form eq 'integer';
        $value = [grep { $_ ne '' } split(/[\s,;\0]+/, $value)] if $form eq 'list';
        if ($form eq 'object') {
            $value = eval { JSON->new->utf8(0)->decode($value) };
            raise_param_exc({ $name => 'not the JSON of an object' }) if ref($value) ne 'HASH';
        }
        $given{ $name =~ tr/-/_/r } = $value;
    }
    return \%given;
}

# Paths of the node are root's alone, as everywhere in Proxmox VE; a token of root's is not root.
sub _check_source {
    my ($request) = @_;

    my $source = $request->{source};
    my $kind = ref($source) ? $source->{kind} // '' : ($source // '') =~ s/:.*//sr;
    my ($storage) = $kind ne 'storage' ? () : ref($source) ? $source->{storage} : $source =~ m/:(.*)/s;
    PVE::RPCEnvironment::get()->check(_user(), "/storage/$storage", ['Datastore.AllocateSpace'])
        if defined($storage) && $storage =~ m/^[\w.-]+$/;
    return if !defined($request->{path}) && $kind !~ m/^(?:directory|image|btrfs|xfs)$/;
    raise_perm_exc('a path of the node is only allowed for root@pam') if _user() ne 'root@pam';
    return;
}

# What Proxmox VE asks of who makes a guest: the engine, which makes it as root, does not.
sub _check_guest {
    my ($mode) = @_;

    return if ($mode->{kind} // 'native') eq 'native';
    my ($rpcenv, $user) = (PVE::RPCEnvironment::get(), _user());
    my %named = map { $_ => $mode->{$_} } grep { ($mode->{$_} // '') =~ m/^[\w.-]+$/ } qw(vmid storage bridge);
    $rpcenv->check($user, $named{vmid} ? "/vms/$named{vmid}" : '/vms', ['VM.Allocate']);
    $rpcenv->check($user, "/storage/$named{storage}", ['Datastore.AllocateSpace']) if $named{storage};
    $rpcenv->check($user, "/sdn/zones/localnetwork/$named{bridge}", ['SDN.Use']) if $named{bridge};
    $rpcenv->check($user, '/', ['Sys.Console']) if $mode->{ha};
    return;
}

sub _target {
    return join('/', map { s/([^A-Za-z0-9._~-])/sprintf('%%%02X', ord($1))/ger } @_);
}

# One method. `names` are the parameters of its path, with their patterns.
sub _method {
    my ($name, $verb, $path, $check, $names, $properties, $returns, $code) = @_;

    my %named = @$names;
    my %path = map { $_ => { type => 'string', pattern => $named{$_}, maxLength => 80 } } keys %named;
    __PACKAGE__->register_method({
        name => $name,
        path => $path,
        method => $verb,
        description => ucfirst($name =~ tr/_/ /r) . '.',
        protected => 1,
        proxyto => 'node',
        ($check ? (permissions => { check => $check }) : ()),
        parameters => {
            additionalProperties => 0,
            properties => { node => get_standard_option('pve-node'), %$properties, %path },
        },
        returns => $returns,
        code => $code,
    });
    return;
}

sub _schemas {
    my ($kind, @left_out) = @_;
    my %schemas = map { $_->[0] => $_->[1]->[1] } _pairs($PVE::API2::SMBGateway::Fields::OF{$kind});
    delete @schemas{@left_out};
    return \%schemas;
}

sub _pairs {
    my ($hash) = @_;
    return map { [$_, $hash->{$_}] } sort keys %$hash;
}

sub _optional {
    my ($schemas) = @_;
    return { map { $_->[0] => { $_->[1]->%*, optional => 1 } } _pairs($schemas) };
}

my @FOLDERS = qw(
    checkup choices gateways groups jobs places quota receivers shares status telling templates users version
);
__PACKAGE__->register_method({
    name => 'index',
    path => '',
    method => 'GET',
    description => 'What there is.',
    permissions => { user => 'all' },
    parameters => { additionalProperties => 0, properties => { node => get_standard_option('pve-node') } },
    returns => {
        type => 'array',
        items => { type => 'object', properties => { name => { type => 'string' } } },
        links => [{ rel => 'child', href => '{name}' }],
    },
    code => sub { return [map { { name => $_ } } @FOLDERS] },
});

# Lists and states, as the engine tells them.
sub _read {
    my ($name, $path, $names, $target, $key) = @_;

    my @names = map { $names->[2 * $_] } 0 .. @$names / 2 - 1;
    my $returns = { type => $key ? 'array' : 'object', $key ? (items => { type => 'object' }) : () };
    _method($name, 'GET', $path, [@MAY_SEE], $names, {}, $returns, sub {
        my ($param) = @_;
        my $answer = _ask('GET', @names ? "$target/" . _target($param->@{@names}) : $target);
        return $key ? $answer->{$key} : $answer;
    });
    return;
}

_read('version', 'version', [], '/v1/version');
_read('status', 'status', [], '/v1/status');
_read('list_shares', 'shares', [], '/v1/shares', 'shares');
_read('share_status', 'shares/{gateway}/{share}', [@SHARE], '/v1/status/share');
_read('list_snapshots', 'shares/{gateway}/{share}/snapshots', [@SHARE], '/v1/snapshots', 'snapshots');
_read('list_templates', 'templates', [], '/v1/templates', 'templates');
_read('list_jobs', 'jobs', [], '/v1/jobs', 'jobs');
_read('job', 'jobs/{job}', [job => '[0-9a-f]{1,32}'], '/v1/jobs');

_read('checkup', 'checkup', [], '/v1/checkup');
_read('quota', 'quota', [], '/v1/quota');
_read('quota_events', 'quota/events', [], '/v1/quota/events');
_read('telling', 'telling', [], '/v1/receivers');

my @GATEWAY = (gateway => '[a-z_][a-z0-9_.-]*');
_read('gateway_status', 'gateways/{gateway}/status', [@GATEWAY], '/v1/status/gateway');
_read('gateway_members', 'gateways/{gateway}/members', [@GATEWAY], '/v1/clusters');
_method('gateway_log', 'GET', 'gateways/{gateway}/log', [@MAY_SEE], [@GATEWAY], {}, { type => 'object' },
    sub { return _ask('GET', '/v1/status/gateway/' . _target($_[0]->{gateway}) . '/log') });

_method('quota_show', 'GET', 'shares/{gateway}/{share}/quota', [@MAY_SEE], [@SHARE], {}, { type => 'object' },
    sub { return _ask('GET', '/v1/quota/show?share=' . _target($_[0]->@{qw(gateway share)})) });
my $span = { type => 'string', enum => [qw(day week month year)], optional => 1, default => 'day' };
_method('quota_history', 'GET', 'shares/{gateway}/{share}/history', [@MAY_SEE], [@SHARE], { span => $span },
    { type => 'object' }, sub {
    my ($param) = @_;
    my $share = _target($param->@{qw(gateway share)});
    return _ask('GET', "/v1/quota/history?share=$share&span=" . ($param->{span} // 'day'));
});

# What is done at once, without a task.
_method('disconnect', 'POST', 'shares/{gateway}/{share}/disconnect', $MAY_SHARE, [@SHARE],
    { id => { type => 'string', pattern => '[0-9]{1,10}' } }, { type => 'object' }, sub {
    my ($param) = @_;
    my $share = "$param->{gateway}/$param->{share}";
    return _ask('POST', '/v1/clients/disconnect', { share => $share, id => $param->{id} });
});
_method('receiver_test', 'POST', 'receivers/{receiver}/test', $ALL_NODES, [receiver => '[a-z_][a-z0-9_.-]*'], {},
    { type => 'object' }, sub { return _ask('POST', '/v1/receivers/test', { name => $_[0]->{receiver} }) });

_method('list_places', 'GET', 'places', [@MAY_SEE], [], { name => { type => 'string', maxLength => 80 } },
    { type => 'array', items => { type => 'object' } },
    sub { return _ask('GET', '/v1/places?name=' . _target($_[0]->{name}))->{places} });

_method('choices', 'GET', 'choices', [@MAY_SEE], [], { name => { type => 'string', maxLength => 80 } },
    { type => 'object' },
    sub { return _ask('GET', '/v1/choices?name=' . _target($_[0]->{name})) });

my $create = _schemas('create');
my $prepared = sub {
    my ($param) = @_;
    my $request = _given('create', $param);
    _check_source($request);
    _check_guest({ kind => $request->{mode}, bridge => $request->{bridge} });
    return $request;
};
_method('create_share', 'POST', 'shares', $MAY_SHARE, [], { %$create, force => $OPTIONS{force} }, $TASK, sub {
    my ($param) = @_;
    my $request = $prepared->($param);
    return _task('smbcreate', $param->{name}, '/v1/create', { %$request, options => _options($param) }, $create);
});
_method('plan_share', 'POST', 'plan', $MAY_SHARE, [], $create, { type => 'object' }, sub {
    my ($param) = @_;
    return _ask('POST', '/v1/plan', { create => $prepared->($param) }, $create);
});
_method('apply', 'POST', 'apply', undef, [], { %OPTIONS, text => { type => 'string', maxLength => 4000000 } }, $TASK, sub {
    my ($param) = @_;
    my $body = { text => $param->{text}, options => _options($param) };
    return _task('smbapply', '', '/v1/apply', $body, { text => 1 });
});

# Records: what is not given stays, what `delete` names gets its default again.
sub _change {
    my ($type, $kind, $key, $param, $record) = @_;

    my $fields = _schemas($kind);
    my $given = _given($kind, $param);
    for my $name (map { tr/-/_/r } split(/[\s,;\0]+/, $param->{delete} // '')) {
        raise_param_exc({ delete => "there is no field $name" }) if !$fields->{ $name =~ tr/_/-/r };
        delete $record->{$name};
    }
    _check_source($given);
    _check_guest($given->{mode}) if ref($given->{mode});
    my $body = { resources => [{ %$record, %$given }], options => _options($param) };
    return _task($type, $key, '/v1/apply', $body, $fields);
}

sub _remove {
    my ($kind, $key, $param) = @_;
    my $body = { targets => [{ kind => $kind, name => $key }], options => _options($param) };
    return _task('smbdelete', $key, '/v1/remove', $body);
}

# The methods of one resource below its path.
sub _resource {
    my ($kind, $path, $check, $names) = @_;

    my @names = map { $names->[2 * $_] } 0 .. @$names / 2 - 1;
    my $key = sub { return join('/', $_[0]->@{@names}) };
    my $record = sub { return _ask('GET', "/v1/resources/$kind/" . _target($_[0]->@{@names})) };
    my $more = { %{ _optional(_schemas($kind, 'gateway')) }, force => $OPTIONS{force} };
    my $delete = { type => 'string', format => 'string-list', optional => 1, description => 'Fields to reset.' };
    _method("${kind}_update", 'PUT', $path, $check, $names, { %$more, delete => $delete }, $TASK, sub {
        my ($param) = @_;
        return _change('smbupdate', $kind, $key->($param), $param, $record->($param));
    });
    _method("${kind}_delete", 'DELETE', $path, $check, $names, {%OPTIONS}, $TASK, sub {
        return _remove($kind, $key->($_[0]), $_[0]);
    });
    return;
}

for my $each (
    ['gateway', [@MAY_CHANGE]], ['user', $ALL_NODES], ['group', $ALL_NODES], ['receiver', $ALL_NODES],
) {
    my ($kind, $check) = @$each;
    my @names = ($kind => '[a-z_][a-z0-9_.-]*');
    my $returns = { type => 'array', items => { type => 'object' } };
    _method("list_${kind}s", 'GET', "${kind}s", [@MAY_SEE], [], {}, $returns, sub {
        return _ask('GET', "/v1/resources?kind=$kind")->{resources};
    });
    my $named = { name => { type => 'string', pattern => $names[1], maxLength => 40 } };
    _method("${kind}_create", 'POST', "${kind}s", $check, [], { %{ _schemas($kind, 'digest') }, %$named }, $TASK, sub {
        my ($param) = @_;
        return _change('smbcreate', $kind, $param->{name}, $param, { kind => $kind, name => $param->{name} });
    });
    _read("${kind}_show", "${kind}s/{$kind}", \@names, "/v1/resources/$kind");
    _resource($kind, "${kind}s/{$kind}", $check, \@names);
}
_resource('share', 'shares/{gateway}/{share}', $MAY_SHARE, [@SHARE]);

# The life of gateways.
for my $each (['start', JSON::true], ['stop', JSON::false]) {
    my ($verb, $enabled) = @$each;
    _method("gateway_$verb", 'POST', "gateways/{gateway}/$verb", [@MAY_CHANGE], [@GATEWAY], {}, $TASK, sub {
        my $name = $_[0]->{gateway};
        my $record = _ask('GET', '/v1/resources/gateway/' . _target($name));
        return _task("smb$verb", $name, '/v1/apply', { resources => [{ %$record, enabled => $enabled }] });
    });
}
for my $each (['restart', {}], ['upgrade', { template => { type => 'string', maxLength => 255, optional => 1 } }]) {
    my ($verb, $more) = @$each;
    _method("gateway_$verb", 'POST', "gateways/{gateway}/$verb", [@MAY_CHANGE], [@GATEWAY], $more, $TASK, sub {
        my ($param) = @_;
        my %given = map { $_ => $param->{$_} } grep { defined($param->{$_}) } ('gateway', keys %$more);
        return _task("smb$verb", $param->{gateway}, "/v1/gateways/$verb", \%given, { %$more, gateway => 1 });
    });
}
_method('quota_users', 'GET', 'shares/{gateway}/{share}/quota/users', [@MAY_SEE], [@SHARE], {}, { type => 'object' },
    sub { return _ask('GET', '/v1/quota/users?share=' . _target($_[0]->@{qw(gateway share)})) });

# Snapshots.
my @SNAPSHOT = (@SHARE, snapshot => '[A-Za-z0-9][A-Za-z0-9@:._-]*');
for my $each (
    ['snapshot_take', 'POST', '', [@SHARE], 'create'],
    ['snapshot_delete', 'DELETE', '/{snapshot}', \@SNAPSHOT, 'delete'],
    ['snapshot_restore', 'POST', '/{snapshot}/restore', \@SNAPSHOT, 'restore'],
) {
    my ($name, $verb, $path, $names, $what) = @$each;
    _method($name, $verb, "shares/{gateway}/{share}/snapshots$path", $MAY_SHARE, $names, {}, $TASK, sub {
        my ($param) = @_;
        my $share = "$param->{gateway}/$param->{share}";
        my $body = { share => $share, defined($param->{snapshot}) ? (name => $param->{snapshot}) : () };
        return _task('smbsnapshot', $share, "/v1/snapshots/$what", $body);
    });
}

# A job is also stopped with its task; this is for those of others.
_method('stop_job', 'DELETE', 'jobs/{job}', [@MAY_CHANGE], [job => '[0-9a-f]{1,32}'], {}, { type => 'null' }, sub {
    _ask('POST', "/v1/jobs/$_[0]->{job}/stop", {});
    return undef;
});

_method('create_template', 'POST', 'templates', undef, [], _schemas('template'), $TASK, sub {
    return _task('smbtemplate', '', '/v1/templates', _given('template', $_[0]), _schemas('template'));
});

1;
