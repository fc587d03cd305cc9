"""create, list, show, update, delete, export."""

from __future__ import annotations

import sys
from itertools import pairwise

from ..sizes import show_size
from . import text
from .client import quote
from .follow import run
from .problem import usage
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

RIGHTS = {"w": "write", "rw": "write", "readwrite": "write", "r": "read", "ro": "read", "readonly": "read"}
FIRST = {"gateway": 0, "user": 1, "group": 2, "share": 3, "receiver": 4}  # what others name comes before them


def granted(arguments: Namespace) -> dict[str, str]:
    """Principal to right, of --user, --group and --access."""
    words = [*arguments.user, *(f"@{name.removeprefix('@')}" for name in arguments.group), *arguments.access]
    found = {}
    for word in words:
        principal, _, right = word.partition(":")
        found[principal] = RIGHTS.get(right, right) or "write"
    return found


def options(arguments: Namespace) -> dict[str, Any]:
    """What goes beside a request."""
    return {"force": arguments.force, "allow_paths": getattr(arguments, "allow_path", [])}


def create(session: Session, arguments: Namespace) -> int:
    """Make a share."""
    copied = (
        "name",
        "mode",
        "gateway",
        "source",
        "path",
        "quota",
        "purpose",
        "grace",
        "comment",
        "guest",
        "hidden",
        "storage",
    )
    if not arguments.source and not arguments.path:
        arguments.source = proposed(session, arguments)
    body = {name: getattr(arguments, name) for name in (*copied, "port")} | of_container(arguments)
    body |= {"access": granted(arguments), "addresses": arguments.address}
    body["encryption"] = "required" if arguments.encrypt else "default"
    body |= {"snapshots": arguments.snapshots} if arguments.snapshots else {}
    if arguments.dry_run:
        return plan(session, {"create": body, "options": options(arguments)})
    return run(session, "/v1/create", {**body, "options": options(arguments)}, f"creating share {arguments.name}")


def proposed(session: Session, arguments: Namespace) -> str | None:
    """The source with most free space, if --yes takes it or a person agrees. None: the engine refuses, and names all.

    Raises Problem where the person does not agree.
    """
    asks = sys.stdin.isatty() and not session.json
    found = session.client.get(f"/v1/places?name={quote(arguments.name)}")["places"] if asks or arguments.yes else []
    found = [place for place in found if (arguments.mode or "native") in place["modes"] or arguments.gateway]
    if not found:
        return None
    source, free, where = (found[0][name] for name in ("source", "free", "where"))
    if not arguments.yes:
        room = f"{show_size(free)} free, {text.clean(where)}"
        said = ask(f"No source is given. Most space is at {text.clean(source)} ({room}). Take it? [y/N] ")
        if said.lower() not in ("y", "yes"):
            raise usage("nothing was made: no source", "name one: --source KIND:SPEC, or --path DIR")
    return str(source)


def ask(question: str) -> str:
    """What a person types on one line."""
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()


def of_container(arguments: Namespace) -> dict[str, Any]:
    """What the options of a container say; the engine refuses them for other modes."""
    given = {name: getattr(arguments, name) for name in ("bridge", "router", "vlan", "mtu", "memory", "cores")}
    return {name: value for name, value in given.items() if value is not None}


def plan(session: Session, body: dict[str, Any]) -> int:
    """Show what a request would change."""
    found = session.client.post("/v1/plan", body)
    return session.answer(found, text.plan(found["cells"], found["warnings"]))


def list_all(session: Session, arguments: Namespace) -> int:
    """List one kind of thing."""
    if arguments.kind == "share":
        found = session.client.get("/v1/shares")
        names, rows = keys(found["shares"]), shares_table(found["shares"])
    else:
        found = session.client.get(f"/v1/resources?kind={arguments.kind}")
        names = [record["name"] for record in found["resources"]]
        rows = TABLES[arguments.kind](found["resources"])
    empty = f"no {arguments.kind}s"
    return session.answer(found, [text.clean(name) for name in names] if arguments.names else text.table(rows, empty))


def keys(shares: list[dict[str, Any]]) -> list[str]:
    """Names of shares; with the gateway where several have it."""
    names = sorted(share["name"] for share in shares)
    twice = {name for name, following in pairwise(names) if name == following}
    return [share["key"] if share["name"] in twice else share["name"] for share in shares]


def shares_table(shares: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of `list`."""
    rows = [["NAME", "GATEWAY", "MODE", "SOURCE", "QUOTA", "PURPOSE", "STATE", "ADDRESS"]]
    for share in sorted(shares, key=lambda share: (share["name"], share["gateway"])):
        quota = show_size(share["quota"]) if share["quota"] else "-"
        port = "" if share["port"] == 445 else f" port {share['port']}"
        row = [share[name] for name in ("name", "gateway", "mode", "source")]
        rows.append([*row, quota, share["purpose"], share["state"], share["address"] + port])
    return rows


def gateways_table(gateways: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of `gateway list`."""
    rows = [["NAME", "MODE", "NODE", "ADDRESS", "PORT", "STATE"]]
    for gateway in gateways:
        mode = gateway["mode"]
        addresses = mode.get("address") or mode.get("listen") or ", ".join(mode.get("addresses", [])) or "all"
        port = str(mode.get("port", 445))
        rows.append([gateway["name"], mode["kind"], mode["node"], addresses, port, gateway["state"]])
    return rows


def users_table(users: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of `user list`."""
    rows = [["NAME", "STATE", "PASSWORD", "FULL NAME"]]
    for user in users:
        password = "set" if user.get("password_set") else "none"
        rows.append([user["name"], "enabled" if user["enabled"] else "disabled", password, user["full_name"]])
    return rows


def groups_table(groups: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of `group list`."""
    return [["NAME", "MEMBERS"], *([group["name"], ", ".join(group["members"]) or "-"] for group in groups)]


def receivers_table(receivers: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of `list --kind receiver`."""
    rows = [["NAME", "WAY", "FROM", "STATE"]]
    for receiver in receivers:
        state = "enabled" if receiver["enabled"] else "disabled"
        rows.append([receiver["name"], receiver["way"]["kind"], receiver["least"], state])
    return rows


TABLES = {"gateway": gateways_table, "user": users_table, "group": groups_table, "receiver": receivers_table}


def show(session: Session, arguments: Namespace) -> int:
    """Print a resource as `apply` accepts it."""
    if arguments.all:
        return export(session, arguments)
    if not 1 <= len(arguments.what) <= 2:
        raise usage("show wants NAME of a share, or KIND NAME, or --all")
    kind, name = arguments.what if len(arguments.what) == 2 else ("share", arguments.what[0])
    if kind not in FIRST:
        raise usage(f'unknown kind "{kind}"', f"known: {', '.join(FIRST)}")
    return show_one(session, kind, name)


def show_one(session: Session, kind: str, name: str) -> int:
    """Print one resource: JSON in any case, which is also YAML."""
    session.document(session.client.record(kind, name))
    return 0


def export(session: Session, arguments: Namespace) -> int:
    """Print all resources; without state and digest, so that `apply` takes them at any later time."""
    records = session.client.get("/v1/resources")["resources"]
    records.sort(key=lambda record: (FIRST.get(record["kind"], 9), record.get("gateway", ""), record["name"]))
    kept = [{name: value for name, value in r.items() if name not in ("state", "digest")} for r in records]
    session.document({"resources": kept})
    return 0


def update(session: Session, arguments: Namespace) -> int:
    """Change a share: read, change, apply with the digest that was read."""
    changes = changed(arguments)
    if not changes and not granted(arguments) and not arguments.remove_user and not arguments.remove_group:
        raise usage("update wants at least one change", f"see {session.command('update --help')}")
    record = {**session.client.record("share", arguments.name), **changes}
    taken = [*arguments.remove_user, *(f"@{name.removeprefix('@')}" for name in arguments.remove_group)]
    for principal in taken:
        if principal not in record["access"]:
            raise usage(f"{principal} has no access to share {record['name']}", who(record["access"]))
    record["access"] = {p: r for p, r in {**record["access"], **granted(arguments)}.items() if p not in taken}
    return change(session, arguments, record)


def who(access: dict[str, str]) -> str:
    """A hint: who may open a share."""
    return f"it is open to {', '.join(sorted(access))}" if access else "it is open to nobody"


def changed(arguments: Namespace) -> dict[str, Any]:
    """The fields that options of `update` name."""
    found: dict[str, Any] = {}
    if arguments.quota is not None:
        found["quota"] = None if arguments.quota == "none" else arguments.quota
    if arguments.snapshots is not None:
        found["snapshots"] = arguments.snapshots
    if arguments.guest is not None:
        found["guest"] = None if arguments.guest == "off" else arguments.guest
    if arguments.encrypt is not None:
        found["encryption"] = "required" if arguments.encrypt else "default"
    given = {name: getattr(arguments, name) for name in ("comment", "hidden", "storage")}
    return found | {name: value for name, value in given.items() if value is not None}


def change(session: Session, arguments: Namespace, record: dict[str, Any], doing: str = "updating") -> int:
    """Apply one resource, or only plan it."""
    body = {"resources": [record], "options": options(arguments)}
    if arguments.dry_run:
        return plan(session, body)
    return run(session, "/v1/apply", body, f"{doing} {record['kind']} {record['name']}")


def delete(session: Session, arguments: Namespace) -> int:
    """Delete a share; its data only when asked for by name."""
    if arguments.destroy_data:
        confirm(session, arguments)
    return remove(session, arguments, "share", arguments.destroy_data)


def remove(session: Session, arguments: Namespace, kind: str, destroy: bool = False) -> int:
    """Delete a resource."""
    options = {"force": getattr(arguments, "force", False), "destroy_data": destroy}
    body = {"targets": [{"kind": kind, "name": arguments.name}], "options": options}
    return run(session, "/v1/remove", body, f"deleting {kind} {arguments.name}")


def confirm(session: Session, arguments: Namespace) -> None:
    """Data is destroyed only by somebody who names it twice. Raises Problem."""
    name, said = arguments.name, arguments.confirm
    if said is None and sys.stdin.isatty() and not session.json:
        said = ask(f"This deletes share {name} AND ALL ITS DATA. Type its name to go on: ")
    if said is None:
        raise usage("--destroy-data deletes all data, and nobody can be asked", f"add --confirm {name}")
    if said not in (name, name.rpartition("/")[2]):
        raise usage(f'nothing was deleted: "{said}" is not "{name}"')
