"""The text of smb.conf and of share definitions. Pure: records in, text out (smb.conf(5), vfs_fruit(8))."""

from collections.abc import Mapping

from ..model import ArchivePurpose, Gateway, HomesPurpose, LxcMode, MediaPurpose, NativeMode, Share, TimeMachinePurpose
from ..retention import KEPT, SCHEDULED, STAMP

GROUP, GROUP_ID = "smbgw", 20000  # primary group of every user, owner of all served data
GUEST, GUEST_ID = "smbgw-guest", 20001
NOBODY = ".nobody"  # no account can have this name; an empty `valid users` would let everybody in
# In a container, which is a user namespace, only user.* can be set; a share that moves between modes keeps its NT ACLs
# (decision 11).
NTACL = {"acl_xattr:security_acl_name": "user.NTACL"}
# Rights are decided at the share; NT ACLs that clients set come on top (decision 0001). Without these two, acl_xattr
# gives a new file to its creator alone (measured: nobody else of the share opens it), and changes modes and ACLs of the
# file system with every right that a client sets. They also spare a client's .exe the need of an x bit. Not for a
# directory with rights of its own: acl_xattr deletes as root, and so would delete what they protect (measured).
ACLS = {"acl_xattr:ignore system acls": "yes", "acl_xattr:default acl style": "everyone"}
# Where there are no NT ACLs the mode decides: all users have one primary group. acl_xattr decides its modes itself.
MASKS = {
    "create mask": "0660",
    "force create mode": "0660",
    "directory mask": "0770",
    "force directory mode": "0770",
}
# Durable handles: a client that lost its connection comes back to its open files and locks. smbd keeps no file on which
# there are locks that it must show to others than its clients too (measured); our data has no others.
DURABLE = {"posix locking": "no"}
# What a client may have under way at once, with the sizes of its requests, is the memory that it takes: 20 clients that
# write at once lose their connections under 128 MiB with Samba's own values (measured: bench/run lxc-memory).
SIZE, ROOMY = str(1 << 20), 512 << 20  # bytes
FRUGAL = {f"smb2 max {what}": SIZE for what in ("read", "write", "trans")} | {"smb2 max credits": "64"}
# Where memory runs out all the same, the kernel takes a connection (%d is its process), never the smbd that begot it.
FRUGAL["root preexec"] = "/bin/sh -c 'echo 300 >/proc/%d/oom_score_adj'"
# A lock of a file ends with who had it. One in shared memory is not always given back by who is killed so:
# all others wait for it for ever (measured: after 23 such deaths nobody was let in any more).
FRUGAL["dbwrap_tdb_mutexes:*"] = "no"
# The resource fork is a file: as an xattr it would end at 64 KiB, on ext4 at 4 KiB. Files `._x` are seen, so that
# archives of Macs unpack whole; one that comes from elsewhere and holds nothing is dropped (vfs_fruit(8)).
FRUIT = {
    "fruit:metadata": "stream",
    "fruit:resource": "file",
    "fruit:veto_appledouble": "no",
    "fruit:wipe_intentionally_left_blank_rfork": "yes",
    "fruit:delete_empty_adfiles": "yes",
}

# To find a share, a connection reads the names of all that are in the registry: 23 ms and 4 MB of its own at 10,000
# (measured: bench/run scale), unless it inherits them from the smbd that begot it. That one reads them where a share of
# its file is in the registry too. IPC$ is in both, by its name alone: what it is, smbd says itself.
PRELOADED = "IPC$"

# Previous Versions: names as `retention` makes them, in UTC.
SHADOW = {
    "snapprefix": f"^\\({SCHEDULED}\\|{KEPT}\\)$",
    "delimiter": "-",
    "format": f"-{STAMP}",
    "localtime": "no",
    "sort": "desc",
}

Parameters = dict[str, str]


def whole(gateway: Gateway, own: str) -> str:
    """The smb.conf of an instance whose directory is `own`."""
    return global_section(gateway, own) + ("" if gateway.cluster else render(PRELOADED, {"path": "/nonexistent"}))


def global_section(gateway: Gateway, own: str) -> str:
    """Its first part."""
    parameters = {
        "netbios name": gateway.name[:15].upper().rstrip("-"),
        "workgroup": gateway.workgroup,
        "server role": "standalone server",
        "server string": f"{gateway.name} (pve-smbgateway)",
        **directories(own),
        "registry shares": "yes",
        "usershare max shares": "0",
        "passdb backend": "tdbsam",
        **_network(gateway),
        **(_clustering(gateway, own) if gateway.cluster else {}),
        **_protection(gateway),
        **(FRUGAL if isinstance(gateway.mode, LxcMode) and gateway.mode.memory < ROOMY else {}),
        "disable spoolss": "yes",
        "load printers": "no",
        "printcap name": "/dev/null",
        "rpc start on demand helpers": "no",
        # Of the whole server: in a share it has no effect. A Mac would set modes by it, behind the rights of the share.
        **({"fruit:nfs_aces": "no"} if gateway.apple else {}),
        "logging": "file",
        "log file": f"{own}/log/log.smbd",
        "max log size": "1000",
    }
    return render("global", parameters)


def directories(own: str) -> Parameters:
    """Every directory of Samba's, below one of ours."""
    names = {"private dir": "private", "state directory": "state", "cache directory": "cache", "lock directory": "lock"}
    names |= {"pid directory": "pid", "ncalrpc dir": "ncalrpc"}
    return {parameter: f"{own}/{name}" for parameter, name in names.items()}


def client_section(own: str) -> str:
    """The configuration of our own smbclient: nothing of the host's is read or written."""
    parameters = dict.fromkeys(directories(own), f"{own}/client")
    return render("global", {**parameters, "client min protocol": "SMB2_10", "disable netbios": "yes"})


def _network(gateway: Gateway) -> Parameters:
    network = {"smb ports": str(gateway.mode.inside[1]), "disable netbios": "yes"}
    if isinstance(gateway.mode, NativeMode) and gateway.mode.addresses:
        network |= {"interfaces": " ".join(gateway.mode.addresses), "bind interfaces only": "yes"}
    return network


def _clustering(gateway: Gateway, own: str) -> Parameters:
    """Locks, sessions, registry and accounts are those of all members (ctdb(7)); its own socket, not the host's."""
    return {"clustering": "yes", "ctdbd socket": f"{own}/ctdb/run/ctdbd.socket"}


def _protection(gateway: Gateway) -> Parameters:
    # Sessions of guests cannot be signed (MS-SMB2 3.3.5.5.3), so a gateway that allows them only offers signing.
    return {
        "server min protocol": "SMB3_11" if gateway.hardened else gateway.minimum_protocol,
        "server signing": "auto" if gateway.allow_guests else "mandatory",
        "server smb encrypt": "required" if gateway.hardened else "default",
        "map to guest": "Bad User" if gateway.allow_guests else "Never",
        "guest account": GUEST if gateway.allow_guests else "nobody",
        "restrict anonymous": "0" if gateway.allow_guests else "2",
    }


def share_section(
    share: Share, gateway: Gateway, path: str, dfree: str | None = None, shadow: Mapping[str, str] | None = None
) -> Parameters:
    """The definition of a share that serves `path`.

    dfree    the program that tells its size, if one must
    shadow   where its snapshots lie, if it can have any
    """
    homes = isinstance(share.purpose, HomesPurpose)
    parameters = {
        "path": f"{path}/%u" if homes else path,
        "comment": share.comment,
        "browseable": "no" if share.hidden else "yes",
        **_access(share),
        **_modules(share, gateway, shadow),
    }
    if share.encryption == "required":
        parameters["server smb encrypt"] = "required"
    if dfree:
        parameters |= {"dfree command": dfree, "dfree cache time": "30"}
    return {name: value for name, value in parameters.items() if value}


def _access(share: Share) -> Parameters:
    principals = dict(sorted(share.access.items()))
    writers = [_principal(name) for name, rights in principals.items() if rights == "write"]
    everybody = [_principal(name) for name in principals]
    if share.guest:  # with a name of ours one may do what one may without: guest and users have this group
        everybody = [f"+{GROUP}"]
        writers = everybody if share.guest == "write" else writers
    return {
        "valid users": " ".join(everybody) or NOBODY,
        "read only": "yes",
        "write list": " ".join(writers),
        "guest ok": "yes" if share.guest else "no",
    }


def _principal(name: str) -> str:
    return f"+{name[1:]}" if name.startswith("@") else name  # + is a unix group; @ would ask for a netgroup first


def _modules(share: Share, gateway: Gateway, shadow: Mapping[str, str] | None) -> Parameters:
    purpose = share.purpose
    # One share with fruit on a server needs it on all: a Mac's AAPL negotiation is per connection (vfs_fruit(8)).
    modules = ["fruit"] if gateway.apple else []
    options: Parameters = dict(FRUIT) if gateway.apple else {}
    if isinstance(purpose, ArchivePurpose):
        modules.insert(0, "worm")
        options["worm:grace_period"] = str(purpose.grace)
    modules.append("streams_xattr")
    if shadow:
        modules.append("shadow_copy2")
        options |= {f"shadow:{name}": value for name, value in {**SHADOW, **shadow}.items()}
    if isinstance(purpose, TimeMachinePurpose):
        options |= {"fruit:time machine": "yes", **MASKS}
        if share.quota:
            options["fruit:time machine max size"] = f"{share.quota * 95 // 100 // 1024}K"
    else:
        modules.append("acl_xattr")
        options |= NTACL
        if not share.foreign:
            options |= ACLS
    return {"vfs objects": " ".join(modules), **options, **DURABLE}


def needs_apple(share: Share) -> bool:
    """Whether the purpose is served with fruit."""
    return isinstance(share.purpose, TimeMachinePurpose | MediaPurpose)


def render(section: str, parameters: Parameters) -> str:
    """A section as text. Values come from validated records: a line end in one is a fault of ours."""
    for name, value in parameters.items():
        if "\n" in value or "\n" in name or value.endswith("\\"):
            raise AssertionError(f"unsafe value of {name}")
    return f"[{section}]\n" + "".join(f"\t{name} = {value}\n" for name, value in parameters.items())


def parse_sections(text: str) -> dict[str, Parameters]:
    """What `net conf list` and `showshare` print, by section name."""
    sections: dict[str, Parameters] = {}
    current: Parameters = {}
    for line in text.splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip()[1:-1], {})
        elif " = " in line:
            name, _, value = line.strip().partition(" = ")
            current[name] = value
        elif line.strip().endswith(" ="):
            current[line.strip()[:-2]] = ""
    return sections
