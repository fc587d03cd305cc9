"""What the storage plugin of Proxmox VE is told of sizes."""

import json
from pathlib import Path

from smbgateway.host import replace_file
from smbgateway.live import live_text
from smbgateway.sources import Usage


def test_a_share_without_a_limit_is_as_large_as_what_it_has_and_may_have() -> None:
    told = json.loads(live_text("pve1", {"a/docs": Usage(40, 100, 50), "a/open": Usage(40, None, 50)}, 1732380000.7))
    assert told == {"at": 1732380000, "node": "pve1", "shares": {"a/docs": [100, 50, 40], "a/open": [90, 50, 40]}}


def test_the_file_is_replaced_in_one_piece(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    for text in ("one\n", "two\n"):
        replace_file(str(path), text)
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]
