#!/bin/sh
# Keeps smbd, samba-dcerpcd and announce.sh of the gateway below OWN running: `supervise.sh OWN`, in a mount namespace of its own.
# What supervise.py does on a node, in a tenth of the memory. With more words it is its own child, and tends one program.
own=$1
shift

tend() {
    tenths=1
    trap 'wait; exit 0' TERM
    while :; do
        began=$(date +%s)
        setpriv --pdeathsig TERM "$@" &
        wait $!
        [ $(($(date +%s) - began)) -gt 30 ] && tenths=1
        sleep "$((tenths / 10)).$((tenths % 10))" &
        wait $!
        tenths=$((tenths < 150 ? tenths * 2 : 300))
    done
}

end() {
    trap '' TERM
    kill -TERM 0
    wait
    rm -f "$own/run/supervisor.pid"
    exit 0
}

[ $# -gt 0 ] && tend "$@"
mount --bind "$own/accounts" /var/lib/extrausers
[ -e /etc/machine-id ] || : >/etc/machine-id
for name in nsswitch.conf passwd group machine-id; do
    mount --bind "$own/$name" "/etc/$name"
done
trap end TERM INT
for folder in /usr/libexec/samba /usr/lib/*/samba; do
    rpc="$folder/rpcd_classic $folder/rpcd_lsad $folder/rpcd_winreg"
    [ -x "$folder/samba-dcerpcd" ] && dcerpcd="$folder/samba-dcerpcd $rpc"
done
setpriv --pdeathsig KILL sh "$0" "$own" sh "${0%/*}/announce.sh" "$own" &
for program in smbd "$dcerpcd"; do
    # Unquoted: several words. It ends with us, whatever ends us.
    setpriv --pdeathsig KILL sh "$0" "$own" $program --foreground --no-process-group "--configfile=$own/smb.conf" &
done
echo $$ >"$own/run/supervisor.pid"
wait
