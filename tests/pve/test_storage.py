"""The storage plugin: what breaks it must break nothing else."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from smbgateway.host import replace_file
from smbgateway.live import live_text
from smbgateway.sources import Usage

from .perl import PERL, STANDIN, attempt, perl

CONFIG = """\
dir: local
\tpath /var/lib/vz
\tcontent iso,backup

smbgateway: docs
\tsmbgw-share files/docs
\tcontent none
\tnodes pve1

smbgateway: isos
\tsmbgw-share files/isos
\tcontent iso
\tpath /
"""
LOAD = "use PVE::Storage; my $P = 'PVE::Storage::Custom::SMBGateway';"
SHOW = """
$PVE::Storage::Custom::SMBGateway::SNAPSHOT = $given->{snapshot};
my $config = PVE::Storage::Plugin->parse_config($given->{config});
my @rounds = map { PVE::Storage::storage_info($config) } 1 .. ($given->{rounds} // 1);
told($rounds[-1]);
"""
LOCAL = {"total": 100, "avail": 60, "used": 40, "active": 1}
INACTIVE = {"total": 0, "avail": 0, "used": 0, "active": 0}
# APIVER and APIAGE by release: 8.0, 8.4, 9.0, 9.1, 9.2, and one that does not exist yet.
RELEASES = {"10-1": 10, "11-2": 11, "12-3": 12, "13-4": 13, "15-6": 15, "17-6": 15}


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """The snapshot, as the engine writes it."""
    path = tmp_path / "status.json"
    usages = {"files/docs": Usage(40 << 30, 100 << 30, 50 << 30), "files/isos": Usage(1, None, 2)}
    replace_file(str(path), live_text("pve1", usages, time.time()))
    return path


def asked(snapshot: Path, rounds: int = 1) -> tuple[Any, str]:
    """What pvestatd finds after some rounds, and what it logged."""
    done = attempt(LOAD + SHOW, {"snapshot": str(snapshot), "config": CONFIG, "rounds": rounds})
    assert done.returncode == 0
    return json.loads(done.stdout), done.stderr


def test_quota_and_use_are_the_size_of_the_storage(snapshot: Path) -> None:
    docs = {"total": 100 << 30, "avail": 50 << 30, "used": 40 << 30, "active": 1}
    isos = {"total": 3, "avail": 2, "used": 1, "active": 1}
    assert asked(snapshot) == ({"local": LOCAL, "docs": docs, "isos": isos}, "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "No such file or directory; does pve-smbgateway.service run?"),
        ("", "is not what the engine writes"),
        ("{", "is not what the engine writes"),
        ("[]", "is not what the engine writes"),
        ('{"shares": []}', "is not what the engine writes"),
        ("\x00\x01\x02", "is not what the engine writes"),
    ],
)
def test_without_a_snapshot_storages_are_inactive_and_it_is_told_once(
    snapshot: Path, text: str | None, reason: str
) -> None:
    snapshot.unlink()
    if text is not None:
        snapshot.write_text(text)
    found, logged = asked(snapshot, rounds=3)
    assert found == {"local": LOCAL, "docs": INACTIVE, "isos": INACTIVE}
    assert logged.splitlines() == [line for line in logged.splitlines() if reason in line][:1]
    assert logged.startswith(f"SMB gateway storages are not active: {snapshot}")


@pytest.mark.parametrize("sizes", ["null", "[1]", "[1,2,null]", '["a",1,2]', "{}", "[1,2,[3]]", "[-1,2,3]"])
def test_a_share_with_no_proper_sizes_is_inactive_alone(snapshot: Path, sizes: str) -> None:
    snapshot.write_text(f'{{"shares": {{"files/docs": {sizes}, "files/isos": [3, 2, 1]}}}}')
    found, logged = asked(snapshot)
    assert (found["docs"], found["isos"]["active"], logged) == (INACTIVE, 1, "")


def test_an_engine_that_hangs_is_noticed(snapshot: Path) -> None:
    os.utime(snapshot, (0, time.time() - 100))
    found, logged = asked(snapshot)
    assert found["docs"] == INACTIVE
    assert "the engine wrote" in logged
    assert "it hangs, or does not run" in logged


def test_a_new_snapshot_is_read_and_the_next_trouble_is_told_again(snapshot: Path, tmp_path: Path) -> None:
    code = """
    my @seen;
    for my $file ($given->{there}, 'absent', $given->{there}, 'absent') {
        $PVE::Storage::Custom::SMBGateway::SNAPSHOT = $file;
        push @seen, scalar(($P->status('docs', { 'smbgw-share' => 'files/docs' }, {}))[3]);
    }
    told(\\@seen);
    """
    done = attempt(LOAD + code, {"there": str(snapshot)})
    assert json.loads(done.stdout) == [1, None, 1, None]
    assert done.stderr.count("not active: absent: No such file") == 2


@pytest.mark.parametrize(("release", "api"), RELEASES.items())
def test_every_release_takes_the_api_version(release: str, api: int) -> None:
    """Newer than the host's is refused, and an older one is told at every command where ours could be as new."""
    done = attempt(LOAD + "told([0 + $P->api(), PVE::Storage::Plugin->lookup('smbgateway')])", STANDIN_API=release)
    assert json.loads(done.stdout) == [api, "PVE::Storage::Custom::SMBGateway"]
    assert bool(done.stderr) == (release == "17-6")


@pytest.mark.parametrize("defined", ["", "snapshot-as-volume-chain", "maxfiles,smbversion,username,password,domain"])
def test_options_name_only_what_is_defined(defined: str) -> None:
    found = perl(LOAD + "told([sort keys %{$P->options()}])", STANDIN_PROPERTIES=defined)
    assert {"smbgw-share", "content", "nodes", "disable", "shared", "path"} <= set(found)


def test_all_properties_of_ours_have_our_prefix() -> None:
    found = perl(LOAD + "told([keys %{$P->properties()}])")
    assert found
    assert [name for name in found if not name.startswith("smbgw-")] == []


def test_a_property_that_another_plugin_has_too_would_stop_everything() -> None:
    """The stand-in does as Proxmox VE does: so the prefix matters."""
    done = attempt(LOAD, STANDIN_PROPERTIES="smbgw-share")
    assert done.returncode != 0
    assert "duplicate property 'smbgw-share'" in done.stderr


@pytest.mark.parametrize("module", ["JSON.pm", "PVE/API2/SMBGateway.pm"])
def test_what_is_missing_does_not_stop_the_load(tmp_path: Path, module: str) -> None:
    """The program is called as a daemon, which mounts the API too."""
    broken = tmp_path / module
    broken.parent.mkdir(parents=True, exist_ok=True)
    broken.write_text('die "broken\\n";')
    program = tmp_path / "pvedaemon"
    program.write_text("use PVE::Storage; print PVE::Storage::Plugin->lookup('smbgateway'), qq(\\n);")
    done = subprocess.run(
        ["perl", "-T", f"-I{tmp_path}", f"-I{STANDIN}", f"-I{PERL}", program], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "PVE::Storage::Custom::SMBGateway\n")


def test_no_module_is_loaded_that_is_not_there_anyway() -> None:
    load = "use PVE::Storage::Plugin; my %before = %INC; require PVE::Storage::Custom::SMBGateway;"
    found = perl(load + "told([grep { !$before{$_} } keys %INC])")
    assert found == ["PVE/Storage/Custom/SMBGateway.pm"]


def test_parsing_never_drops_a_section(snapshot: Path) -> None:
    """What a check refuses while reading is gone from storage.cfg after the next write, for the whole cluster."""
    config = "smbgateway: docs\n\tsmbgw-share odd\n\tcontent iso,backup\n"
    assert list(perl(LOAD + "told(PVE::Storage::Plugin->parse_config($given)->{ids})", config)) == ["docs"]


def test_a_new_storage_with_content_needs_a_path() -> None:
    code = LOAD + "eval { $P->check_config('docs', $given, 1) }; told([$@]);"
    given = {"smbgw-share": "files/docs", "content": "iso,backup"}
    assert perl(code, given) == ["content backup iso needs 'path': the directory of the share on this node\n"]
    assert perl(code, given | {"path": "/srv/docs"}) == [""]
    assert perl(code, given | {"content": "none"}) == [""]
    assert perl(code, {"content": "none"}) == ["missing value for required option 'smbgw-share'\n"]
    assert "pattern" in perl(code, {"smbgw-share": "files/../docs"})[0]


def test_the_share_of_a_storage_is_not_changed() -> None:
    code = LOAD + "eval { $P->check_config('docs', $given, 0) }; told([$@]);"
    assert perl(code, {"smbgw-share": "a/b"}) == ["can't change value of fixed parameter 'smbgw-share'\n"]
    assert perl(code, {"nodes": "pve1"}) == [""]


def test_content_none_is_activated() -> None:
    code = LOAD + "eval { $P->activate_storage('docs', $given, {}) }; told([$@]);"
    assert perl(code, {"content": {"none": 1}}) == [""]
    refused = perl(code, {"content": {"iso": 1}, "path": "/nonexistent"})[0]
    assert refused.startswith("unable to activate storage 'docs' - directory '/nonexistent' does not exist")


def test_who_removes_the_storage_leaves_a_note(tmp_path: Path) -> None:
    code = (
        LOAD
        + """
    my ($folder) = $given =~ m/^(.*)$/;
    $PVE::Storage::Custom::SMBGateway::FORGOTTEN = $folder;
    $P->on_delete_hook('docs', { 'smbgw-share' => 'files/docs' });
    told([]);
    """
    )
    assert perl(code, str(tmp_path / "forgotten")) == []
    assert [entry.name for entry in (tmp_path / "forgotten").iterdir()] == ["docs"]


def test_a_note_that_cannot_be_left_does_not_keep_the_storage() -> None:
    code = LOAD + "$PVE::Storage::Custom::SMBGateway::FORGOTTEN = '/proc/no'; $P->on_delete_hook('a', {}); told([]);"
    done = attempt(code)
    assert done.stdout == "[]\n"
    assert "the engine is not told that storage a was removed: /proc/no/a: No such file or directory" in done.stderr
