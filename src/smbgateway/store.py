"""Desired state: one JSON file per resource, on pmxcfs or a plain file system; and a memory store for unit tests.

pmxcfs (Proxmox cluster file system): no chmod, no links, rename is atomic, a lock is a directory that mkdir makes.
"""

import contextlib
import errno
import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

from .errors import GatewayError, Unavailable
from .host import Node
from .model import KINDS, Resource, parse
from .paths import Paths

LOCK_WAIT = 10.0  # seconds; as PVE::Cluster waits
# What a store that cannot be written answers: no quorum, no space, no server.
AWAY = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOTCONN}
ALIKE = ("levels", "snapshots", "purpose")  # parts of records that many have in common
R = TypeVar("R", bound=Resource)


class Store(Protocol):
    """Records and secrets."""

    def all(self, kind: type[R]) -> dict[str, R]:
        """All records of a kind by key."""

    def save(self, record: Resource) -> None:
        """Write one record. Raises Unavailable where the store is read-only."""

    def delete(self, record: Resource) -> None:
        """Remove one record; absent is fine."""

    def secret(self, name: str) -> str | None:
        """A secret, None if there is none."""

    def keep_secret(self, name: str, value: str | None) -> None:
        """Write or (None) remove a secret."""

    def lock(self) -> contextlib.AbstractContextManager[None]:
        """The lock over all nodes: held for records only, at most a few seconds; its holder may take it again."""


class FileStore:
    """Records below `config`, secrets below `priv` (0600)."""

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.node = Node()
        self.broken: dict[str, str] = {}
        self._cache: dict[str, tuple[tuple[int, int, int], str, Resource]] = {}
        self._parts: dict[object, Any] = {}
        self._thread_lock = threading.RLock()
        self._turn = threading.RLock()  # of the threads that want the lock over all nodes
        self._held = 0

    def all(self, kind: type[R]) -> dict[str, R]:
        """All records of a kind by key. A file that cannot be read as a record is left out and kept in `broken`."""
        folder = f"{self.paths.config}/{_kind(kind)}s"
        with self._thread_lock:
            found = filter(None, map(self._load, _files(folder)))
            return {key: record for key, record in found if type(record) is kind}

    def _load(self, entry: "os.DirEntry[str]") -> tuple[str, Resource] | None:
        """The record in a file, and its key: of ten thousand, a look at each file is all that is done twice."""
        try:
            status = entry.stat()
            mark = (status.st_mtime_ns, status.st_size, status.st_ino)
            if (known := self._cache.get(entry.path)) and known[0] == mark:
                return known[1:]
            record = slim(parse([json.loads(Path(entry.path).read_text(encoding="utf-8"))])[0], self._parts)
        except FileNotFoundError:
            return None
        except (ValueError, GatewayError) as error:
            self.broken[entry.path] = str(error)
            return None
        self.broken.pop(entry.path, None)
        self._cache[entry.path] = (mark, record.key, record)
        return record.key, record

    def save(self, record: Resource) -> None:
        """Write one record by rename."""
        path = self._path(record)
        text = json.dumps(record.model_dump(mode="json"), indent=1, sort_keys=True) + "\n"
        with self._thread_lock, _writing():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self.node.write(path, text, 0o640)

    def delete(self, record: Resource) -> None:
        """Remove one record."""
        with self._thread_lock, _writing(), contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(record))

    def secret(self, name: str) -> str | None:
        """A secret by name such as `users/alice`."""
        return self.node.read(f"{self.paths.priv}/{name}")

    def keep_secret(self, name: str, value: str | None) -> None:
        """Write or remove a secret; on a plain file system directory and file are for root alone."""
        path = f"{self.paths.priv}/{name}"
        with _writing():
            if value is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                return
            for folder in (self.paths.priv, os.path.dirname(path)):
                os.makedirs(folder, mode=0o700, exist_ok=True)
            self.node.write(path, value, 0o600)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock; who holds it may take it again. Raises Unavailable after 10 s."""
        with self._turn, contextlib.ExitStack() as stack:
            if not self._held:
                stack.enter_context(self._directory_lock() if self.paths.on_proxmox else self._file_lock())
            self._held += 1
            try:
                yield
            finally:
                self._held -= 1

    @contextlib.contextmanager
    def _file_lock(self) -> Iterator[None]:
        """flock(2): it ends with who holds it, however that ends."""
        with _writing():
            os.makedirs(os.path.dirname(self.paths.lock), exist_ok=True)
            descriptor = os.open(self.paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._wait(lambda: fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB))
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _directory_lock(self) -> Iterator[None]:
        """On pmxcfs: utime(0, 0) asks it for the lock of a dead node, which it gives after 120 s."""
        with _writing():
            os.makedirs(os.path.dirname(self.paths.lock), exist_ok=True)
        self._wait(self._make_lock)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                os.rmdir(self.paths.lock)

    def _make_lock(self) -> None:
        try:
            with _writing():
                os.mkdir(self.paths.lock)
        except FileExistsError:
            with contextlib.suppress(OSError):
                os.utime(self.paths.lock, (0, 0))
            raise BlockingIOError from None

    def _wait(self, take: Callable[[], object]) -> None:
        deadline = time.monotonic() + LOCK_WAIT
        while True:
            try:
                take()
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    cause = f"{self.paths.lock} has been held for {LOCK_WAIT:g} s"
                    raise Unavailable("the store is locked", cause, hint="try again") from None
            time.sleep(0.05)

    def _path(self, record: Resource) -> str:
        return f"{self.paths.config}/{record.kind}s/{record.key}.json"


def slim(record: Resource, parts: dict[object, Any]) -> Resource:
    """Let a record have in common with others what is equal: ten thousand shares take a quarter of the memory."""
    for name in ALIKE:
        if part := getattr(record, name, None):
            record.__dict__[name] = parts.setdefault(part, part)
    for each in (record, getattr(record, "source", None)):
        if each:
            named = each.__pydantic_fields_set__
            object.__setattr__(each, "__pydantic_fields_set__", parts.setdefault(frozenset(named), named))
    return record


def _kind(kind: type[Resource]) -> str:
    return next(name for name, cls in KINDS.items() if cls is kind)


def _files(folder: str) -> "Iterator[os.DirEntry[str]]":
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name.endswith(".json") and not entry.name.startswith(".new-"):
            yield entry
        elif entry.is_dir():
            yield from _files(entry.path)


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in AWAY:
            raise
        raise Unavailable(
            "the store cannot be written",
            error.strerror or str(error),
            hint="on Proxmox VE: no quorum? `pvecm status` tells; elsewhere: look at the file system of the store",
        ) from error


class MemoryStore:
    """Records in memory, for unit tests: the same behaviour, no files."""

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], Resource] = {}
        self.secrets: dict[str, str] = {}
        self.read_only = False

    def all(self, kind: type[R]) -> dict[str, R]:
        """All records of a kind by key."""
        return {key: record for (_, key), record in sorted(self.records.items()) if isinstance(record, kind)}

    def save(self, record: Resource) -> None:
        """Write one record, by way of JSON as the file store does."""
        self._check()
        stored = parse([json.loads(json.dumps(record.model_dump(mode="json")))])[0]
        self.records[record.kind, record.key] = stored

    def delete(self, record: Resource) -> None:
        """Remove one record."""
        self._check()
        self.records.pop((record.kind, record.key), None)

    def secret(self, name: str) -> str | None:
        """A secret by name."""
        return self.secrets.get(name)

    def keep_secret(self, name: str, value: str | None) -> None:
        """Write or remove a secret."""
        self._check()
        self.secrets.pop(name, None)
        if value is not None:
            self.secrets[name] = value

    def lock(self) -> contextlib.AbstractContextManager[Any]:
        """Nothing to lock."""
        self._check()
        return contextlib.nullcontext()

    def _check(self) -> None:
        if self.read_only:
            raise Unavailable("the store cannot be written", "read-only")
