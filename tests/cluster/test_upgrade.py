"""From one minor version of Samba to the next, node by node: members are containers, of Debian 12 and then of 13."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab import containers
from lab.cluster import ClusterNode, Lab, Recorder
from lab.mounts import run, until

from .site import ADDRESSES, LONGEST, PASSWORD, in_containers, share, smb

OLD, NEW = "4.17.", "4.22."
CONF = "--configfile=/var/lib/smbgateway/files/smb.conf"
DENIED = r"ACL:FILES\alice:DENIED/0x0/X"
BRIEF = 10.0  # seconds that a client may wait while the others serve; a move takes less than one


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with in_containers("bookworm") as made:
        yield made


def members(node: ClusterNode) -> dict[str, dict[str, Any]]:
    """What `gateway status` shows of each."""
    return {row["node"]: row for row in node.client.get("/v1/clusters/files")["members"]}


def acl(lab: Lab, *change: str) -> str:
    login = ("-U", f"alice%{PASSWORD}", "--configfile=/dev/null")
    return lab.client.run("smbcacls", f"//{ADDRESSES[0]}/docs", "sealed", *login, *change)


def databases(node: ClusterNode) -> str:
    """Accounts with their hashes, the SID, and the registry of shares, as a member has them."""
    asked = (["pdbedit", CONF, "-L", "-w"], ["net", CONF, "getlocalsid"], ["net", CONF, "conf", "list"])
    enter = ["nsenter", f"--target={node.supervisor()}", "--all", "--"]
    return "".join(run(*enter, *words) for words in asked)


def waiting(node: ClusterNode, seen_by: ClusterNode) -> bool:
    """Whether a member runs nothing, and the others are told why."""
    row = members(seen_by)[node.name]
    told = row["why"] == f"Samba {row['version']} does not go with that of most members"
    return told and not node.runs("ctdbd --interactive") and not node.runs("smbd --foreground")


def test_a_rolling_upgrade(lab: Lab) -> None:
    """As the page on high availability tells: drain, upgrade, undrain."""
    assert "putting file" in smb(lab, ADDRESSES[0], "put /etc/hostname sealed")
    acl(lab, "--add", DENIED)
    assert DENIED.rpartition("/")[0] in acl(lab)
    sealed, before = acl(lab, "--numeric"), databases(lab.node(1))
    assert "alice:" in before
    assert "[docs]" in before
    assert {row["version"][:5] for row in members(lab.node(1)).values()} == {OLD}
    with lab.recorder(ADDRESSES[0], "docs", "alice", PASSWORD) as client:
        lab.node(1).cli("template", "import", str(containers.tar_file()))  # nodes of the lab share their templates
        the_first_waits(lab, client)
        most_turn_over(lab, client)
        the_last_follows(lab, client)
    assert {row["version"][:5] for row in members(lab.node(1)).values()} == {NEW}
    assert [databases(node) for node in lab.nodes] == [before] * 3
    assert acl(lab, "--numeric") == sealed
    assert "share more proved" in lab.node(3).apply(share("more"))
    for address in ADDRESSES:
        assert "sealed" in smb(lab, address, "ls")
        until(lambda: "blocks of size" in smb(lab, address, "ls", "more"), "it is served")  # noqa: B023 - called at once
    lab.node(1).cli("delete", "more")


def the_first_waits(lab: Lab, client: Recorder) -> None:
    """And tries again without a word to the others, whose clients are served all the time."""
    first, second, moment = lab.node(1), lab.node(2), time.monotonic()
    first.cli("gateway", "drain", "n1")
    with pytest.raises(RuntimeError) as caught:
        first.cli("gateway", "upgrade", "files")
    assert f"member n1 waits: Samba {NEW}" in str(caught.value)
    assert f"does not go with that of most members: n2 has {OLD}" in str(caught.value)
    assert "upgrade the others, or this one; it starts when most have its version" in str(caught.value)
    until(lambda: "watch: gateway files" in (lab.area / "n1.log").read_text(), "its engine has tried again", 40)
    assert waiting(first, second)
    assert [row["state"] for row in members(second).values()] == ["unreachable", "healthy", "healthy"]
    assert lab.settled()
    gap = client.gap(moment)
    print(f"the first is upgraded: {gap:.1f} s")
    assert gap < BRIEF, f"the client waited {gap:.1f} s"


def most_turn_over(lab: Lab, client: Recorder) -> None:
    """For a moment nobody serves; then two do, and the third has ended by itself and waits."""
    second, third, moment = lab.node(2), lab.node(3), time.monotonic()
    second.cli("gateway", "drain", "n2")
    second.cli("gateway", "upgrade", "files")
    states = lambda: [row["state"] for row in members(second).values()]  # noqa: E731
    until(lambda: states() == ["healthy", "healthy", "unreachable"] and lab.settled(), "two members serve", 60)
    gap = client.gap(moment)
    print(f"most have the new version: {gap:.1f} s")
    assert gap < LONGEST, f"the client waited {gap:.1f} s"
    until(lambda: waiting(third, second), "the third waits")
    assert "most members have another version of Samba now: this one waits" in (lab.area / "n3.log").read_text()


def the_last_follows(lab: Lab, client: Recorder) -> None:
    """It has no addresses to drain."""
    moment = time.monotonic()
    lab.node(3).cli("gateway", "upgrade", "files")
    until(lambda: lab.healthy() and lab.settled(), "all members are healthy", 60)
    gap = client.gap(moment)
    print(f"the last is upgraded: {gap:.1f} s")
    assert gap < BRIEF, f"the client waited {gap:.1f} s"
