"""A monitor on a machine in memory: a pool of ZFS whose figures a test sets, a clock it turns, and what was told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from smbgateway.api.app import make
from smbgateway.engine import Engine
from smbgateway.errors import CommandFailed
from smbgateway.model import Gateway, Share
from smbgateway.monitor import Monitor
from smbgateway.notify.courier import Courier
from smbgateway.notify.notice import Notice
from smbgateway.paths import Paths
from smbgateway.quota.history import QUARTER
from smbgateway.store import MemoryStore

from .machine import Api, EmptyMachine, as_peer

GI = 2**30
NOON = 1_800_000_000 // QUARTER * QUARTER


@dataclass
class Pool(EmptyMachine):
    """Answers `zfs get` for datasets of tank: used, and 10 GiB for each unless `limits` says else."""

    used: dict[str, int] = field(default_factory=dict)
    limits: dict[str, int] = field(default_factory=dict)
    broken: str = ""  # what zfs complains of

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if argv[:2] != ("zfs", "get") or "name,property,value" not in argv:
            return super().run(*argv, stdin=stdin, timeout=timeout)
        if self.broken:
            raise CommandFailed(argv, 1, self.broken)
        return "".join(self._rows(dataset) for dataset in argv[6:])

    def _rows(self, dataset: str) -> str:
        name = dataset.rpartition("/")[2]
        used, limit = self.used[name], self.limits.get(name, 10 * GI)
        values = {"referenced": used, "used": used, "refquota": limit, "quota": 0, "available": max(0, limit - used)}
        return "".join(f"{dataset}\t{field}\t{value}\n" for field, value in values.items())


class Told(Courier):
    """Notices, kept for the test."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def tell(self, notices: Sequence[Notice]) -> None:
        self.notices += notices

    def subjects(self) -> list[str]:
        found = [notice.subject for notice in self.notices]
        self.notices.clear()
        return found


class Lab:
    """A gateway `files` whose shares are datasets of `tank`."""

    def __init__(self, folder: Path, *names: str, node: str = "one", **more: Any) -> None:
        self.host, self.told, self.now, self.on = Pool(), Told(), float(NOON), 1000.0
        self.engine = Engine(MemoryStore(), Paths(str(folder)), self.host, node)
        self.put(Gateway(name="files"))
        for name in names:
            self.share(name, **more)
        self.fresh()

    def close(self) -> None:
        """Let go of the history."""
        self.monitor.history.close()

    def fresh(self) -> Monitor:
        """A monitor as after a start of the engine."""
        if hasattr(self, "monitor"):
            self.close()
        self.monitor = Monitor(self.engine, self.told, lambda: self.now, lambda: self.on)
        return self.monitor

    def put(self, record: Gateway | Share) -> None:
        self.engine.site.store.save(record.sealed("ready"))

    def share(self, name: str, **more: Any) -> None:
        source = {"kind": "zfs", "dataset": f"tank/{name}"}
        body = {"kind": "share", "name": name, "gateway": "files", "source": source, "quota": "10G", **more}
        self.put(Share.model_validate(body))
        self.host.used[name] = 0

    def tick(self, seconds: float = 60, times: int = 1) -> list[str]:
        """Rounds, that long apart; the subjects of what was told."""
        for _ in range(times):
            self.now, self.on = self.now + seconds, self.on + seconds
            self.monitor.round()
        return self.told.subjects()

    def row(self, name: str = "docs") -> dict[str, Any]:
        return dict(self.monitor.rows[f"files/{name}"])

    def api(self) -> Api:
        """The API of this engine, with this monitor behind it."""
        app = make(self.engine, self.monitor)
        return Api(self.engine, TestClient(as_peer(app, 0), raise_server_exceptions=False), app.state.jobs)
