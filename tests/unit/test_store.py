"""What a store that cannot be written, and a journal, say: nothing was changed, why, and what to look at."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from smbgateway import store
from smbgateway.errors import Unavailable
from smbgateway.journal import Journal
from smbgateway.model import User
from smbgateway.paths import Paths

HINT = "on Proxmox VE: no quorum? `pvecm status` tells; elsewhere: look at the file system of the store"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk on which nothing can be made."""

    def refuse(path: str, *mode: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    monkeypatch.setattr(os, "makedirs", refuse)


def test_records_secrets_and_the_lock_name_what_to_look_at(full: None, tmp_path: Path) -> None:
    made = store.FileStore(Paths(str(tmp_path)))
    attempts = [
        lambda: made.save(User(name="alice")),
        lambda: made.keep_secret("users/alice", "x"),
        made.lock().__enter__,
    ]
    for attempt in attempts:
        with pytest.raises(Unavailable) as caught:
            attempt()
        assert str(caught.value) == f"the store cannot be written: No space left on device\n  {HINT}"


def test_a_store_that_another_holds_is_named_with_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOCK_WAIT", 0.0)
    paths = Paths(str(tmp_path))
    Path(paths.config).mkdir(parents=True)
    with open(paths.lock, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(Unavailable) as caught, store.FileStore(paths).lock():
            pass
    assert str(caught.value) == f"the store is locked: {paths.lock} has been held for 0 s\n  try again"


def test_without_a_journal_nothing_is_begun(full: None, tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    with pytest.raises(Unavailable) as caught:
        Journal.begin(str(folder), [], [])
    assert str(caught.value) == (
        f"the journal cannot be written: No space left on device: {folder}\n  look at that file system"
    )
    assert not folder.exists()
