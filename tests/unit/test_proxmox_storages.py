"""Shares as storages of Proxmox VE: added, removed by us or by others, lost, and refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from lab.proxmox import StandIn
from smbgateway import __version__, storages
from smbgateway.engine import Engine
from smbgateway.errors import Invalid
from smbgateway.intake import Options
from smbgateway.model import Share, parse
from smbgateway.proxmox.client import Proxmox
from smbgateway.proxmox.sections import Sections, section_name
from smbgateway.step import Ledger, StepFailed
from smbgateway.storages import Storages

from .machine import new_engine


@pytest.fixture
def engine(tmp_path: Path, api: Proxmox) -> Engine:
    """With a share that is a storage."""
    made = new_engine(str(tmp_path))
    vars(made.site)["proxmox"] = api
    for record in parse([GATEWAY, SHARE]):
        made.site.store.save(record.sealed("ready"))
    return made


GATEWAY: dict[str, Any] = {"kind": "gateway", "name": "files", "mode": {"kind": "native", "node": "one"}}
SHARE: dict[str, Any] = {
    "kind": "share", "name": "docs", "gateway": "files", "storage": True,
    "source": {"kind": "directory", "path": "/srv/docs"},
}  # fmt: skip
SECTION = {"type": "smbgateway", "content": "none", "nodes": "one", "smbgw-share": "files/docs"}


def test_names_of_storages() -> None:
    assert section_name("docs", "Docs") == "smb-Docs"
    assert section_name("files", "docs") == "smb-files-docs"
    assert section_name("files", "Year 2026") == "smb-files-Year-2026-519ca8"
    assert section_name("files", "Year-2026") == "smb-files-Year-2026"
    assert len(section_name("f" * 40, "d" * 80)) <= 51


def test_a_storage_is_added_followed_and_removed(api: Proxmox, node: StandIn) -> None:
    def step(*nodes: str) -> Any:
        return Sections(api).step("files", "docs", nodes)

    for nodes in (("one",), ("two", "one"), ("two", "one")):
        Ledger().converge([step(*nodes)])
    assert node.storages == {"smb-files-docs": {**SECTION, "nodes": "one,two"}}
    assert node.changes == ["POST /storage", "PUT /storage/smb-files-docs"]
    Ledger().remove([step("one", "two")])
    Ledger().remove([step("one", "two")])
    assert node.storages == {}


def test_a_storage_of_others_is_never_touched(api: Proxmox, node: StandIn) -> None:
    node.storages["smb-files-docs"] = {"type": "nfs"}
    with pytest.raises(StepFailed) as raised:
        Ledger().converge([Sections(api).step("files", "docs", ["one"])])
    assert str(raised.value).startswith(
        "cannot set storage smb-files-docs of Proxmox VE: there is another storage smb-files-docs: "
        "create storage failed: storage ID 'smb-files-docs' already defined"
    )
    Ledger().remove([Sections(api).step("files", "docs", ["one"])])
    assert node.storages == {"smb-files-docs": {"type": "nfs"}}


def test_nodes_that_would_lose_it_are_named_before_it_is_made(api: Proxmox, node: StandIn) -> None:
    node.others = {"two": __version__, "three": None, "four": "0.0.9"}
    told = [f"{fault.field}: {fault.message}" for fault in Sections(api).look("files", "docs", __version__)]
    assert told == [
        "storage: node three has no pve-smbgateway, and would drop the storages of shares",
        f"storage: node four has pve-smbgateway 0.0.9, this node {__version__}",
    ]
    node.storages["smb-files-docs"] = {"type": "dir"}
    assert Sections(api).look("files", "docs", __version__)[0].message == "there is another storage smb-files-docs"


def test_the_request_is_refused_unless_forced(engine: Engine, node: StandIn) -> None:
    node.others = {"three": None}
    other = {**SHARE, "name": "lab", "source": {"kind": "directory", "path": "/srv/lab"}}
    with pytest.raises(Invalid) as raised:
        engine.plan([other])
    assert [fault.field for fault in raised.value.faults] == ["share.lab.storage"]
    cells = engine.plan([other], Options(force=True)).cells
    assert cells[-1].name == "storage smb-files-lab of Proxmox VE"
    assert json.loads(cells[-1].want or "") == {"content": "none", "nodes": "one", "smbgw-share": "files/lab"}
    assert node.storages == {}


def test_elsewhere_a_share_cannot_be_a_storage(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as raised:
        new_engine(str(tmp_path)).plan([{**GATEWAY, "mode": {"kind": "native"}}, SHARE])
    assert str(raised.value.faults[0].message) == "this node is not one of Proxmox VE"


def test_who_removes_the_storage_is_heeded_and_the_share_stays(engine: Engine, node: StandIn) -> None:
    store, watched = engine.site.store, Storages(engine)
    folder = Path(watched.notes.folder)
    folder.mkdir(parents=True)
    for name in ("smb-files-docs", "smb-gone"):
        (folder / name).touch()
    assert [finding.state for finding in storages.look(engine.site)] == ["ok"]  # removed, not lost
    said = watched.heed(engine.site.world())
    assert said == ["share docs: its storage smb-files-docs was removed from Proxmox VE; it is served as before"]
    share = store.all(Share)["files/docs"]
    assert (share.storage, share.state, list(folder.iterdir())) == (False, "ready", [])
    assert engine.converged["share", "files/docs"] == share.digest
    assert watched.heed(engine.site.world()) == []


def test_one_that_is_lost_is_found_and_added_again(engine: Engine, node: StandIn) -> None:
    (found,) = storages.look(engine.site)
    assert (found.state, found.hint) == ("warn", "doctor --fix adds it again")
    assert found.text.startswith("storage smb-files-docs of Proxmox VE is gone, and nobody removed it: share docs is")
    said = [finding.text for finding in storages.mend(engine.site)]
    assert said == ["storage smb-files-docs of Proxmox VE is added again"]
    assert node.storages == {"smb-files-docs": SECTION}
    assert [finding.state for finding in storages.look(engine.site)] == ["ok"]
    node.others = {"two": None}
    assert [finding.state for finding in storages.look(engine.site)] == ["warn"]
