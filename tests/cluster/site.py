"""What the cluster of the tests serves."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab import containers, mounts
from lab.cluster import PUBLIC, SHARED, ClusterNode, Lab, cluster
from lab.mounts import until
from smbgateway.guests.template import Recipe

PASSWORD = "Open-Sesame-1"
LONGEST = 30.0  # seconds that a client may wait here; the bench `failover` judges
ADDRESSES = [f"{PUBLIC}.10{number}" for number in range(3)]


def share(name: str) -> dict[str, Any]:
    source = {"kind": "directory", "path": f"{SHARED}/{name}", "shared": True}
    return {"kind": "share", "name": name, "gateway": "files", "source": source, "access": {"alice": "write"}}


def records(lab: Lab) -> list[dict[str, Any]]:
    return [lab.gateway(), {"kind": "user", "name": "alice", "password": PASSWORD}, share("docs")]


@contextlib.contextmanager
def in_containers(suite: str = Recipe.suite) -> Iterator[Lab]:
    """Three nodes whose members are containers of a Debian; at the end nothing of them is left on any node."""
    mounts.enter_private_namespace()
    with cluster(template=containers.tar_file(suite=suite)) as made:
        (made.area / "shared/shared/locks").mkdir()
        mode = {"kind": "lxc", "bridge": "vmbr0", "memory": "256M"}
        gateway = made.gateway(lock=f"file:{SHARED}/locks/files", bridge="vmbr1") | {"mode": mode}
        user = {"kind": "user", "name": "alice", "password": PASSWORD}
        assert "share docs proved" in made.node(1).apply(gateway, user, share("docs"))
        yield made
        made.node(1).cli("delete", "docs")
        made.node(1).cli("gateway", "delete", "files")
        until(lambda: not any(left(made)), "all members are gone")


def left(lab: Lab) -> list[Path]:
    """What is still there of members in containers."""
    folders = [folder for node in lab.nodes for folder in (node.state / "lxc", node.state / "mounts/.guests")]
    return [path for folder in folders for path in folder.glob("*")]


def smb(lab: Lab, address: str, commands: str, share: str = "docs", user: str = "alice") -> str:
    """What smbclient says on the client's side."""
    login = ("-U", f"{user}%{PASSWORD}", "--configfile=/dev/null")
    return lab.client.run("smbclient", f"//{address}/{share}", *login, "-c", commands, check=False)


def address_of(lab: Lab, node: ClusterNode) -> str:
    """One that it has: a member that came back gets one a moment later."""
    own = lambda: [address for address in ADDRESSES if lab.holders(address) == [node.name]]  # noqa: E731
    until(lambda: own() != [], f"{node.name} has an address")
    return own()[0]


def gap_of_death(lab: Lab, program: str, moves: bool = False) -> float:
    """How long a client waits where a program of its member is killed; where it `moves`, another has the address."""
    victim = lab.holder(ADDRESSES[0])
    former = victim.pid(program)
    with lab.recorder(ADDRESSES[0], "docs", "alice", PASSWORD) as client:
        moment = time.monotonic()
        victim.kill(program)
        if moves:
            until(lambda: lab.holders(ADDRESSES[0]) not in ([], [victim.name]), "the address moves")
        until(lambda: any(pid != former for pid in victim.runs(program)), f"{program} runs again")
        until(lambda: lab.healthy() and lab.settled(), "all members are healthy again", 60)
        return client.gap(moment)


def gap_of_pulled_cable(lab: Lab, lost: ClusterNode, address: str) -> float:
    """How long a client waits where the clients' cable is pulled out of the node that has its address."""
    with lab.recorder(address, "docs", "alice", PASSWORD) as client:
        moment = time.monotonic()
        lost.link("eth0", False)
        until(lambda: lab.settled() and lost.name not in lab.holders(address), "another has the address")
        gap = client.gap(moment)
        lost.link("eth0", True)
        until(lambda: lab.healthy() and lab.settled(), "all members are healthy", 60)
    return gap


def wanted(node: ClusterNode, members: list[int], **more: Any) -> dict[str, Any]:
    """The record with other members: apply finds the numbers that they have."""
    now = json.loads(node.cli("gateway", "show", "files", "--json"))
    chosen = [{"node": f"n{number}", "address": f"10.77.1.{number}"} for number in members]
    return {**now, "cluster": {**now["cluster"], "members": chosen, **more}}


def agree(lab: Lab, members: list[int]) -> bool:
    """Whether the record is settled, and every member of it serves and knows these members, all with an address."""
    now = json.loads((lab.area / "store/config/gateways/files.json").read_text())
    nodes = [lab.node(number) for number in members]
    numbers = [at for at, each in enumerate(now["cluster"]["members"]) if not each["removed"]]
    views = [node.view() for node in nodes]
    known = all(view and sorted(view.flags) == numbers and not any(view.flags.values()) for view in views)
    names = {node.name for node in nodes}
    return known and now["state"] == "ready" and lab.settled() and {lab.holders(a)[0] for a in ADDRESSES} <= names
