"""The files of ctdbd below `OWN/ctdb/etc`, which it sees as /etc/ctdb. Pure (ctdb.conf(5), ctdb(7))."""

import shlex
from collections.abc import Callable

from ..model import Cluster, Member
from .fence import PUBLIC

HELPERS = "/usr/libexec/ctdb"
MUTEX, PMXCFS = "smbgateway.cluster.mutex", "smbgateway.cluster.pmxcfs"
EXPIRY = 5  # seconds after which a lock in RADOS is free that nobody renews
DATABASES = ("volatile", "persistent", "state")
# Whole seconds, all of them. A silent death is noticed after 2 s, and a recovery follows at once (measured: shorter
# gains nothing, and a leader timeout of 1 s never ends an election).
TUNABLES = {
    "KeepaliveInterval": 1,
    "KeepaliveLimit": 2,
    "MonitorInterval": 2,
    "ElectionTimeout": 1,
    "RerecoveryTimeout": 2,
    "RecoverTimeout": 10,
    "TakeoverTimeout": 5,
    "ControlTimeout": 10,
    "RecoveryDropAllIPs": 10,
}

LOCK = """\
#!/bin/sh
# At the end of a recovery ctdbd itself asks on each member, and another has to have it: at once, as clients wait.
if [ "$(cat {own}/ctdb/run/ctdbd.pid)" = $PPID ]; then
    [ "$(cat {own}/run/quorum)" = yes ] || {{ printf 1; exit 1; }}
    exec {helper}
fi
# Out of the reach of a kill -9 that ends ctdbd, and told by its death: one that is killed leaves its lock in RADOS.
exec setsid setpriv --pdeathsig TERM {command}
"""

EVENTS = """\
#!/bin/sh
# What ctdbd asks of this node (ctdb-script.options(5), EVENT SCRIPTS). Health is what the fence saw of smbd.
own={own}
case $1 in
init)
    while read -r address interface; do
        ip address delete "$address" dev "$interface" 2>/dev/null
    done <$own/ctdb/{public}
    # One that was killed while it wrote leaves what it takes for broken, and would never start with. A copy is whole;
    # where none can be made, the other members have it.
    for file in $own/ctdb/var/persistent/*.tdb.[0-9] $own/ctdb/var/persistent/*.tdb.[0-9][0-9]; do
        [ -e "$file" ] || continue
        timeout 10 tdbtool "$file" check </dev/null 2>&1 | grep -q "integrity is OK" && continue
        if timeout 10 tdbbackup -s .whole "$file"; then
            echo "$file was left half written: it is mended"
            mv "$file.whole" "$file"
        else
            echo "$file is broken: it is kept as $file.broken, and comes from another member"
            mv --backup=numbered "$file" "$file.broken"
        fi
    done
    exit 0 ;;
setup)
{tunables}
    exit 0 ;;
takeip)
    [ "$(cat $own/run/quorum)" = yes ] || exit 1
    ip address replace "$3/$4" dev "$2"{route} ;;
releaseip)
    ip address delete "$3/$4" dev "$2" 2>/dev/null
    exit 0 ;;
updateip)
    ip address delete "$4/$5" dev "$2" 2>/dev/null
    ip address replace "$4/$5" dev "$3" ;;
monitor)
    read -r stamp why <$own/run/health || {{ echo "the fence does not run"; exit 1; }}
    read -r uptime idle </proc/uptime
    [ $((${{uptime%.*}} - stamp)) -lt 6 ] || {{ echo "the fence does not answer"; exit 1; }}
    [ "$why" = ok ] || {{ echo "$why"; exit 1; }} ;;
esac
"""


def conf(member: Member, own: str) -> str:
    """ctdb.conf: traffic between members on their own network only.

    Databases by a path that tools outside of its mount namespace have too: they open them themselves.
    Without real-time scheduling: a control group may forbid it, and ctdbd would not start (measured in a container).
    """
    sections = {
        "logging": {"log level": "WARNING"},
        "cluster": {"node address": member.address, "cluster lock": "!/etc/ctdb/lock", "leader timeout": "2"},
        "database": {f"{kind} database directory": f"{own}/ctdb/var/{kind}" for kind in DATABASES},
        "legacy": {"realtime scheduling": "false"},
    }
    return "\n".join(_section(name, options) for name, options in sections.items())


def _section(name: str, options: dict[str, str]) -> str:
    return f"[{name}]\n" + "".join(f"\t{option} = {value}\n" for option, value in options.items())


def nodes(cluster: Cluster) -> str:
    """A line a member, by its number; who left is commented out, so that the others keep theirs."""
    return "".join(f"{'#' if member.removed else ''}{member.address}\n" for member in cluster.members)


def public_addresses(cluster: Cluster) -> str:
    """A line for each address that moves."""
    return "".join(f"{each.address} {each.interface}\n" for each in cluster.addresses)


def lock(cluster: Cluster, own: str, member: Member, folder: str, program: str, file: Callable[[str], str]) -> str:
    """The program that takes the cluster lock.

    folder   where one of pmxcfs lies
    program  Python there
    file     where a lock file is seen there
    """
    kind, _, rest = str(cluster.lock).partition(":")
    python = [program, "-I", "-m"]
    if kind == "file":
        helper = [f"{HELPERS}/ctdb_mutex_fcntl_helper", file(rest)]
    elif kind == "rados":
        user, _, place = rest.rpartition("@")
        who = ["ceph", f"client.{user or 'admin'}", *place.split("/")]
        helper = [f"{HELPERS}/ctdb_mutex_ceph_rados_helper", *who, str(EXPIRY)]
    else:
        helper = [*python, PMXCFS, folder, member.node, member.address, f"{own}/run/mutex"]
    command = shlex.join([*python, MUTEX, own, *helper])
    return LOCK.format(own=shlex.quote(own), helper=shlex.join(helper), command=command)


def events(own: str, router: str | None = None) -> str:
    """Our event script: the only one. A route goes with the last address of an interface, and comes back with one."""
    route = f' &&\n        ip route replace default via {router} dev "$2"' if router else ""
    tunables = "\n".join(f"    ctdb setvar {name} {value}" for name, value in TUNABLES.items())
    return EVENTS.format(own=own, public=PUBLIC, tunables=tunables, route=route)
