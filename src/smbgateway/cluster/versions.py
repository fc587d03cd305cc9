"""Which Samba the members have: CTDB does not mix versions that differ in their first two numbers.

Each engine tells in the store what is installed on its node.
"""

from collections.abc import Iterable, Mapping

from ..errors import Failed
from ..host import Host

REASON = "Samba {} does not go with that of most members"


def installed(host: Host) -> str:
    """`4.17.12`, of `Version 4.17.12-Debian`."""
    return host.run("smbd", "--version").split()[1].partition("-")[0]


def minor(version: str) -> str:
    """`4.17`, of `4.17.12`."""
    return ".".join(version.split(".")[:2])


def known(host: Host, folder: str, nodes: Iterable[str]) -> dict[str, str]:
    """The version of each node that has told its own."""
    told = {node: host.read(f"{folder}/{node}") for node in nodes}
    return {node: text.strip() for node, text in told.items() if text}


def tell(host: Host, folder: str, node: str, version: str | None) -> None:
    """Write what is installed here, or that nothing is."""
    if version:
        host.run("mkdir", "-p", "--", folder)
        host.write(f"{folder}/{node}", f"{version}\n")
    else:
        host.run("rm", "-f", "--", f"{folder}/{node}")


def apart(told: Mapping[str, str], node: str) -> dict[str, str]:
    """The members whose version does not go with that of a node."""
    own = minor(told.get(node, ""))
    return {each: version for each, version in told.items() if minor(version) != own}


def waits(told: Mapping[str, str], node: str) -> bool:
    """Whether a node may not start: not before more than half have its version."""
    return node in told and 2 * len(apart(told, node)) >= len(told)


def outvoted(told: Mapping[str, str], node: str) -> bool:
    """Whether a node that runs is to end: its ctdbd would come back again and again, and stop the others each time."""
    return node in told and 2 * len(apart(told, node)) > len(told)


def check(told: Mapping[str, str], node: str) -> None:
    """Raises Failed where most members have another version than a node that is about to start."""
    if not waits(told, node):
        return
    shown = ", ".join(f"{each} has {version}" for each, version in sorted(apart(told, node).items()))
    raise Failed(
        f"member {node} waits: {REASON.format(told[node])}",
        f"{shown}, and CTDB ends the member that came last",
        hint="upgrade the others, or this one; it starts when most have its version",
    )
