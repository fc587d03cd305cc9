package PVE::Storage::Plugin;

# Stands in for the base class of storage plugins (pve-storage).

use strict;
use warnings;

use parent 'PVE::SectionConfig';

my %ELSEWHERE = (9 => ['snapshot-as-volume-chain'], 8 => ['maxfiles']); # what one release has and the other has not
my $data = {
    propertyList => {
        map({ $_ => { type => 'string', optional => 1 } } qw(type storage nodes content content-dirs prune-backups format)),
        map({ $_ => { type => 'boolean', optional => 1 } } qw(disable shared)),
        'max-protected-backups' => { type => 'integer', optional => 1 },
    },
};

sub private {
    return $data;
}

sub decode_value {
    my ($class, $type, $key, $value) = @_;
    return $value if $key ne 'content';
    my $allowed = $data->{plugindata}->{$type}->{content}->[0];
    my $content = {};
    for my $kind (split(/[,\s]+/, $value)) {
        $allowed->{$kind} ? $content->{$kind} = 1 : warn "storage does not support content type '$kind'\n";
    }
    die "unable to combine 'none' with other content types\n" if $content->{none} && keys %$content > 1;
    return $content;
}

sub parse_config {
    my ($class, $text) = @_;
    my $config = $class->SUPER::parse_config($text);
    $_->{content} //= $data->{plugindata}->{ $_->{type} }->{content}->[1] for values $config->{ids}->%*;
    return $config;
}

sub check_connection {
    return 1;
}

sub activate_storage {
    my ($class, $id, $config, $cache) = @_;
    die "storage definition has no path\n" if !$config->{path};
    die "unable to activate storage '$id' - directory '$config->{path}' does not exist or is unreachable\n"
        if !-d $config->{path};
    die "unknown vtype 'none'\n" if $config->{content}->{none};
    return;
}

sub on_add_hook {
    return undef;
}

sub on_update_hook {
    return undef;
}

1;
