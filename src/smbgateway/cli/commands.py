"""All commands: what each is for, its options, and what does it."""

from __future__ import annotations

import argparse

from .parser import Fill, Parser

PURPOSES = ["general", "timemachine", "media", "archive", "homes"]
PROTOCOLS = ["2.1", "3.0", "3.1.1"]
MODES = ["native", "lxc", "vm"]
KINDS = ["share", "gateway", "user", "group", "receiver"]


def _share_name(parser: Parser, summary: str = "share: NAME, or GATEWAY/NAME where several gateways have it") -> None:
    parser.add_argument("name", metavar="NAME", help=summary)


def _force(parser: Parser, summary: str = "do it although a check advises against it") -> None:
    parser.add_argument("--force", action="store_true", help=summary)


def _dry_run(parser: Parser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")


def _allow_path(parser: Parser) -> None:
    text = "a further directory below which sources may lie"
    parser.add_argument("--allow-path", metavar="DIR", action="append", default=[], help=text)


def _schedule(parser: argparse._ActionsContainer) -> None:
    text = 'take and keep so many: hourly=24,daily=7,weekly=4,monthly=12, "none" for none'
    parser.add_argument("--snapshots", metavar="KIND=N,...", type=schedule, help=text)


def schedule(text: str) -> dict[str, int | str]:
    """`hourly=24,daily=7` as a share has it; the engine checks names and numbers."""
    words = (word.partition("=") for word in text.split(",") if text != "none")
    return {kind: int(number) if number.isdecimal() else number for kind, _, number in words}


def _access(parser: Parser) -> None:
    text = "who may open it: user NAME, right read or write (default)"
    parser.add_argument("--user", metavar="NAME[:RIGHT]", action="append", default=[], help=text)
    parser.add_argument("--group", metavar="NAME[:RIGHT]", action="append", default=[], help="the same for a group")
    text = "the same, a group written @NAME"
    parser.add_argument("--access", metavar="PRINCIPAL:RIGHT", action="append", default=[], help=text)


def _create(parser: Parser) -> None:
    _share_name(parser, "name of the share")
    place = parser.add_argument_group("where the data lives")
    text = "such as image:/srv/docs.img, zfs:tank/docs, btrfs:/pool/docs, directory:/srv/docs"
    place.add_argument("--source", metavar="KIND:SPEC", help=text)
    text = "same as --source directory:DIR; with --quota, what the file system there can limit: btrfs, xfs, or an image"
    place.add_argument("--path", metavar="DIR", help=text)
    place.add_argument("--yes", action="store_true", help="without either: the place with most free space, unasked")
    place.add_argument("--quota", metavar="SIZE", help="limit, such as 10G or 1.5T")
    _schedule(place)
    _allow_path(parser)
    _create_server(parser)
    _access(parser)
    parser.add_argument("--guest", choices=["read", "write"], help="let anybody in, without a password")
    parser.add_argument("--purpose", choices=PURPOSES, default="general", help="preset of Samba's options")
    parser.add_argument("--grace", metavar="SECONDS", type=int, help="archive: a file becomes read-only after it")
    parser.add_argument("--comment", metavar="TEXT", default="", help="shown to clients")
    parser.add_argument("--encrypt", action="store_true", help="refuse clients that do not encrypt")
    parser.add_argument("--hidden", action="store_true", help="leave it out of clients' listings")
    parser.add_argument("--storage", action="store_true", help="show it as a storage of Proxmox VE, with its history")
    _force(parser)
    _dry_run(parser)


def _create_server(parser: Parser) -> None:
    server = parser.add_argument_group("which server")
    server.add_argument("--mode", choices=MODES, help="how a new gateway runs")
    server.add_argument("--gateway", metavar="NAME", help="gateway of the share, made if new (default: this node's)")
    text = "native: a new gateway listens there only (may be repeated); lxc, vm with --bridge: its own, ADDRESS/LENGTH"
    server.add_argument("--address", metavar="IP", action="append", default=[], help=text)
    text = "native, vm: of a new gateway (default 445; Windows knows no other)"
    server.add_argument("--port", metavar="N", type=int, help=text)
    _container(server)


def _container(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--bridge", metavar="NAME", help="lxc, vm: bridge of the node that it hangs on")
    group.add_argument("--router", metavar="IP", help="lxc, vm: its way to other networks")
    group.add_argument("--vlan", metavar="N", type=int, help="lxc, vm: tag on the bridge")
    group.add_argument("--mtu", metavar="BYTES", type=int, help="lxc, vm: longest packet")
    group.add_argument("--memory", metavar="SIZE", help="lxc: limit (default 128M); vm: what it has (default 512M)")
    group.add_argument("--swap", metavar="SIZE", help="lxc: swap beside it (default none)")
    group.add_argument(
        "--cores", metavar="N", type=int, help="lxc: limit of its computing time; vm: what it has (default 2)"
    )


def _list(parser: Parser) -> None:
    parser.add_argument("--kind", choices=KINDS, default="share", help="what to list (default: share)")
    parser.add_argument("--names", action="store_true", help="only names, one a line")


def _show(parser: Parser) -> None:
    parser.usage = "%(prog)s [KIND] NAME | --all [options]"
    parser.add_argument("what", metavar="[KIND] NAME", nargs="*", help=f"KIND is one of {', '.join(KINDS)}")
    parser.add_argument("--all", action="store_true", help="everything, as export")


def _update(parser: Parser) -> None:
    _share_name(parser)
    parser.add_argument("--quota", metavar="SIZE", help='new limit, "none" for none')
    _schedule(parser)
    parser.add_argument("--comment", metavar="TEXT", help="shown to clients")
    _access(parser)
    text = "take a user's access away"
    parser.add_argument("--remove-user", metavar="NAME", action="append", default=[], help=text)
    parser.add_argument("--remove-group", metavar="NAME", action="append", default=[], help="the same for a group")
    parser.add_argument("--guest", choices=["off", "read", "write"], help="who needs no password")
    parser.add_argument("--encrypt", action=argparse.BooleanOptionalAction, help="refuse clients that do not encrypt")
    visible = parser.add_mutually_exclusive_group()
    visible.add_argument("--hidden", action="store_true", default=None, help="leave it out of clients' listings")
    visible.add_argument("--visible", dest="hidden", action="store_false", default=None, help="show it there")
    parser.add_argument("--storage", action=argparse.BooleanOptionalAction, help="show it as a storage of Proxmox VE")
    _force(parser, "shrink a quota below what is used, and the like")
    _allow_path(parser)
    _dry_run(parser)


def _delete(parser: Parser) -> None:
    _share_name(parser)
    parser.add_argument("--destroy-data", action="store_true", help="delete the data too (asks for the name)")
    text = "with --destroy-data, where nobody can be asked: the share's name once more"
    parser.add_argument("--confirm", "--yes", metavar="NAME", help=text)
    _force(parser)


def _status(parser: Parser) -> None:
    parser.add_argument("name", metavar="NAME", nargs="?", help="one share: NAME or GATEWAY/NAME (default: overview)")


def _plan(parser: Parser) -> None:
    text = "YAML or JSON, as show and export write it; - is standard input"
    parser.add_argument("-f", "--file", metavar="FILE", required=True, help=text)
    _force(parser)
    _allow_path(parser)


def _apply(parser: Parser) -> None:
    _plan(parser)
    _dry_run(parser)


def _nothing(parser: Parser) -> None:
    """A command without options of its own."""


def _user(parser: Parser) -> None:
    create = parser.add_command("create", "make a user", "people:create_user")
    create.add_argument("--full-name", metavar="TEXT", default="", help="shown beside the name")
    _password(create).add_argument("--no-password", action="store_true", help="cannot log in until one is set")
    password = parser.add_command("password", "set a user's password", "people:set_password")
    _password(password)
    disable = parser.add_command("disable", "shut a user out, everywhere", "people:disable")
    enable = parser.add_command("enable", "let a user in again", "people:enable")
    delete = parser.add_command("delete", "delete a user", "people:delete_user")
    show = parser.add_command("show", "show a user as apply accepts it", "people:show_user")
    for command in (create, password, disable, enable, delete, show):
        command.add_argument("name", metavar="NAME", help="name of the user")
        command.common()
    parser.add_command("list", "list users", "people:list_users").common()


def _password(parser: Parser) -> argparse._MutuallyExclusiveGroup:
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    return group


def _group(parser: Parser) -> None:
    create = parser.add_command("create", "make a group", "people:create_group")
    delete = parser.add_command("delete", "delete a group; its members stay", "people:delete_group")
    show = parser.add_command("show", "show a group as apply accepts it", "people:show_group")
    add = parser.add_command("add", "add users to a group", "people:add_members")
    remove = parser.add_command("remove", "take users out of a group", "people:remove_members")
    for command in (create, delete, show, add, remove):
        command.add_argument("name", metavar="NAME", help="name of the group")
        if command in (create, add, remove):
            command.add_argument("members", metavar="USER", nargs="*" if command is create else "+")
        command.common()
    parser.add_command("list", "list groups", "people:list_groups").common()


def _gateway(parser: Parser) -> None:
    create = parser.add_command("create", "make a gateway without shares", "gateways:create")
    create.add_argument("--mode", choices=MODES, default="native", help="how it runs")
    update = parser.add_command("update", "change a gateway", "gateways:update")
    update.add_argument("--mode", choices=MODES, help="run it so from now on; data, users and rights stay")
    delete = parser.add_command("delete", "delete a gateway without shares", "gateways:delete")
    show = parser.add_command("show", "show a gateway as apply accepts it", "gateways:show")
    start = parser.add_command("start", "let a gateway run that was stopped, and prove its shares", "gateways:start")
    stop = parser.add_command("stop", "stop a gateway until it is started: also a reboot leaves it so", "gateways:stop")
    restart = parser.add_command("restart", "start a gateway anew, with its container", "gateways:restart")
    upgrade = parser.add_command("upgrade", "give a gateway a newer system, and prove its shares", "gateways:upgrade")
    text = "make its root of this one (default: the newest; on Proxmox VE packages are upgraded instead)"
    upgrade.add_argument("--template", metavar="NAME", default="", help=text)
    life = (start, stop, restart, upgrade)
    for command in (create, update, delete, show, *life):
        command.add_argument("name", metavar="NAME", help="name of the gateway")
    for command in (create, update):
        _gateway_options(command)
    for command in (create, update, delete):
        _force(command)
    for command in (create, update, delete, show, *life):
        command.common()
    parser.add_command("list", "list gateways", "gateways:list_all").common()
    _cluster(parser)


def _cluster(parser: Parser) -> None:
    status = parser.add_command("status", "show members and addresses of a cluster", "clusters:status")
    status.add_argument("name", metavar="NAME", help="name of the gateway")
    failover = parser.add_command("failover", "move an address of a cluster to a node", "clusters:failover")
    failover.add_argument("address", metavar="ADDRESS", help="one that clients use")
    failover.add_argument("--to", metavar="NODE", required=True, help="a healthy member")
    drain = parser.add_command("drain", "move all addresses away from a node, for maintenance", "clusters:drain")
    undrain = parser.add_command("undrain", "let a node have addresses again", "clusters:undrain")
    for command in (drain, undrain):
        command.add_argument("node", metavar="NODE", help="a member")
    for command in (status, failover, drain, undrain):
        command.common()


def _gateway_options(parser: Parser) -> None:
    optional = argparse.BooleanOptionalAction
    text = "native: listen there only (may be repeated); lxc, vm on a bridge: its own, ADDRESS/LENGTH"
    parser.add_argument("--address", metavar="IP", action="append", help=text)
    parser.add_argument("--port", metavar="N", type=int, help="native, vm: default 445; Windows knows no other")
    _container(parser.add_argument_group("lxc and vm mode"))
    parser.add_argument("--hardened", action=optional, help="every client must encrypt")
    parser.add_argument("--allow-guests", action=optional, help="shares may let anybody in")
    parser.add_argument("--discovery", action=optional, help="tell the network of it (default: yes)")
    parser.add_argument("--minimum-protocol", choices=PROTOCOLS, help="oldest SMB version spoken (default 3.0)")
    parser.add_argument("--workgroup", metavar="NAME", help="name clients see (default WORKGROUP)")
    _dry_run(parser)


def _snapshot(parser: Parser) -> None:
    create = parser.add_command("create", "take a snapshot; it stays until it is deleted", "snapshots:create")
    shown = parser.add_command("list", "list the snapshots of a share", "snapshots:list_all")
    delete = parser.add_command("delete", "delete a snapshot", "snapshots:delete")
    text = "put a share back to a snapshot; what is there now is kept as another"
    restore = parser.add_command("restore", text, "snapshots:restore")
    for command in (create, shown, delete, restore):
        _share_name(command)
        if command in (delete, restore):
            command.add_argument("snapshot", metavar="SNAPSHOT", help="as list names it")
        command.common()


def _quota(parser: Parser) -> None:
    show = parser.add_command("show", "show usage, trends, forecast and levels of a share", "quotas:show")
    history = parser.add_command("history", "show what a share used over time", "quotas:history")
    spans = ["day", "week", "month", "year"]
    history.add_argument("--span", choices=spans, default="day", help="how far back (default day)")
    users = parser.add_command("users", "show what each user has of a share", "quotas:users")
    change = parser.add_command("set", "change limits of a share, and when somebody is told", "quotas:change_quota")
    for command in (show, history, users, change):
        _share_name(command)
    _quota_limits(change)
    watch = parser.add_command("watch", "follow what shares use", "quotas:watch")
    watch.add_argument("name", metavar="NAME", nargs="?", help="one share (default: all)")
    watch.add_argument("--count", metavar="N", type=int, default=0, help="end after so many changes (default: never)")
    for command in (parser, history, users):
        command.add_argument("--csv", action="store_true", help="comma-separated values: bytes, Unix times, days")
    for command in (show, history, users, change, watch):
        command.common()
    assert parser.commands  # noqa: S101 - they were just added
    parser.commands.required = False


def _quota_limits(parser: Parser) -> None:
    parser.add_argument("--quota", metavar="SIZE", help='new limit of the share, "none" for none')
    parser.add_argument("--user-quota", metavar="SIZE", help='new limit of each user, "none" for none')
    for name, default in (("notice", 75), ("warning", 85), ("critical", 95)):
        text = f"told as {name} from there on (default {default})"
        parser.add_argument(f"--{name}", metavar="PERCENT", type=float, help=text)
    text = "told when it fills within so many days (default 7; 0: never)"
    parser.add_argument("--fills-within", metavar="DAYS", type=float, help=text)
    _force(parser, "shrink a quota below what is used")
    _dry_run(parser)


def _template(parser: Parser) -> None:
    build = parser.add_command("build", "build a template with mmdebstrap", "templates:build")
    bring = parser.add_command("import", "make a template of a file that build wrote", "templates:bring")
    for command in (build, bring):
        text = "for containers (default), or the disk of virtual machines"
        command.add_argument("--mode", choices=["lxc", "vm"], default="lxc", help=text)
    build.add_argument("--suite", metavar="NAME", default="trixie", help="of Debian (default trixie, which is 13)")
    text = "archive to take packages from (default: PVE_SMBGATEWAY_MIRROR, or deb.debian.org)"
    build.add_argument("--mirror", metavar="URL", help=text)
    text = 'archive of security updates, "none" for none (default: PVE_SMBGATEWAY_SECURITY, or deb.debian.org)'
    build.add_argument("--security", metavar="URL", help=text)
    build.add_argument("--output", metavar="FILE", help="keep it as a file too, to import on other nodes")
    bring.add_argument("file", metavar="FILE", help="a tar file, or a disk as qcow2")
    listed = parser.add_command("list", "list templates", "templates:list_all")
    for command in (build, bring, listed):
        command.common()


def _notify(parser: Parser) -> None:
    create = parser.add_command("create", "have somebody told of shares that fill", "receivers:create")
    _receiver_options(create)
    delete = parser.add_command("delete", "tell a receiver no more", "receivers:delete")
    show = parser.add_command("show", "show a receiver as apply accepts it", "receivers:show")
    for command in (create, delete, show):
        command.add_argument("name", metavar="NAME", help="name of the receiver")
        command.common()
    test = parser.add_command(
        "test", "tell receivers that this is a test, and see what becomes of it", "receivers:test"
    )
    test.add_argument("name", metavar="NAME", nargs="?", default="", help="one receiver (default: all)")
    test.common()
    parser.add_command("list", "list receivers, and what waits to be told", "receivers:list_all").common()


def _receiver_options(parser: Parser) -> None:
    way = parser.add_mutually_exclusive_group(required=True)
    way.add_argument("--mail", metavar="ADDRESS", action="append", help="by mail (may be repeated)")
    way.add_argument("--webhook", metavar="URL", help="by a POST of JSON; {secret} in it stands for the secret")
    way.add_argument("--proxmox", action="store_true", help="by the notifications of Proxmox VE")
    way.add_argument("--journal", action="store_true", help="in the system's log")
    parser.add_argument(
        "--least", choices=["notice", "warning", "critical"], default="notice", help="from which level on"
    )
    mail = parser.add_argument_group("of mail")
    mail.add_argument("--sender", metavar="ADDRESS", help="default: pve-smbgateway@NODE")
    mail.add_argument("--server", metavar="HOST", default="", help="by SMTP (default: the program sendmail)")
    mail.add_argument("--port", metavar="N", type=int, help="default: 587, 465 with tls, 25 with none")
    mail.add_argument("--security", choices=["starttls", "tls", "none"], default="starttls", help="of SMTP")
    mail.add_argument("--login", metavar="NAME", default="", help="on the server; needs --secret-stdin")
    text = "read the mail server's password, or the webhook's secret, from standard input"
    parser.add_argument("--secret-stdin", action="store_true", help=text)


def _doctor(parser: Parser) -> None:
    text = "set right what can be: storages of Proxmox VE that got lost"
    parser.add_argument("--fix", action="store_true", help=text)
    text = "only tell who a uid or gid is, on this node and in gateways"
    parser.add_argument("--owner", metavar="NUMBER", type=int, help=text)


def _job(parser: Parser) -> None:
    parser.add_argument("job", metavar="ID", nargs="?", help="see it through (default: list the jobs)")


def _serve(parser: Parser) -> None:
    parser.add_argument("--node", metavar="NAME", default="", help="name of this node (default: the host's)")
    text = "write metrics for Prometheus there, such as /var/lib/prometheus/node-exporter/smbgateway.prom"
    parser.add_argument("--metrics-file", metavar="FILE", default="", help=text)
    parser.add_argument("--mounts", action="store_true", help="only mount the data of shares, for a boot; then end")


def _web(parser: Parser) -> None:
    text = "address to listen at (default 127.0.0.1: this machine only; 0.0.0.0 is everywhere)"
    parser.add_argument("--listen", metavar="IP", default="127.0.0.1", help=text)
    parser.add_argument("--port", metavar="N", type=int, default=8445, help="TCP port (default 8445)")


def _token(parser: Parser) -> None:
    create = parser.add_command("create", "make a token, and print it this once", "tokens:create")
    create.add_argument("name", metavar="NAME", help="what it is for")
    text = "admin may change all; viewer (default) may look"
    create.add_argument("--role", choices=["admin", "viewer"], default="viewer", help=text)
    listed = parser.add_command("list", "list tokens", "tokens:list_all")
    delete = parser.add_command("delete", "delete a token: it opens nothing from then on", "tokens:delete")
    delete.add_argument("name", metavar="NAME", help="which")
    for command in (create, listed, delete):
        command.common()


def _completion(parser: Parser) -> None:
    parser.add_argument("shell", choices=["bash", "zsh", "fish"])


COMMANDS: dict[str, tuple[str, Fill, str]] = {
    "create": ("make a share, and the gateway and storage it needs", _create, "shares:create"),
    "list": ("list shares; with --kind gateways, users or groups", _list, "shares:list_all"),
    "show": ("show a share, gateway, user or group as apply accepts it", _show, "shares:show"),
    "update": ("change a share", _update, "shares:update"),
    "delete": ("delete a share; its data stays", _delete, "shares:delete"),
    "status": ("show what runs, what is used and what has drifted", _status, "state:status"),
    "plan": ("show what apply would change, touching nothing", _plan, "desired:plan"),
    "apply": ("make the world as a file says", _apply, "desired:apply"),
    "export": ("print all resources as one document for apply", _nothing, "shares:export"),
    "user": ("make, list, change and delete users", _user, ""),
    "group": ("make, list, change and delete groups", _group, ""),
    "gateway": ("make, list, change, start, stop and delete gateways", _gateway, ""),
    "snapshot": ("take, list, delete and restore snapshots of a share", _snapshot, ""),
    "quota": ("show what shares use, and where it leads", _quota, "quotas:overview"),
    "template": ("make and list what containers are made of", _template, ""),
    "notify": ("list, make, delete and test those who are told of shares that fill", _notify, ""),
    "job": ("list running and past changes, or see one through", _job, "state:jobs"),
    "doctor": ("check what the gateway needs on this machine", _doctor, "doctor:run"),
    "token": ("make, list and delete tokens with which programs use the API", _token, ""),
    "serve": ("run the engine", _serve, "service:serve"),
    "web": ("run the relay: TLS for browsers and programs that use the API", _web, "service:web"),
    "version": ("print versions", _nothing, "service:version"),
    "completion": ("print a completion script", _completion, "completion:run"),
}
