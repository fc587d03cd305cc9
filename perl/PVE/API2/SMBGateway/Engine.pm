package PVE::API2::SMBGateway::Engine;

# The engine of this node, over its socket, which only root may use. HTTP/1.0: an answer ends with the connection.

use strict;
use warnings;

use IO::Select;
use IO::Socket::UNIX;
use JSON;

our $SOCKET = '/run/pve-smbgateway/engine.sock';
our $PATIENCE = 25; # seconds for an answer: pveproxy waits 30; a job tells every 15 that it goes on

# The status of the answer, and its body.
sub ask {
    my ($user, $verb, $target, $body) = @_;

    my $in = _send($user, $verb, $target, $body);
    my $text = '';
    while (defined(my $part = _more($in))) {
        $text .= $part;
    }
    my ($status, $content) = $text =~ m{^HTTP/1\.\d (\d+)[^\n]*\n.*?\r?\n\r?\n(.*)$}s;
    my $answer = eval { JSON::decode_json($content) };
    return $answer ? (int($status), $answer) : (500, { what => 'the engine gave no proper answer' });
}

# Prints what a job does until it ends. Dies where it failed; whoever interrupts stops the job too.
sub follow {
    my ($user, $job) = @_;

    my $done = eval { _events(_send($user, 'GET', "/v1/jobs/$job/events")) };
    my $error = $@;
    if ($error =~ m/^received interrupt/) {
        my ($status, $answer) = ask($user, 'POST', "/v1/jobs/$job/stop", {});
        die $status < 300 ? "stopped: what was done is being set back\n" : told($answer) . "\n";
    }
    die $error if !$done;
    print "kept: $_\n" for $done->{kept}->@*;
    print "warning: $_\n" for $done->{warnings}->@*;
    print "$_\n" for $done->{addresses}->@*;
    return;
}

# An error of the engine in a line.
sub told {
    my ($error) = @_;
    my @parts = grep { defined($_) && $_ ne '' } ($error->{what}, $error->{cause});
    my @more = map { $error->{$_} && $error->{$_}->@* ? "$_: " . join(', ', $error->{$_}->@*) : () } qw(undone left);
    push @more, $error->{hint} if ($error->{hint} // '') ne '';
    return join('; ', join(': ', @parts), @more) =~ s/\s+/ /gr;
}

sub _send {
    my ($user, $verb, $target, $body) = @_;

    my $socket = IO::Socket::UNIX->new(Peer => $SOCKET, Timeout => 5)
        or die "the SMB gateway engine of this node does not answer: $!; does pve-smbgateway.service run?\n";
    my $content = defined($body) ? JSON::encode_json($body) : '';
    my $head = "$verb $target HTTP/1.0\r\nX-SMBGateway-User: $user\r\nContent-Type: application/json\r\n";
    $socket->print($head . 'Content-Length: ' . length($content) . "\r\n\r\n" . $content);
    $socket->flush();
    return $socket;
}

sub _more {
    my ($in) = @_;

    die "the SMB gateway engine of this node did not answer within $PATIENCE seconds\n"
        if !IO::Select->new($in)->can_read($PATIENCE);
    my $count = sysread($in, my $part, 65536) // die "the SMB gateway engine went away: $!\n";
    return $count ? $part : undef;
}

sub _events {
    my ($in) = @_;

    my $text = '';
    while (defined(my $part = _more($in))) {
        $text .= $part;
        while ($text =~ s/^(.*?)\r?\n\r?\n//s) {
            my ($kind, $data) = $1 =~ m/^event: (\w+)\r?\ndata: (.*)$/m or next;
            my $event = JSON::decode_json($data);
            return $event if $kind eq 'done';
            die told($event) . "\n" if $kind eq 'failed';
            printf "%s: %s (%.1f s)\n", $event->@{qw(name outcome seconds)} if $event->{name} ne 'request';
        }
    }
    die "the SMB gateway engine ended before the job did: its log says why\n";
}

1;
