"""When the watch reads the records: not each time, and none is missed."""

from pathlib import Path

import pytest

from smbgateway.engine import Engine
from smbgateway.host import Node
from smbgateway.model import User
from smbgateway.paths import Paths
from smbgateway.store import FileStore
from smbgateway.watch import RECORDS, Watch


class Watched:
    """An engine whose readings are counted, at a time that goes on when the test says so."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        paths = Paths(str(root))
        self.engine, self.now, self.readings = Engine(FileStore(paths), paths, Node(), "one"), 1000.0, 0
        self.watch, self.world = Watch(self.engine), self.engine.site.world
        monkeypatch.setattr("smbgateway.watch.time.monotonic", lambda: self.now)
        vars(self.engine.site)["world"] = self._read

    def _read(self) -> object:
        self.readings += 1
        return self.world()

    def reads(self, seconds: float = 2.0) -> bool:
        """Whether a look reads the records, so many seconds later."""
        before, self.now = self.readings, self.now + seconds
        self.watch.look()
        return self.readings > before


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    made = Watched(tmp_path, monkeypatch)
    made.engine.site.store.save(User(name="alice"))
    return made


def test_records_that_moved_are_read_twice(watched: Watched) -> None:
    """A second change within one tick of the clock, on pmxcfs a second, leaves the stamp as it is."""
    assert [watched.reads() for _ in range(4)] == [True, True, False, False]
    watched.engine.site.store.save(User(name="bob"))
    assert [watched.reads() for _ in range(3)] == [True, True, False]


def test_records_that_seem_unchanged_are_read_now_and_then(watched: Watched) -> None:
    assert [watched.reads() for _ in range(3)] == [True, True, False]
    assert [watched.reads(RECORDS - 5), watched.reads(6)] == [False, True]
