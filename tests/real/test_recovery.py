"""The engine comes up on a node where something is still away: it serves what it can, says what not, and goes on."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import mounts
from smbgateway.status import Status
from smbgateway.watch import Watch

from .crash import JOURNAL, killed
from .test_native import reboot
from .world import Site, leftovers, site, user


@pytest.fixture
def made(area: Path) -> Iterator[Site]:
    """A gateway with a share, whose records lie on a file system of their own, as on Proxmox VE."""
    store = area / "recovery-store"
    store.mkdir()
    mounts.run("mount", "-t", "tmpfs", "tmpfs", store)
    try:
        with site(area, "recovery", shared=store) as one:
            one.apply(one.gateway(), user(), one.share())
            yield one
    finally:
        mounts.run("umount", store)
        store.rmdir()


@contextlib.contextmanager
def without_quorum(site: Site) -> Iterator[None]:
    store = os.path.dirname(site.paths.config)
    mounts.run("mount", "-o", "remount,ro", store)
    try:
        yield
    finally:
        mounts.run("mount", "-o", "remount,rw", store)


def mended(site: Site) -> list[str]:
    """What the watch does about gateways that are not whole, without the pause before it."""
    site.engine.failing = {name: (0.0, pause) for name, (_, pause) in site.engine.failing.items()}
    Watch(site.engine).look()
    return site.drift()


def test_without_quorum_an_interrupted_change_waits_and_all_else_is_served(made: Site) -> None:
    late = made.share("late")
    assert killed(made, 4, lambda engine: engine.apply([late]), JOURNAL)
    reboot(made)
    with without_quorum(made):
        (said,) = made.restart()
        assert said.startswith("share late: neither finished nor put back, tried again later (the store cannot be ")
        assert "written: Read-only file system" in said
        assert made.works("docs")
    assert mended(made) == []
    assert leftovers(made) == []
    assert made.works("docs")
    assert made.works("late") == ("files/late" in made.engine.site.world().shares)


def test_a_disk_that_comes_late_keeps_one_share_out_of_service_until_it_is_there(made: Site) -> None:
    made.apply(made.image("pictures"))
    assert "NT_STATUS_" not in made.smb("pictures", "put /etc/hostname kept")
    reboot(made)
    disk, away = made.srv / "pictures.img", made.srv / "away"
    disk.rename(away)
    (said,) = made.restart()
    assert said.startswith(f"share pictures: cannot set image {disk}: image {disk} is gone: ")
    assert made.works("docs")
    assert "NT_STATUS_BAD_NETWORK_NAME" in made.smb("pictures")
    found = Status(made.engine).share("pictures")
    assert (found["serving"], found["drift"][0]["name"], found["drift"][0]["now"]) == (False, f"image {disk}", None)
    assert not disk.exists()
    away.rename(disk)
    assert mended(made) == []
    assert "kept" in made.smb("pictures", "ls")
