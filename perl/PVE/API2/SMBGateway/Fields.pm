package PVE::API2::SMBGateway::Fields;

# The parameters of requests: [form, JSON schema] by field. Generated from the model by python -m smbgateway.api.perl;
# do not edit.

use strict;
use warnings;

our %OF = (
    create => {
        'access' => ['object', { type => 'string', description => 'JSON of an object.', optional => 1 }],
        'addresses' => ['list', { type => 'string', format => 'string-list', optional => 1 }],
        'bridge' => ['text', { type => 'string', optional => 1 }],
        'comment' => ['text', { type => 'string', optional => 1 }],
        'cores' => ['integer', { type => 'integer', optional => 1 }],
        'encryption' => ['text', { type => 'string', optional => 1 }],
        'gateway' => ['text', { type => 'string', optional => 1 }],
        'grace' => ['integer', { type => 'integer', optional => 1 }],
        'guest' => ['text', { type => 'string', optional => 1 }],
        'hidden' => ['boolean', { type => 'boolean', optional => 1 }],
        'memory' => ['text', { type => 'string', optional => 1 }],
        'mode' => ['text', { type => 'string', enum => ['native', 'lxc', 'vm'], optional => 1 }],
        'mtu' => ['integer', { type => 'integer', optional => 1 }],
        'name' => ['text', { type => 'string' }],
        'path' => ['text', { type => 'string', optional => 1 }],
        'port' => ['integer', { type => 'integer', optional => 1 }],
        'purpose' => ['text', { type => 'string', optional => 1 }],
        'quota' => ['text', { type => 'string', optional => 1 }],
        'router' => ['text', { type => 'string', optional => 1 }],
        'snapshots' => ['object', { type => 'string', description => 'JSON of an object.', optional => 1 }],
        'source' => ['text', { type => 'string', optional => 1 }],
        'storage' => ['boolean', { type => 'boolean', optional => 1 }],
        'swap' => ['text', { type => 'string', optional => 1 }],
        'vlan' => ['integer', { type => 'integer', optional => 1 }],
    },
    template => {
        'file' => ['text', { type => 'string', description => 'take this file instead of building', optional => 1 }],
        'mirror' => ['text', { type => 'string', pattern => '(?:(https?|file|copy)://?[!-~]+)', maxLength => 200, optional => 1 }],
        'mode' => ['text', { type => 'string', enum => ['lxc', 'vm'], description => 'for containers, or the disk of virtual machines', optional => 1 }],
        'output' => ['text', { type => 'string', description => 'keep it as a file here, for other nodes', optional => 1 }],
        'security' => ['text', { type => 'string', optional => 1 }],
        'suite' => ['text', { type => 'string', pattern => '(?:[a-z]{1,40})', description => 'of Debian', optional => 1 }],
    },
    gateway => {
        'allow-guests' => ['boolean', { type => 'boolean', optional => 1 }],
        'cluster' => ['object', { type => 'string', description => 'JSON of an object.', optional => 1 }],
        'digest' => ['text', { type => 'string', optional => 1 }],
        'discovery' => ['boolean', { type => 'boolean', optional => 1 }],
        'enabled' => ['boolean', { type => 'boolean', optional => 1 }],
        'hardened' => ['boolean', { type => 'boolean', optional => 1 }],
        'minimum-protocol' => ['text', { type => 'string', enum => ['SMB2_10', 'SMB3_00', 'SMB3_11'], optional => 1 }],
        'mode' => ['object', { type => 'string', description => 'JSON of an object.', optional => 1 }],
        'workgroup' => ['text', { type => 'string', pattern => '(?:[A-Za-z0-9][A-Za-z0-9_-]{0,14})', optional => 1 }],
    },
    group => {
        'digest' => ['text', { type => 'string', optional => 1 }],
        'members' => ['list', { type => 'string', format => 'string-list', optional => 1 }],
    },
    receiver => {
        'digest' => ['text', { type => 'string', optional => 1 }],
        'enabled' => ['boolean', { type => 'boolean', optional => 1 }],
        'least' => ['text', { type => 'string', enum => ['notice', 'warning', 'critical'], optional => 1 }],
        'password' => ['text', { type => 'string', optional => 1 }],
        'way' => ['object', { type => 'string', description => 'JSON of an object.' }],
    },
    share => {
        'access' => ['object', { type => 'string', description => 'JSON of an object.', optional => 1 }],
        'comment' => ['text', { type => 'string', maxLength => 256, optional => 1 }],
        'digest' => ['text', { type => 'string', optional => 1 }],
        'encryption' => ['text', { type => 'string', enum => ['default', 'required'], optional => 1 }],
        'gateway' => ['text', { type => 'string' }],
        'guest' => ['text', { type => 'string', enum => ['read', 'write'], optional => 1 }],
        'hidden' => ['boolean', { type => 'boolean', optional => 1 }],
        'levels' => ['object', { type => 'string', description => 'JSON of an object.', optional => 1 }],
        'purpose' => ['object', { type => 'string', description => 'JSON of an object.', optional => 1 }],
        'quota' => ['text', { type => 'string', optional => 1 }],
        'snapshots' => ['object', { type => 'string', description => 'JSON of an object.', optional => 1 }],
        'source' => ['object', { type => 'string', description => 'JSON of an object.' }],
        'storage' => ['boolean', { type => 'boolean', optional => 1 }],
        'user-quota' => ['text', { type => 'string', optional => 1 }],
    },
    user => {
        'digest' => ['text', { type => 'string', optional => 1 }],
        'enabled' => ['boolean', { type => 'boolean', optional => 1 }],
        'full-name' => ['text', { type => 'string', maxLength => 256, optional => 1 }],
        'password' => ['text', { type => 'string', optional => 1 }],
    },
);

1;
