"""status and job: what is, and what happens."""

from __future__ import annotations

from ..sizes import show_size
from . import text
from .client import quote
from .follow import watch
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

AMISS = 1
FILES_SHOWN = 3
FEW = 3  # events of a gateway


def status(session: Session, arguments: Namespace) -> int:
    """Show how things stand; exit status 1 where something is amiss."""
    if arguments.name:
        found = session.client.get(f"/v1/status/share/{quote(arguments.name)}")
        amiss = not found["serving"] or bool(found["drift"])
        return session.answer(found, share(session, found), AMISS if amiss else 0)
    found = session.client.get("/v1/status")
    amiss = bool(found["broken"]) or any(ailing(gateway) for gateway in found["gateways"])
    return session.answer(found, overview(session, found), AMISS if amiss else 0)


def ailing(gateway: dict[str, Any]) -> bool:
    """Whether a gateway is not as it should be; of another node's (`running` is None) this node cannot tell."""
    return (gateway["running"] is False and gateway["enabled"]) or bool(gateway["drift"])


def overview(session: Session, found: dict[str, Any]) -> list[str]:
    """Gateways with their drift, and what is wrong with the store."""
    lines = [f"node {text.clean(found['node'])}, pve-smbgateway {text.clean(found['version'])}"]
    for gateway in found["gateways"]:
        lines += one_gateway(gateway)
    if not found["gateways"]:
        lines += [
            "  no gateways yet",
            f"  make a share: {session.command('create NAME --source image:/srv/NAME.img --quota 10G')}",
        ]
    lines += [f"broken record {text.clean(path)}: {text.clean(why)}" for path, why in found["broken"].items()]
    lines += [f"at its start: {text.clean(line)}" for said in found["said"] for line in said.splitlines()]
    if any(gateway["drift"] for gateway in found["gateways"]):
        lines.append(f"mend what drifted: {session.command('export')} | {session.command('apply -f -')}")
    return lines


def one_gateway(gateway: dict[str, Any]) -> list[str]:
    """A gateway and its drift."""
    down = "NOT RUNNING" if gateway["enabled"] else "stopped"
    running = {True: "running", False: down, None: f"on node {gateway.get('node')}"}[gateway["running"]]
    address = "all addresses" if gateway["address"] in ("", "all") else gateway["address"]
    place = f"{address}, port {gateway['port']}, {text.counted(gateway['shares'], 'share')}"
    shown = [text.step(f"gateway {gateway['name']}", f"{running}, {place}"), *drift(gateway["drift"])]
    return shown + [f"    {moment(each['at'])}  {text.clean(each['text'])}" for each in gateway["events"][-FEW:]]


def moment(at: int) -> str:
    """A time as people of here tell it."""
    import time

    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def drift(cells: list[dict[str, Any]]) -> list[str]:
    """The cells that are not as the records say."""
    return [f"    {line}" for found in cells for line in text.cell(found)]


def share(session: Session, found: dict[str, Any]) -> list[str]:
    """One share."""
    record = found["share"]
    source = record["source"]
    place = f"{source['kind']}:{source.get('path') or source.get('dataset')}"
    port = f", port {found['port']}" if found["port"] != 445 else ""
    lines = [f"share {text.clean(record['name'])} on gateway {text.clean(record['gateway'])}"]
    lines += text.pairs([
        ("address", found["address"] + port),
        ("serving", "yes" if found["serving"] else "NO"),
        ("state", record["state"]),
        ("source", place),
        ("quota", show_size(record["quota"]) if record["quota"] else "none"),
        ("used", usage(found["usage"]) if found["usage"] else f"cannot be told: {found.get('usage_error', '')}"),
        ("access", access(record)),
        ("sessions", len(found["sessions"]) or "none"),
    ])  # fmt: skip
    lines += [f"    {text.clean(session_line(each))}" for each in found["sessions"]]
    if found["drift"]:
        lines += ["  drift", *drift(found["drift"])]
        words = f"show {record['gateway']}/{record['name']}"
        lines.append(f"mend it: {session.command(words)} | {session.command('apply -f -')}")
    return lines


def usage(found: dict[str, Any]) -> str:
    """`1.2 GiB of 10 GiB (12 %), 8.8 GiB free`; without a limit what is used is the whole file system's."""
    used, limit, free = (found.get(name) for name in ("used", "limit", "available"))
    room = f", {show_size(free)} free" if free is not None else ""
    if not limit:
        return f"{show_size(used or 0)} on its file system{room}"
    return f"{show_size(used or 0)} of {show_size(limit)} ({100 * (used or 0) / limit:.0f} %){room}"


def access(record: dict[str, Any]) -> str:
    """Who may open a share, and how."""
    said = [f"{principal} ({right})" for principal, right in sorted(record["access"].items())]
    said += [f"anybody ({record['guest']})"] if record.get("guest") else []
    return ", ".join(said) or "nobody"


def session_line(session: dict[str, Any]) -> str:
    """One open session, with the first of its files."""
    files, more = session["files"][:FILES_SHOWN], len(session["files"]) - FILES_SHOWN
    opened = f", has open: {', '.join(files)}" + (f" and {more} more" if more > 0 else "") if files else ""
    return f"{session['user']} from {session['machine']} since {session['since']}{opened}"


def jobs(session: Session, arguments: Namespace) -> int:
    """List jobs, or see one through."""
    if arguments.job:
        found = session.client.get(f"/v1/jobs/{quote(arguments.job)}")
        return watch(session, arguments.job, found["title"])
    found = session.client.get("/v1/jobs")
    rows = [["ID", "STARTED", "STATE", "CHANGE"]]
    for job in found["jobs"]:
        rows.append([job["id"], moment(job["started"]), job["state"], job["title"]])
    return session.answer(found, text.table(rows, "no changes since the engine started"))
