package PVE::JSONSchema;

# Stands in for the class of the same name of pve-common: the part of JSON schema that our methods and properties use.
# A word of a schema that it does not know is a fault of the schema.

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(get_standard_option);

my %WORDS = map { $_ => 1 } qw(
    type description optional default enum pattern maxLength minLength minimum maximum properties additionalProperties
    items links format typetext requires
);
my %FORMATS = map { $_ => 1 } qw(string-list pve-node pve-storage-id);

my %OPTIONS = (
    'pve-node' => { type => 'string', format => 'pve-node', description => 'The cluster node name.' },
);

sub get_standard_option {
    my ($name, $more) = @_;
    return { %{ $OPTIONS{$name} // die "no such standard option '$name'\n" }, %{ $more // {} } };
}

# Adds what is wrong with a value to the faults, by field.
sub check {
    my ($value, $schema, $field, $faults) = @_;
    my $fault = fault_of($value, $schema, $field, $faults);
    $faults->{$field} = $fault if $fault;
    return;
}

sub fault_of {
    my ($value, $schema, $field, $faults) = @_;
    my @strange = grep { !$WORDS{$_} } sort keys %$schema;
    die "schema of '$field' has unknown words: @strange\n" if @strange;
    die "schema of '$field' has an unknown format\n" if $schema->{format} && !$FORMATS{ $schema->{format} };
    my $type = $schema->{type};
    return check_object($value, $schema, $field, $faults) if $type eq 'object';
    return ref($value) eq 'ARRAY' ? '' : 'type check (\'array\') failed' if $type eq 'array';
    return $value =~ m/^(?:1|on|yes|true|0|off|no|false)$/i ? '' : "type check ('boolean') failed" if $type eq 'boolean';
    if ($type eq 'integer' || $type eq 'number') {
        return "type check ('$type') failed - got '$value'"
            if $value !~ ($type eq 'integer' ? qr/^-?\d+$/ : qr/^-?\d+(?:\.\d+)?$/);
        return "value must have a minimum value of $schema->{minimum}"
            if defined($schema->{minimum}) && $value < $schema->{minimum};
        return "value must have a maximum value of $schema->{maximum}"
            if defined($schema->{maximum}) && $value > $schema->{maximum};
        return '';
    }
    die "schema of '$field' has the unknown type '$type'\n" if $type ne 'string';
    return "value may only be $schema->{maxLength} characters long"
        if defined($schema->{maxLength}) && length($value) > $schema->{maxLength};
    return "value does not match the regex pattern" if defined($schema->{pattern}) && $value !~ m/^$schema->{pattern}$/;
    return "value '$value' does not have a value in the enumeration '@{$schema->{enum}}'"
        if $schema->{enum} && !grep { $_ eq $value } $schema->{enum}->@*;
    return '';
}

sub check_object {
    my ($value, $schema, $field, $faults) = @_;
    my $properties = $schema->{properties} // {};
    my $prefix = $field eq '' ? '' : "$field.";
    for my $name (sort keys %$properties) {
        if (defined($value->{$name})) {
            check($value->{$name}, $properties->{$name}, "$prefix$name", $faults);
        } elsif (!$properties->{$name}->{optional}) {
            $faults->{"$prefix$name"} = 'property is missing and it is not optional';
        }
    }
    if (defined($schema->{additionalProperties}) && !$schema->{additionalProperties}) {
        $faults->{"$prefix$_"} = 'property is not defined in schema and the schema does not allow additional properties'
            for grep { !$properties->{$_} } sort keys %$value;
    }
    return '';
}

1;
