package PVE::RPCEnvironment;

# Stands in for who asks, what he may, and tasks, which here run at once. Privileges are [path, privilege].

use strict;
use warnings;

use PVE::Exception qw(raise_perm_exc);

our ($USER, @PRIVILEGES, @TASKS) = ('root@pam');
my $self = bless({}, __PACKAGE__);

sub get { return $self }
sub get_user { return $USER }

sub check {
    my ($env, $user, $path, $privileges, $noerr) = @_;
    return 1 if $user eq 'root@pam';
    for my $wanted (@$privileges) {
        next if grep { $_->[1] eq $wanted && ($_->[0] eq '/' || "$path/" =~ m{^\Q$_->[0]\E/}) } @PRIVILEGES;
        return undef if $noerr;
        raise_perm_exc("$path, $wanted");
    }
    return 1;
}

sub check_rule {
    my ($env, $user, $rule, $param) = @_;
    my ($kind, @rest) = @$rule;
    return !grep { !$env->check_rule($user, $_, $param) } @rest if $kind eq 'and';
    die "unknown kind of check '$kind'\n" if $kind ne 'perm';
    my $path = $rest[0] =~ s/\{([\w-]+)\}/$param->{$1} \/\/ die "no parameter $1\n"/ger;
    return $env->check($user, $path, $rest[1], 1);
}

sub fork_worker {
    my ($env, $type, $id, $user, $work) = @_;
    die "bad word in UPID\n" if "$type$id$user" =~ m{[:\s/]};
    local *STDOUT;
    open(STDOUT, '>', \my $log) or die "no log: $!\n";
    my $status = eval { $work->("UPID:$type"); 1 } ? 'OK' : $@ =~ s/\n$//r;
    close(STDOUT);
    push @TASKS, { type => $type, id => $id, log => [split(/\n/, $log // '')], status => $status };
    return "UPID:pve1:00000001:00000001:00000001:$type:$id:$user:";
}

1;
