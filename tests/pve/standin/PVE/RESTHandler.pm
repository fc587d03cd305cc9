package PVE::RESTHandler;

# Stands in for the class of the same name of pve-common: registration, with what it refuses, and calls by path.

use strict;
use warnings;

use PVE::Exception qw(raise raise_param_exc raise_perm_exc);
use PVE::JSONSchema;
use PVE::RPCEnvironment;

my %WORDS = map { $_ => 1 } qw(name path method description protected proxyto allowtoken permissions parameters returns code subclass);
our (%METHODS, %TREE, %NAMES);

sub register_method {
    my ($class, $info) = @_;
    my @strange = grep { !$WORDS{$_} } sort keys %$info;
    die "unknown words in a method: @strange\n" if @strange;
    my $place = $TREE{$class} //= {};
    for my $part (split(m{/+}, $info->{path})) {
        my ($kind, $name) = $part =~ m/^\{([\w-]+)\}$/ ? ('regex', $1) : ('folders', $part);
        die "path match error - regex and fixed items\n" if $place->{ $kind eq 'regex' ? 'folders' : 'regex' };
        die "found changed regex match name\n" if $kind eq 'regex' && $place->{regex} && !$place->{regex}->{$name};
        $place = $place->{$kind}->{$name} //= {};
    }
    my $verb = $info->{subclass} ? 'SUBCLASS' : ($info->{method} //= 'GET');
    die "duplicate method definition\n" if $place->{$verb}++;
    die "method name already defined\n" if $info->{name} && $NAMES{$class}->{ $info->{name} }++;
    push @{ $METHODS{$class} }, $info;
    return;
}

# As pveproxy and pvedaemon do it: the method, its check, its parameters, its work.
sub call {
    my ($class, $verb, $path, $given) = @_;
    for my $info (@{ $METHODS{$class} }) {
        next if $info->{method} ne $verb;
        my @names = $info->{path} =~ m/\{([\w-]+)\}/g;
        my $pattern = $info->{path} =~ s/\{[\w-]+\}/([^\/]+)/gr;
        my @values = $path =~ m/^$pattern$/ or next;
        my $param = { %{ $given // {} }, @names ? map { $names[$_] => $values[$_] } 0 .. $#names : () };
        return handle($info, $param);
    }
    raise("Method '$verb $path' not implemented\n", code => 501);
}

sub handle {
    my ($info, $param) = @_;
    my ($env, $user, $rule) = (PVE::RPCEnvironment::get(), PVE::RPCEnvironment::get()->get_user(), $info->{permissions});
    raise_perm_exc('root@pam only') if !$rule && $user ne 'root@pam';
    raise_perm_exc("$info->{name}") if $rule && $rule->{check} && !$env->check_rule($user, $rule->{check}, $param);
    my $faults = {};
    PVE::JSONSchema::check($param, { type => 'object', $info->{parameters}->%* }, '', $faults);
    raise_param_exc($faults) if %$faults;
    my $clean = { map { ($_ => $param->{$_} =~ m/^(.*)$/s ? $1 : undef) } keys %$param };
    my $result = $info->{code}->($clean);
    PVE::JSONSchema::check($result, $info->{returns}, 'returns', $faults) if $info->{returns}->{type} ne 'null';
    die map { "$_: $faults->{$_}\n" } %$faults if %$faults;
    return $result;
}

1;
