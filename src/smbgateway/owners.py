"""Who a number is that owns a file or runs a process: on the node, on disk, and in containers. Pure."""

from .guests import template
from .model import Group, User
from .modes import proxmox_lxc
from .samba.config import GROUP_ID, GUEST_ID
from .world import World

NOBODY = 65534
BASES = {
    proxmox_lxc.BASE: "a container of Proxmox VE",
    template.BASE: "a container of ours",
}


def explain(world: World, number: int) -> list[str]:
    """What a uid or gid of the node stands for; empty where it is none that gateways use."""
    for base, where in BASES.items():
        if base <= number < base + template.COUNT:
            inside = number - base
            who = _who(world, inside) or ("its root" if inside == 0 else f"number {inside}")
            return [
                f"{number} on this node is {inside} inside of {where}: {who}",
                "processes of the container have it; data of shares does not, on disk it has the plain number",
            ]
    who = _who(world, number)
    return [f"{number} is {who}, on disk and on this node as in every gateway"] if who else []


def _who(world: World, number: int) -> str:
    known = {GROUP_ID: "the group of everybody with access (as a gid)", GUEST_ID: "the guest", NOBODY: "nobody"}
    if number in known:
        return known[number]
    people: list[User | Group] = [*world.users.values(), *world.groups.values()]
    return " or ".join(
        each.title for each in people if number in (getattr(each, "uid", None), getattr(each, "gid", None))
    )
