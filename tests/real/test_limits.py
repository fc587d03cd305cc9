"""Limits that are lifted: they go from the storage, and come back where the change is undone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import mounts
from smbgateway.errors import CommandFailed
from smbgateway.host import Node
from smbgateway.step import StepFailed

from .world import Site, site, subvolumes, user

MI = 1024 * 1024
LIMITS = {"zfs": {"quota": "20M", "user_quota": "10M"}, "btrfs": {"quota": "20M"}}
LIMITED = {"zfs": [str(20 * MI), str(10 * MI)], "btrfs": [str(20 * MI)]}


@pytest.fixture(params=["btrfs", "zfs"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def made(kind: str, area: Path, tank: str, btrfs: mounts.Disk) -> Iterator[Site]:
    """A gateway with a share `docs` that has limits."""
    below = btrfs.path / "limits"
    below.mkdir()
    with site(area, f"limits-{kind}") as one:
        mounts.run("mount", "--bind", below, one.srv)
        one.apply(user(), one.gateway(), one.share(source=source(one, kind, tank), **LIMITS[kind]))
        yield one
    for volume in subvolumes(below):
        mounts.run("btrfs", "subvolume", "delete", volume)
    below.rmdir()
    mounts.until(lambda: mounts.destroyed(f"{tank}/limits"), "the dataset goes")


def source(made: Site, kind: str, tank: str) -> dict[str, str]:
    return {"kind": "zfs", "dataset": f"{tank}/limits"} if kind == "zfs" else made.source("docs", "btrfs")


class Refusing(Node):
    """A node on which what comes after the limit of the share fails."""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if argv[:2] == ("zfs", "set") and argv[2].startswith("userquota@"):
            raise CommandFailed(argv, 1, "failed by the test")
        return super().run(*argv, stdin=stdin, timeout=timeout)


def limits(made: Site, kind: str) -> list[str | None]:
    """What the storage limits the share and its user to."""
    world = made.engine.site.world()
    asked = world.shares["files/docs"].model_copy(update={"quota": MI, "user_quota": MI if kind == "zfs" else None})
    steps = made.engine.site.blueprint(world).limits(asked)
    return [step.read() for step in steps if not step.name.startswith("quota accounting")]


def test_a_limit_that_is_lifted_goes_from_the_storage(made: Site, kind: str, tank: str) -> None:
    assert limits(made, kind) == LIMITED[kind]
    done = made.apply(made.share(source=source(made, kind, tank)))
    assert limits(made, kind) == [None] * len(LIMITED[kind])
    assert {change.verb for change in done.changes if change.step.name.startswith("quota of")} == {"removed"}
    assert made.drift() == []


@pytest.mark.parametrize("kind", ["zfs"])
def test_a_change_that_fails_brings_the_limits_back(made: Site, kind: str, tank: str) -> None:
    with pytest.raises(StepFailed, match="failed by the test"):
        made.new_engine(Refusing()).apply([made.share(source=source(made, kind, tank))])
    assert limits(made, kind) == LIMITED[kind]
    assert made.engine.site.world().shares["files/docs"].quota == 20 * MI
    assert made.drift() == []
