package PVE::Exception;

# Stands in for the class of the same name of pve-common.

use strict;
use warnings;

use Exporter 'import';
use overload '""' => sub { return $_[0]->{msg} }, 'cmp' => sub { return "$_[0]" cmp "$_[1]" };

our @EXPORT_OK = qw(raise raise_param_exc raise_perm_exc);

sub raise {
    my ($text, %more) = @_;
    die bless({ msg => $text, %more }, __PACKAGE__);
}

sub raise_param_exc {
    my ($errors) = @_;
    raise("Parameter verification failed.\n", code => 400, errors => $errors);
}

sub raise_perm_exc {
    my ($what) = @_;
    raise("Permission check failed ($what)\n", code => 403);
}

1;
