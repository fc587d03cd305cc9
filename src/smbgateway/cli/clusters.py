"""gateway status, failover, drain, undrain: what several nodes serve together."""

from __future__ import annotations

from . import text
from .client import quote
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

AMISS = 1


def status(session: Session, arguments: Namespace) -> int:
    """Show the members of a cluster; exit status 1 where one is not healthy or an address is on none."""
    found = session.client.get(f"/v1/clusters/{quote(arguments.name)}")
    amiss = any(member["state"] not in ("healthy", "drained") for member in found["members"])
    amiss = amiss or any(not address["node"] for address in found["addresses"])
    return session.answer(found, shown(found), AMISS if amiss else 0)


def failover(session: Session, arguments: Namespace) -> int:
    """Move an address."""
    found = session.client.post("/v1/clusters/failover", {"address": arguments.address, "node": arguments.to})
    return session.answer(found, shown(found))


def drain(session: Session, arguments: Namespace) -> int:
    """Move all addresses away from a node."""
    found = session.client.post("/v1/clusters/drain", {"node": arguments.node, "drained": True})
    return session.answer(found, shown(found))


def undrain(session: Session, arguments: Namespace) -> int:
    """Let a node have addresses again."""
    found = session.client.post("/v1/clusters/drain", {"node": arguments.node, "drained": False})
    return session.answer(found, shown(found))


def shown(found: dict[str, Any]) -> list[str]:
    """A table of members, and the addresses that no member has."""
    rows: list[tuple[object, ...]] = [("MEMBER", "OWN ADDRESS", "STATE", "LEADER", "SAMBA", "ADDRESSES", "WHY")]
    for member in found["members"]:
        leader = "leader" if member["leader"] else ""
        held = ", ".join(member["addresses"])
        rows.append(
            (member["node"], member["address"], member["state"], leader, member["version"], held, member["why"])
        )
    nowhere = [text.clean(each["address"]) for each in found["addresses"] if not each["node"]]
    return text.table(rows, "no members") + ([f"on no member: {', '.join(nowhere)}"] if nowhere else [])
