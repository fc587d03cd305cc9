#!/bin/sh
# Makes Windows find the gateway below OWN: `announce.sh OWN`. wsdd2(8) answers Explorer (WS-Discovery) and tells the
# address of the name that it shows (LLMNR). By which name and workgroup is in OWN/announcement; empty: not at all.
export SMBGW_GATEWAY="$1"
echo $$ >"$1/run/announcer.pid"
{ read -r name && read -r workgroup; } <"$1/announcement"
wsdd2=/usr/sbin/wsdd2
[ -n "$workgroup" ] && [ -x $wsdd2 ] || exec sleep 2147483647
# It asks testparm, where it finds that, for names in the host's smb.conf. It needs no rights.
PATH=/nonexistent exec /usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups --no-new-privs --pdeathsig=TERM \
    $wsdd2 -H "$name" -N "$name" -G "$workgroup" -b 'vendor:pve-smbgateway,model:SMB gateway'
