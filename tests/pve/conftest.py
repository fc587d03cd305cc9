"""The pve ring: the package in a clean Debian 13, in mount namespaces of its own."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from lab import debian13, mounts
from lab.debian13 import Root

REPOSITORY = Path(__file__).resolve().parents[2]
BASE = REPOSITORY / "build/debian13"
Fresh = Callable[[str], AbstractContextManager[Root]]


def not_sources(folder: str, names: list[str]) -> set[str]:
    """For copytree: what was made of them. A machine may be being built in `build`, with a /proc in it."""
    made = {
        name for name in names if name.startswith(".") or name in ("dist", "__pycache__") or name.endswith(".egg-info")
    }
    return made | ({"build"} if Path(folder) == REPOSITORY else set())


@pytest.fixture(scope="session")
def area(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory in which the roots of this ring lie."""
    assert os.geteuid() == 0, "the pve ring needs root"
    mounts.enter_private_namespace()
    with mounts.mount_area() as made:
        yield made


@pytest.fixture(scope="session")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built."""
    return build(tmp_path_factory.mktemp("deb"))


def build(into: Path, **more: object) -> Path:
    done = subprocess.run([REPOSITORY / "build-deb", into], capture_output=True, text=True, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@pytest.fixture(scope="session")
def fresh(area: Path, deb: Path) -> Fresh:
    """Makes clean roots by name, each with the package as /pve-smbgateway.deb."""

    @contextmanager
    def made(name: str) -> Iterator[Root]:
        with debian13.root(BASE, area, name) as root:
            root.file("/pve-smbgateway.deb").write_bytes(deb.read_bytes())
            yield root

    return made


@pytest.fixture
def clean(fresh: Fresh) -> Iterator[Root]:
    """A clean Debian 13 for one test."""
    with fresh("clean") as root:
        yield root


@pytest.fixture(scope="session")
def installed(fresh: Fresh) -> Iterator[Root]:
    """A Debian 13 with the package, Samba, and what the unit ring needs of Debian's."""
    with fresh("installed") as root:
        root.install("/pve-smbgateway.deb", *SERVING, *UNIT)
        yield root


SERVING = ("samba", "samba-vfs-modules", "xfsprogs")
UNIT = ("python3-pytest", "python3-hypothesis", "python3-httpx")
