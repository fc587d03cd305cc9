package PVE::Storage::Custom::SMBGateway;

# A share as a storage of Proxmox VE, which then shows how full it is and keeps that for years. Thin: it reads what the
# engine wrote, and provisions nothing, as its hooks run under a lock of the whole cluster.
#
# Every command of Proxmox VE loads this file, and a fault in it stops all of them: no module that is not loaded anyway
# is used here, and whatever is missing is met when it is needed.

use strict;
use warnings;

use PVE::Storage::Plugin;

our @ISA = ('PVE::Storage::Plugin');

my $TESTED_MAX = 15; # the newest APIVER this was tested with
our $SNAPSHOT = '/run/pve-smbgateway/status.json';
our $FORGOTTEN = '/etc/pve/smbgateway/forgotten';
my $FRESH = 90; # seconds; the engine writes once a minute at least

my $known = { mark => '' }; # the snapshot, as long as the file is the same
my $told = ''; # what is wrong is told once, not every 10 seconds for each storage

# One that is newer than the host's is refused, one that is older warns at every command.
sub api {
    my $host = eval { PVE::Storage::APIVER() } // $TESTED_MAX;
    return $host < $TESTED_MAX ? $host : $TESTED_MAX;
}

sub type {
    return 'smbgateway';
}

sub plugindata {
    return {
        content => [{ map { $_ => 1 } qw(none iso vztmpl snippets backup) }, { none => 1 }],
        format => [{ raw => 1 }, 'raw'],
        'sensitive-properties' => {},
    };
}

# Names are one name space with all other plugins: a name that two of them define stops every daemon.
sub properties {
    return {
        'smbgw-share' => {
            description => 'The share, as GATEWAY/NAME.',
            type => 'string',
            maxLength => 121,
            pattern => '[a-z][a-z0-9-]*/[A-Za-z0-9_][A-Za-z0-9 ._-]*\$?',
        },
    };
}

# An option that nobody defines stops every daemon too, and what is defined differs between releases.
sub options {
    my %wanted = (
        'smbgw-share' => { fixed => 1 },
        map { $_ => { optional => 1 } } qw(
            nodes shared disable content path content-dirs create-subdirs bwlimit prune-backups max-protected-backups
        ),
    );
    my $defined = PVE::Storage::Plugin->private()->{propertyList};
    return { map { $_ => $wanted{$_} } grep { $defined->{$_} } keys %wanted };
}

# Only of a new storage: a section of storage.cfg that does not pass is lost when the file is written next.
sub check_config {
    my ($class, $id, $config, $create, $reading) = @_;

    my $checked = $class->SUPER::check_config($id, $config, $create, $reading);
    if ($create && !$reading && !defined($checked->{path})) {
        my @kinds = grep { $_ ne 'none' } sort keys %{ $checked->{content} // {} };
        die "content @kinds needs 'path': the directory of the share on this node\n" if @kinds;
    }
    return $checked;
}

sub check_connection {
    return 1; # status tells; who dies here writes to the log every 10 seconds
}

# The base class knows no content 'none', and dies of it.
sub activate_storage {
    my ($class, $id, $config, $cache) = @_;

    my @kinds = grep { $_ ne 'none' } keys %{ $config->{content} // {} };
    return @kinds ? $class->SUPER::activate_storage($id, $config, $cache) : 1;
}

sub deactivate_storage {
    return 1;
}

# Total, available and used bytes of the quota, and 1; nothing where the share is not served on this node now.
sub status {
    my ($class, $id, $config, $cache) = @_;

    my $shares = $cache->{smbgateway} //= _shares();
    my $sizes = $shares->{ $config->{'smbgw-share'} // '' };
    my $whole = ref($sizes) eq 'ARRAY' && @$sizes == 3 && !grep { ($_ // "") !~ m/^\d+$/ } @$sizes;
    return $whole ? (@$sizes, 1) : undef;
}

sub _shares {
    my $shares = eval { _read() };
    my $trouble = $shares ? '' : "SMB gateway storages are not active: $@";
    warn $trouble if $trouble ne '' && $trouble ne $told;
    $told = $trouble;
    return $shares // {};
}

sub _read {
    my @file = stat($SNAPSHOT) or die "$SNAPSHOT: $!; does pve-smbgateway.service run?\n";
    die "the engine wrote $SNAPSHOT last more than $FRESH seconds ago; it hangs, or does not run\n"
        if time() - $file[9] > $FRESH;
    my $mark = join('/', @file[1, 7, 9]); # inode, size, time
    if ($known->{mark} ne $mark) {
        require JSON;
        open(my $in, '<', $SNAPSHOT) or die "$SNAPSHOT: $!\n";
        my $text = do { local $/; <$in> };
        my $snapshot = eval { JSON::decode_json($text) };
        die "$SNAPSHOT is not what the engine writes\n"
            if ref($snapshot) ne 'HASH' || ref($snapshot->{shares}) ne 'HASH';
        $known = { mark => $mark, shares => $snapshot->{shares} };
    }
    return $known->{shares};
}

# Who removes the storage does not want it again: the engine takes note, and leaves share and data alone. Without the
# note it would take the section for lost.
sub on_delete_hook {
    my ($class, $id, $config) = @_;

    eval {
        my ($name) = $id =~ m/^([A-Za-z0-9._-]+)$/ or die "no name for a file\n";
        mkdir($FORGOTTEN);
        open(my $out, '>', "$FORGOTTEN/$name") or die "$FORGOTTEN/$name: $!\n";
        close($out) or die "$FORGOTTEN/$name: $!\n";
    };
    warn "the engine is not told that storage $id was removed: $@" if $@;
    return undef;
}

# The API of the node is mounted by whoever serves it. In the daemons as late as possible: a method of Proxmox VE at
# the same place then is first, and ours is the one that fails. pvesh looks for methods before that.
sub _mount {
    eval { require PVE::API2::SMBGateway; PVE::API2::SMBGateway->mount(); 1 }
        or warn "the API of SMB gateways is not there: $@";
    return;
}

if ($0 =~ m{/?(?:pvedaemon|pveproxy)$} && ${^GLOBAL_PHASE} eq 'START') {
    eval 'INIT { _mount() } 1' or _mount(); ## no critic (ProhibitStringyEval)
} elsif ($0 =~ m{/?(?:pvedaemon|pveproxy|pvesh)$}) {
    _mount();
}

1;
