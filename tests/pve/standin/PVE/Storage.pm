package PVE::Storage;

# Stands in for the module that loads all storage plugins (pve-storage), as every daemon and command does.

use strict;
use warnings;

use PVE::Storage::Plugin;

# Of the release that a test asks for (table of APIVER and APIAGE in pve-storage's changelog).
our ($APIVER, $APIAGE) = (15, 6);
($APIVER, $APIAGE) = ($1, $2) if ($ENV{STANDIN_API} // '') =~ m/^(\d+)-(\d+)$/;

sub APIVER { return $APIVER }

package Standin::DirPlugin {
    our @ISA = ('PVE::Storage::Plugin');
    sub type { return 'dir' }
    sub plugindata { return { content => [{ iso => 1, backup => 1 }, { backup => 1 }] } }

    sub properties {
        my @names = qw(path mkdir create-base-path create-subdirs is_mountpoint bwlimit);
        push @names, split(/,/, $ENV{STANDIN_PROPERTIES} // '');
        return { map { $_ => { type => 'string', optional => 1 } } @names };
    }

    sub options { return { path => { fixed => 1 }, content => { optional => 1 } } }
    sub activate_storage { return 1 }
    sub status { return (100, 60, 40, 1) }
}

Standin::DirPlugin->register();

my ($folder) = grep { -d } map { "$_/PVE/Storage/Custom" } @INC;
for my $file (sort glob("$folder/*.pm")) {
    my ($name) = $file =~ m{/(\w+)\.pm$};
    my $module = "PVE::Storage::Custom::$name";
    eval {
        require "PVE/Storage/Custom/$name.pm";
        die "not derived from PVE::Storage::Plugin\n" if !$module->isa('PVE::Storage::Plugin');
        die "does not provide an api() method\n" if !$module->can('api');
        my $version = $module->api();
        die "implements an API version newer than current ($version > $APIVER)\n" if $version > $APIVER;
        die "API version too old, please update the plugin\n" if $version < $APIVER - $APIAGE;
        $module->register();
        warn "Plugin \"$module\" is implementing an older storage API, an upgrade is recommended\n"
            if $version != $APIVER;
    };
    warn "Error loading storage plugin \"$module\": $@" if $@;
}

PVE::Storage::Plugin->init();

# As pvestatd asks, every 10 seconds.
sub storage_info {
    my ($config) = @_;
    my ($info, $cache) = ({}, {});
    for my $id (sort keys $config->{ids}->%*) {
        my $section = $config->{ids}->{$id};
        my $plugin = PVE::Storage::Plugin->lookup($section->{type});
        $info->{$id} = { total => 0, avail => 0, used => 0, active => 0 };
        eval {
            die "storage '$id' is not online\n" if !$plugin->check_connection($id, $section);
            $plugin->activate_storage($id, $section, $cache);
            1;
        } or do { warn $@; next };
        my ($total, $avail, $used, $active) = eval { $plugin->status($id, $section, $cache) };
        warn $@ if $@;
        next if !$active;
        $info->{$id} = { total => int($total), avail => int($avail), used => int($used), active => $active };
    }
    return $info;
}

1;
