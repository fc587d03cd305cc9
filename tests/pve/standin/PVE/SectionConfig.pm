package PVE::SectionConfig;

# Stands in for the class of the same name of pve-common, with what stops all of Proxmox VE when a plugin breaks it.

use strict;
use warnings;

use PVE::JSONSchema;

sub register {
    my ($class) = @_;
    my ($type, $data) = ($class->type(), $class->private());
    die "duplicate plugin registration (type = $type)" if $data->{plugins}->{$type};
    $data->{plugindata}->{$type} = $class->plugindata();
    $data->{plugins}->{$type} = $class;
    return;
}

sub init {
    my ($class) = @_;
    my $data = $class->private();
    for my $plugin (map { $data->{plugins}->{$_} } sort keys $data->{plugins}->%*) {
        my $properties = $plugin->properties();
        for my $name (sort keys %$properties) {
            die "duplicate property '$name'" if $data->{propertyList}->{$name};
            $data->{propertyList}->{$name} = $properties->{$name};
        }
    }
    for my $type (sort keys $data->{plugins}->%*) {
        my $options = $data->{plugins}->{$type}->options();
        for my $name (sort keys %$options) {
            die "undefined property '$name'" if !$data->{propertyList}->{$name};
        }
        $data->{options}->{$type} = $options;
    }
    return;
}

sub lookup {
    my ($class, $type) = @_;
    return $class->private()->{plugins}->{$type} // die "unknown section type '$type'\n";
}

sub decode_value {
    my ($class, $type, $key, $value) = @_;
    return $value;
}

sub check_config {
    my ($class, $id, $config, $create, $reading) = @_;
    my $data = $class->private();
    my ($type, $checked) = ($class->type(), { type => $class->type() });
    my $options = $data->{options}->{$type};
    for my $key (sort keys %$config) {
        next if $key eq 'type';
        die "unexpected property '$key'\n" if !$options->{$key};
        die "can't change value of fixed parameter '$key'\n" if !$create && $options->{$key}->{fixed};
        my $faults = {};
        PVE::JSONSchema::check($config->{$key}, $data->{propertyList}->{$key}, $key, $faults) if !$reading;
        die map { "$_: $faults->{$_}\n" } sort keys %$faults if %$faults;
        $checked->{$key} = $class->decode_value($type, $key, $config->{$key});
    }
    for my $key (sort keys %$options) {
        die "missing value for required option '$key'\n"
            if $create && !$options->{$key}->{optional} && !defined($config->{$key});
    }
    return $checked;
}

# Sections of an unknown type, and those that do not pass, are left out: the next write drops them.
sub parse_config {
    my ($class, $text) = @_;
    my $ids = {};
    for my $section (split(/\n(?=\S)/, $text)) {
        my ($head, @lines) = grep { m/\S/ } split(/\n/, $section);
        my ($type, $id) = $head =~ m/^(\S+):\s*(\S+)\s*$/ or next;
        my $plugin = $class->private()->{plugins}->{$type} // next;
        my $config = { map { m/^\s+(\S+)\s*(.*)$/ ? ($1 => $2) : () } @lines };
        my $checked = eval { $plugin->check_config($id, $config, 1, 1) };
        warn "(skip section '$id'): $@" if !$checked;
        $ids->{$id} = $checked if $checked;
    }
    return { ids => $ids };
}

1;
