"""A cluster on Ceph: the data on CephFS, the cluster lock in RADOS."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab import mounts
from lab.cluster import ClusterNode, Lab, Storage, cluster
from lab.mounts import until
from smbgateway.cluster.files import EXPIRY

from .site import PASSWORD, address_of


@dataclass
class Site:
    """Three nodes, and a Ceph that they share."""

    lab: Lab
    storage: Storage

    def owner(self) -> str:
        """The address of the node that has the cluster lock, empty where none has it."""
        program = ("rados", "--pool", "ctdb", "lock", "info", "files", "ctdb_reclock_mutex", "--format", "json")
        with self.storage.inside():
            told = self.storage.cluster.tool(*program)
        return next(iter(re.findall(r"10\.77\.1\.\d+", told)), "")

    def folder(self, node: ClusterNode) -> Path:
        """The data of the share, as a node has it mounted."""
        return Path(f"/proc/{node.holder.pid}/root{node.inside}/var/lib/pve-smbgateway/mounts/files/docs/data")


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    mounts.enter_private_namespace()
    with cluster() as lab, lab.storage() as storage:
        with storage.inside():
            storage.cluster.ceph("osd", "pool", "create", "ctdb", "8")
            storage.cluster.volume("cephfs")
        source = {"kind": "cephfs", "subvolume": "cephfs/docs"}
        share = {"kind": "share", "name": "docs", "gateway": "files", "source": source, "access": {"alice": "write"}}
        user = {"kind": "user", "name": "alice", "password": PASSWORD}
        lab.node(1).apply(lab.gateway(lock="rados:ctdb/files"), user, share)
        yield Site(lab, storage)


@pytest.fixture(autouse=True)
def whole(site: Site) -> Iterator[None]:
    until(lambda: site.lab.healthy() and site.lab.settled(), "all members are healthy", 90)
    yield
    site.lab.mend()


def test_a_leader_whose_ctdbd_dies_gives_the_lock_back_at_once(site: Site) -> None:
    lab = site.lab
    leader = lab.leader()
    assert site.owner() == f"10.77.1.{leader.number}"
    other = next(node for node in lab.nodes if node is not leader)
    with lab.recorder(address_of(lab, leader), "docs", "alice", PASSWORD, site.folder(other)) as client:
        moment = time.monotonic()
        leader.kill("ctdbd --interactive")
        until(lambda: site.owner() not in ("", f"10.77.1.{leader.number}"), "another has the lock", 20)
        passed = time.monotonic() - moment
        assert passed < EXPIRY
        print(f"RADOS lock moved after {passed:.1f} s, client served after {client.gap(moment):.1f} s")
