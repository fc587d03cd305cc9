"""A member of a cluster that comes back: what ctdbd itself would never start with."""

import struct
import subprocess
from pathlib import Path

import pytest

from smbgateway.cluster import files

RECOVERY_START = 44  # bytes into the header of a tdb (tdb_private.h)


def comes_up(own: Path) -> str:
    """Its event `init`, which ctdbd waits for before it opens a database."""
    script = own / "events.sh"
    script.write_text(files.events(str(own)))
    return subprocess.run(["sh", script, "init"], check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """One with a record, as member 0 keeps it."""
    folder = tmp_path / "ctdb/var/persistent"
    folder.mkdir(parents=True)
    (tmp_path / "ctdb/etc").mkdir()
    (tmp_path / "ctdb" / files.PUBLIC).touch()
    said = f"create {folder}/registry.tdb.0\ninsert key value\n"
    subprocess.run(["tdbtool"], input=said, check=True, capture_output=True, text=True)
    return folder / "registry.tdb.0"


def checked(database: Path) -> str:
    return subprocess.run(["tdbtool", database, "check"], check=True, capture_output=True, text=True).stdout


def test_a_database_that_is_whole_is_left_alone(tmp_path: Path, database: Path) -> None:
    before = database.read_bytes()
    assert (comes_up(tmp_path), database.read_bytes()) == ("", before)


def test_a_database_that_a_kill_left_half_written_is_mended_with_all_its_records(
    tmp_path: Path, database: Path
) -> None:
    """As it was seen: room for a transaction is set aside, and nothing was written there yet."""
    content = bytearray(database.read_bytes())
    struct.pack_into("<I", content, RECOVERY_START, len(content) - 400)
    database.write_bytes(content)
    assert "Integrity check for the opened database failed" in checked(database)
    assert comes_up(tmp_path) == f"{database} was left half written: it is mended\n"
    assert "integrity is OK and has 1 records" in checked(database)
    assert [each.name for each in database.parent.iterdir()] == [database.name]


def test_a_database_that_cannot_be_read_is_kept_aside(tmp_path: Path, database: Path) -> None:
    for rubbish in (b"rubbish" * 1000, b"other"):
        database.write_bytes(rubbish)
        assert "is broken: it is kept as" in comes_up(tmp_path)
    kept = sorted(each.name for each in database.parent.iterdir())
    assert kept == ["registry.tdb.0.broken", "registry.tdb.0.broken.~1~"]
