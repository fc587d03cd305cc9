"""The command line: arguments to requests, answers to lines, exit statuses, the text of errors."""

import io
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from smbgateway import __version__, cli
from smbgateway.cli import client, completion, doctor, manual, parser, shares, state
from smbgateway.cli.problem import describe
from smbgateway.errors import Conflict, Fault, Invalid
from smbgateway.finding import Finding
from smbgateway.paths import Paths

from . import cli_engine
from .cli_engine import FAILURE, GATEWAY, GROUP, MISSING, RESULT, ROW, SHARE, STORY, USER, Engine, progress, stream

REPOSITORY = Path(__file__).resolve().parents[2]
Run = Callable[..., tuple[int, str, str]]


class Keyboard(io.StringIO):
    """Standard input that is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def engine() -> Iterator[Engine]:
    with cli_engine.running() as made:
        yield made


@pytest.fixture
def run(engine: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line: exit status, standard output, standard error."""
    monkeypatch.setenv("PVE_SMBGATEWAY_ROOT", str(engine.root))

    def once(*words: str, stdin: str = "", typed: str | None = None) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin) if typed is None else Keyboard(typed))
        status = cli.main(words)
        said = capsys.readouterr()
        return status, said.out, said.err

    return once


# -- requests -------------------------------------------------------------------------------------------------------


def test_create_sends_what_its_options_say(engine: Engine, run: Run) -> None:
    engine.job(("done", RESULT), target="/v1/create")
    words = "--mode native --gateway lab --source image:/srv/docs.img --quota 10G --user alice --user bob:ro"
    words += " --group staff:rw --access @all:read --purpose archive --grace 60 --guest read --encrypt --hidden"
    words += " --address 10.0.0.1 --address ::1 --port 1445 --allow-path /mnt --force --comment hello"
    assert run("create", "docs", *words.split())[0] == 0
    assert engine.bodies("POST /v1/create") == [
        {
            "name": "docs", "mode": "native", "gateway": "lab", "source": "image:/srv/docs.img", "path": None,
            "quota": "10G", "access": {"alice": "write", "bob": "read", "@staff": "write", "@all": "read"},
            "purpose": "archive", "grace": 60, "comment": "hello", "guest": "read", "encryption": "required",
            "hidden": True, "storage": False, "addresses": ["10.0.0.1", "::1"], "port": 1445,
            "options": {"force": True, "allow_paths": ["/mnt"]},
        }
    ]  # fmt: skip


def test_the_alphas_flags_are_enough(engine: Engine, run: Run) -> None:
    engine.job(("done", RESULT), target="/v1/create")
    assert run("create", "docs", "--mode", "native", "--path", "/srv/docs", "--quota", "10G", "--json")[0] == 0
    body = engine.bodies("POST /v1/create")[0]
    assert (body["path"], body["source"], body["access"], body["guest"]) == ("/srv/docs", None, {}, None)


PLACES = {
    "places": [
        {"source": "storage:big", "free": 9 << 30, "where": "storage big of Proxmox VE (lvmthin)", "modes": ["lxc"]},
        {"source": "zfs:tank/docs", "free": 5 << 30, "where": "ZFS pool tank", "modes": ["native", "lxc"]},
    ]
}


@pytest.mark.parametrize(
    ("words", "typed", "source"),
    [
        ([], None, None),
        (["--yes"], None, "zfs:tank/docs"),
        (["--yes", "--mode", "lxc"], None, "storage:big"),
        ([], "y\n", "zfs:tank/docs"),
        (["--json"], "y\n", None),
    ],
)
def test_a_place_is_taken_only_by_who_agrees(
    engine: Engine, run: Run, words: list[str], typed: str | None, source: str | None
) -> None:
    engine.answers["GET /v1/places?name=docs"] = PLACES
    engine.job(("done", RESULT), target="/v1/create")
    status, _, asked = run("create", "docs", *words, typed=typed)
    assert status == 0
    assert engine.bodies("POST /v1/create")[0]["source"] == source
    question = "No source is given. Most space is at zfs:tank/docs (5 GiB free, ZFS pool tank). Take it? [y/N] "
    assert asked == (question if source and not words else "")


def test_no_place_is_taken_from_who_does_not_agree(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/places?name=docs"] = PLACES
    for typed in ("n\n", "\n", ""):
        status, out, said = run("create", "docs", typed=typed)
        assert (status, out) == (2, "")
        assert said.endswith("nothing was made: no source\n  name one: --source KIND:SPEC, or --path DIR\n")
    assert engine.bodies("POST /v1/create") == []
    engine.answers["GET /v1/places?name=docs"] = {"places": []}  # only the root disk: the engine says so
    engine.job(("done", RESULT), target="/v1/create")
    assert run("create", "docs", "--yes")[0] == 0
    assert engine.bodies("POST /v1/create")[0]["source"] is None


def test_update_changes_the_record_it_read(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/resources/share/lab/docs"] = SHARE
    engine.job(("done", RESULT))
    words = "--quota none --user alice:r --remove-user office --guest write --encrypt --hidden --comment x --force"
    assert run("update", "lab/docs", *words.split())[0] == 0
    changed = {"quota": None, "access": {"alice": "read"}, "guest": "write", "encryption": "required"}
    record = {**SHARE, **changed, "hidden": True, "comment": "x"}
    assert record["digest"] == SHARE["digest"]
    options = {"force": True, "allow_paths": []}
    assert engine.bodies("POST /v1/apply") == [{"resources": [record], "options": options}]


def test_update_wants_a_change_and_knows_who_has_access(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/resources/share/docs"] = SHARE
    assert run("update", "docs")[2].startswith("update wants at least one change\n  see pve-smbgateway --root /")
    status, _, said = run("update", "docs", "--remove-group", "staff")
    assert (status, said) == (2, "@staff has no access to share docs\n  it is open to office\n")
    assert not engine.bodies("POST /v1/apply")


def test_dry_runs_only_plan(engine: Engine, run: Run, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("kind: user\n")
    engine.answers |= {"GET /v1/resources/share/docs": SHARE, "POST /v1/plan": {"cells": [], "warnings": []}}
    for words in ("create docs", "update docs --quota 1G", f"apply -f {tmp_path}/x.yaml"):
        assert run(*words.split(), "--dry-run") == (0, "nothing to change\n", "")
    create, update, apply = engine.bodies("POST /v1/plan")
    assert (create["create"]["name"], update["resources"][0]["quota"]) == ("docs", "1G")
    assert apply == {"text": "kind: user\n", "options": {"force": False, "allow_paths": []}}


def test_apply_reads_standard_input_and_names_a_file_it_cannot_read(engine: Engine, run: Run, tmp_path: Path) -> None:
    engine.job(("done", {**RESULT, "outcomes": []}))
    assert run("apply", "-f", "-", "--force", stdin="{}")[0] == 0
    assert engine.bodies("POST /v1/apply") == [{"text": "{}", "options": {"force": True, "allow_paths": []}}]
    said = f"cannot read {tmp_path}/no: No such file or directory\n"
    assert run("apply", "-f", f"{tmp_path}/no") == (2, "", said)
    assert run("apply", "-f", "/dev/zero")[2].startswith("/dev/zero has more than 16 MiB of text")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert run("plan", "-f", f"{tmp_path}/binary")[2] == f"cannot read {tmp_path}/binary: it is not UTF-8 text\n"


def test_delete_keeps_data_unless_it_is_named_twice(engine: Engine, run: Run) -> None:
    gone = {**RESULT, "outcomes": [{"kind": "share", "key": "lab/docs", "outcome": "deleted"}], "addresses": []}
    engine.job(
        *progress(("share docs", "removed", 0.1)),
        ("done", gone | {"kept": ["image /srv/docs.img"]}),
        target="/v1/remove",
    )
    assert run("delete", "docs") == (
        0,
        "deleted share docs on gateway lab\n"
        "  share docs                  removed                 (0.1 s)\n"
        "  image /srv/docs.img         kept\n",
        "",
    )
    said = "--destroy-data deletes all data, and nobody can be asked\n  add --confirm docs\n"
    assert run("delete", "docs", "--destroy-data") == (2, "", said)
    assert (
        run("delete", "docs", "--destroy-data", "--confirm", "dogs")[2] == 'nothing was deleted: "dogs" is not "docs"\n'
    )
    assert run("delete", "lab/docs", "--destroy-data", "--yes", "docs", "--force")[0] == 0
    targets = [(b["targets"][0]["name"], b["options"]["destroy_data"]) for b in engine.bodies("POST /v1/remove")]
    assert targets == [("docs", False), ("lab/docs", True)]


def test_passwords_come_by_standard_input_only(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/resources/user/office"] = (404, MISSING)
    engine.job(("done", {**RESULT, "outcomes": [{"kind": "user", "key": "office", "outcome": "created"}]}))
    status, out, _ = run(
        "user", "create", "office", "--full-name", "The office", "--password-stdin", stdin="geheim 1\n"
    )
    assert (status, out) == (0, "created user office\n")
    sent = {"kind": "user", "name": "office", "full_name": "The office", "password": "geheim 1"}
    assert engine.bodies("POST /v1/apply") == [{"resources": [sent]}]
    said = "nobody can be asked for a password\n  give it by standard input: --password-stdin\n"
    assert run("user", "create", "office") == (2, "", said)
    assert run("user", "create", "office", "--password", "x")[0] == 2


def test_users_change_as_records(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/resources/user/office"] = USER
    engine.job(("done", RESULT))
    assert run("user", "password", "office", "--password-stdin", stdin="geheim 2")[0] == 0
    assert run("user", "disable", "office")[0] == run("user", "enable", "office")[0] == 0
    sent = [body["resources"][0] for body in engine.bodies("POST /v1/apply")]
    assert sent == [{**USER, "password": "geheim 2"}, {**USER, "enabled": False}, USER]
    status, _, said = run("user", "create", "office", "--no-password")
    assert (status, said.splitlines()[0]) == (2, "user office is there already")


def test_snapshots_are_taken_deleted_and_restored_by_name(engine: Engine, run: Run) -> None:
    name, change = "kept-2026.11.23-12.00.00", {"name": "snapshot tank/docs@x", "verb": "created", "seconds": 0}
    for verb, words in (("create", ()), ("delete", (name,)), ("restore", (name,))):
        engine.job(("done", {**RESULT, "outcomes": [], "changes": [change]}), target=f"/v1/snapshots/{verb}")
        assert run("snapshot", verb, "docs", *words)[0] == 0
    assert engine.bodies("POST /v1/snapshots/create") == [{"share": "docs"}]
    assert engine.bodies("POST /v1/snapshots/delete") == [{"share": "docs", "name": name}]
    assert engine.bodies("POST /v1/snapshots/restore") == [{"share": "docs", "name": name}]
    assert run("snapshot", "restore", "docs")[2] == (
        "SNAPSHOT is missing (see pve-smbgateway snapshot restore --help)\n"
    )


def test_snapshots_are_listed(engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    row = {"name": "auto-2026.11.23-12.00.00", "taken": 1795435200, "by": "schedule", "version": "@GMT-x"}
    engine.answers["GET /v1/snapshots/lab/docs"] = [{"snapshots": [row]}, {"snapshots": []}]
    assert run("snapshot", "list", "lab/docs")[1] == (
        "NAME                      TAKEN                BY\nauto-2026.11.23-12.00.00  2026-11-23 13:00:00  schedule\n"
    )
    assert run("snapshot", "list", "lab/docs")[1] == "no snapshots\n"
    monkeypatch.undo()
    time.tzset()


def test_a_schedule_is_sent_as_it_is_said(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/resources/share/docs"] = SHARE
    engine.job(("done", RESULT))
    for words in ("hourly=24,daily=7", "none", "hourly=many,pony"):
        run("update", "docs", "--snapshots", words)
    sent = [body["resources"][0]["snapshots"] for body in engine.bodies("POST /v1/apply")]
    assert sent == [{"hourly": 24, "daily": 7}, {}, {"hourly": "many", "pony": ""}]
    engine.job(("done", RESULT), target="/v1/create")
    run("create", "docs", "--source", "zfs:tank/docs", "--snapshots", "weekly=4")
    assert engine.bodies("POST /v1/create")[0]["snapshots"] == {"weekly": 4}


def test_groups_gain_and_lose_members(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/resources/group/staff"] = GROUP
    engine.job(("done", RESULT))
    assert run("group", "add", "staff", "alice", "office")[0] == run("group", "remove", "staff", "office")[0] == 0
    sent = [body["resources"][0]["members"] for body in engine.bodies("POST /v1/apply")]
    assert sent == [["office", "alice"], []]
    assert run("group", "remove", "staff", "bob")[2] == "not in group staff: bob\n  in it: office\n"


def test_gateways_change_as_records(engine: Engine, run: Run) -> None:
    engine.job(("done", RESULT))
    words = "--address 10.0.0.1 --port 1445 --hardened --no-allow-guests --minimum-protocol 2.1 --workgroup W"
    assert run("gateway", "update", "lab", *words.split())[0] == 0
    mode = {"kind": "native", "node": "lab1", "addresses": ["10.0.0.1"], "port": 1445}
    wanted = {**GATEWAY, "mode": mode, "hardened": True, "minimum_protocol": "SMB2_10", "workgroup": "W"}
    assert engine.bodies("POST /v1/apply")[0]["resources"] == [wanted]
    engine.answers["GET /v1/resources/gateway/new"] = (404, MISSING)
    assert run("gateway", "create", "new", "--port", "445")[0] == 0
    new = {"kind": "gateway", "name": "new", "mode": {"kind": "native", "port": 445}}
    assert engine.bodies("POST /v1/apply")[1]["resources"] == [new]
    assert run("gateway", "update", "lab")[2].startswith("update wants at least one change\n")


def test_names_are_quoted_in_addresses(engine: Engine, run: Run) -> None:
    run("show", "lab/my dócs?x=1#\r\nHost: evil")
    request = "GET /v1/resources/share/lab/my%20d%C3%B3cs%3Fx%3D1%23%0D%0AHost%3A%20evil"
    assert [asked for asked, _, _ in engine.asked] == [request]


# -- the story of a change ------------------------------------------------------------------------------------------


def test_a_created_share_is_told_step_by_step(engine: Engine, run: Run) -> None:
    new = {"kind": "gateway", "key": "lab", "outcome": "created"}
    result = {**RESULT, "outcomes": [new, *RESULT["outcomes"]], "warnings": ["share docs: full"]}
    engine.job(*progress(*STORY), ("done", result), target="/v1/create")
    assert run("create", "docs")[1] == (
        "created share docs on new gateway lab\n"
        "  image /srv/docs.img         created                 (1.1 s)\n"
        "  gateway lab                 created, 3 parts        (0.4 s)\n"
        "  share docs                  created\n"
        "  proved                      login as office, wrote and read 1 MiB  (0.2 s)\n"
        "warning: share docs: full\n"
        "\\\\127.0.0.1\\docs\n"
    )
    out = run("create", "docs", "--verbose")[1]
    assert "  smb.conf of gateway lab     created\n" in out


def test_another_port_is_told_with_a_command_that_works(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/resources/gateway/lab"] = {**GATEWAY, "mode": {"kind": "native", "port": 1445}}
    made = {"kind": "share", "key": "lab/my docs", "outcome": "created"}
    addresses = ["\\\\127.0.0.1\\my docs", "\\\\127.0.0.1\\an older one"]
    engine.job(("done", {**RESULT, "outcomes": [made], "addresses": addresses}), target="/v1/create")
    address, last = run("create", "my docs")[1].splitlines()[1:]
    assert address == addresses[0]
    assert last == "  on port 1445: smbclient '//127.0.0.1/my docs' -p 1445 -U USER"


def test_a_story_on_a_terminal_gets_its_title_at_the_end(
    engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smbgateway.cli.session.Session.terminal", True)
    monkeypatch.setattr("os.get_terminal_size", lambda *_: os.terminal_size((100, 24)))
    engine.job(*progress(*STORY), ("done", RESULT), target="/v1/create")
    first, *lines = run("create", "docs")[1].split("\n")
    assert first == "creating share docs ..."
    assert lines[4] == "\x1b[5A\r\x1b[2Kcreated share docs on gateway lab\x1b[5B\r\\\\127.0.0.1\\docs"
    monkeypatch.setattr("os.get_terminal_size", lambda *_: os.terminal_size((20, 10)))
    assert "\x1b" not in run("create", "docs")[1]


def test_a_failed_change_shows_how_far_it_came(engine: Engine, run: Run) -> None:
    engine.job(*progress(*STORY[:2]), ("failed", FAILURE), target="/v1/create")
    assert run("create", "docs") == (
        1,
        "creating share docs\n  image /srv/docs.img         created                 (1.1 s)\n",
        "cannot set image /srv/docs.img: no space\n  undone: directory /srv\n  free some\n",
    )
    status, out, err = run("create", "docs", "--json")
    assert (status, json.loads(out), err) == (1, FAILURE, "")


@pytest.mark.parametrize(
    ("outcomes", "changes", "title"),
    [
        (["unchanged share lab/docs"], 0, "nothing to change: share docs on gateway lab as asked for"),
        (["unchanged share lab/docs"], 1, "mended share docs on gateway lab"),
        (["unchanged user a", "unchanged user b"], 0, "nothing to change: 2 resources as asked for"),
        (["updated share lab/docs"], 1, "updated share docs on gateway lab"),
        (["created gateway lab", "created share lab/docs"], 1, "created share docs on new gateway lab"),
        (["updated gateway lab", "created share lab/docs"], 1, "created share docs on gateway lab"),
        (["created gateway x", "created share lab/docs"], 1, "applied 2 resources: 2 created"),
        (["created user a", "updated user b"], 1, "applied 2 resources: 1 created, 1 updated"),
    ],
)  # fmt: skip
def test_titles(engine: Engine, run: Run, outcomes: list[str], changes: int, title: str) -> None:
    parts = [dict(zip(("outcome", "kind", "key"), outcome.split(), strict=True)) for outcome in outcomes]
    engine.job(("done", {**RESULT, "outcomes": parts, "changes": [{}] * changes}))
    assert run("apply", "-f", "-")[1].splitlines()[0] == title


def test_a_broken_connection_is_taken_up_where_it_broke(engine: Engine, run: Run) -> None:
    engine.job()
    first, second = progress(*STORY)[:2], progress(*STORY)[2:]
    engine.answers["GET /v1/jobs/j1/events"] = [stream(*first), stream(*second, ("done", RESULT), first=3)]
    assert run("apply", "-f", "-")[1].count("created") == 4
    assert [headers.get("Last-Event-ID") for asked, _, headers in engine.asked if "events" in asked] == ["0", "2"]


@pytest.mark.parametrize("after", [(0, ""), (404, MISSING), (200, "")])
def test_an_engine_that_goes_away_is_told(engine: Engine, run: Run, after: tuple[int, Any]) -> None:
    engine.job()
    engine.answers["GET /v1/jobs/j1/events"] = [stream(*progress(*STORY[:1])), after, after]
    status, _, said = run("apply", "-f", "-")
    assert status == 3
    assert said.splitlines()[0] == "the engine went away during the change: job j1"


def test_ctrl_c_leaves_the_change_to_the_engine(engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    engine.job(*progress(*STORY))
    monkeypatch.setattr("smbgateway.cli.follow.Story.add", interrupt)
    hint = f"  watch it: pve-smbgateway --root {engine.root} job j1\n"
    assert run("apply", "-f", "-") == (130, "", f"interrupted; the change goes on in the engine\n{hint}")


def test_jobs_are_listed_and_seen_through(engine: Engine, run: Run) -> None:
    job = {"id": "j1", "title": "apply share docs", "state": "done", "started": 1795431665.0}
    engine.answers |= {"GET /v1/jobs": {"jobs": [job]}, "GET /v1/jobs/j1": job}
    assert run("job")[1].splitlines()[1].endswith("  done   apply share docs")
    engine.job(("done", RESULT))
    assert run("job", "j1")[1].splitlines()[0] == "created share docs on gateway lab"


# -- lists, records, status -----------------------------------------------------------------------------------------


def test_lists(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/shares"] = {"shares": [{**ROW, "name": "x", "port": 1445, "quota": None}, ROW]}
    assert run("list")[1].splitlines() == [
        "NAME  GATEWAY  MODE    SOURCE               QUOTA   PURPOSE  STATE  ADDRESS",
        r"docs  lab      native  image:/srv/docs.img  10 GiB  general  ready  \\127.0.0.1\docs",
        r"x     lab      native  image:/srv/docs.img  -       general  ready  \\127.0.0.1\docs port 1445",
    ]
    for kind, record, line in (
        ("user", USER, "office  enabled  set       The office"),
        ("group", GROUP, "staff  office"),
        ("gateway", GATEWAY, "lab   native  lab1  127.0.0.1  445   ready"),
    ):
        engine.answers[f"GET /v1/resources?kind={kind}"] = {"resources": [record]}
        assert run(kind, "list")[1].splitlines()[1] == run("list", "--kind", kind)[1].splitlines()[1] == line
    engine.answers["GET /v1/shares"] = {"shares": []}
    assert run("list") == (0, "no shares\n", "")
    assert json.loads(run("list", "--json")[1]) == {"shares": []}


def test_names_alone_are_what_other_commands_take(engine: Engine, run: Run) -> None:
    other = {**ROW, "gateway": "two", "key": "two/docs"}
    engine.answers["GET /v1/shares"] = {"shares": [ROW, other, {**ROW, "name": "x"}]}
    assert run("list", "--names")[1] == "lab/docs\ntwo/docs\nx\n"


def test_export_is_what_apply_takes_in_an_order_that_works(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/resources"] = {"resources": [SHARE, GROUP, USER, GATEWAY]}
    found = json.loads(run("export")[1])["resources"]
    assert [record["kind"] for record in found] == ["gateway", "user", "group", "share"]
    assert not any("digest" in record or "state" in record for record in found)
    assert run("show", "--all") == run("export")
    engine.answers["GET /v1/resources/user/office"] = USER
    assert json.loads(run("show", "user", "office")[1]) == USER
    assert run("show", "usr", "x")[2] == 'unknown kind "usr"\n  known: gateway, user, group, share, receiver\n'
    assert run("show")[0] == 2


def overview(**gateway: Any) -> dict[str, Any]:
    row = {"name": "lab", "mode": "native", "node": "lab1", "running": True, "address": "127.0.0.1", "port": 445}
    row |= {"shares": 1, "drift": [], "enabled": True, "events": [], **gateway}
    return {"node": "lab1", "version": __version__, "gateways": [row], "broken": {}, "said": []}


DRIFT = {"name": "share docs", "now": "comment = a\nx = 1\n", "want": "comment = b\nx = 1\n", "error": ""}


def test_status_says_whether_all_is_well(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/status"] = overview()
    line = "  gateway lab                 running, 127.0.0.1, port 445, 1 share\n"
    assert run("status") == (0, f"node lab1, pve-smbgateway {__version__}\n{line}", "")
    engine.answers["GET /v1/status"] = overview(running=False, drift=[DRIFT])
    status, out, _ = run("status")
    assert (status, "NOT RUNNING" in out, "    ~ share docs\n" in out, "        -comment = a" in out) == (
        1,
        True,
        True,
        True,
    )
    engine.answers["GET /v1/status"] = overview(running=False, enabled=False)
    assert (run("status")[0], " stopped, 127.0.0.1" in run("status")[1]) == (0, True)
    engine.answers["GET /v1/status"] = overview(events=[{"at": 0, "text": "it has ended: started again"}])
    assert run("status")[1].splitlines()[-1].endswith("00:00  it has ended: started again")
    engine.answers["GET /v1/status"] = overview(running=None, address="")
    assert (run("status")[0], run("status")[1].split("lab  ")[1].strip()) == (
        0,
        "on node lab1, all addresses, port 445, 1 share",
    )
    engine.answers["GET /v1/status"] = {
        **overview(),
        "gateways": [],
        "broken": {"/x.json": "not JSON"},
        "said": ["a\nb"],
    }
    status, out, _ = run("status")
    assert status == 1
    assert "  no gateways yet\n" in out
    assert out.endswith("broken record /x.json: not JSON\nat its start: a\nat its start: b\n")


def test_status_of_a_share(engine: Engine, run: Run) -> None:
    found: dict[str, Any] = {
        "share": {**SHARE, "guest": "read"}, "address": "\\\\127.0.0.1\\docs", "port": 445,
        "serving": True, "drift": [], "usage_error": "",
        "usage": {"used": 1288490188, "limit": 10737418240, "available": 9448928052},
        "sessions": [{"user": "office", "machine": "10.0.0.7", "since": "2026-11-23", "files": ["a", "b"]}],
    }  # fmt: skip
    engine.answers["GET /v1/status/share/docs"] = found
    assert run("status", "docs") == (
        0,
        "share docs on gateway lab\n"
        "  address     \\\\127.0.0.1\\docs\n"
        "  serving     yes\n"
        "  state       ready\n"
        "  source      image:/srv/docs.img\n"
        "  quota       10 GiB\n"
        "  used        1.2 GiB of 10 GiB (12 %), 8.8 GiB free\n"
        "  access      office (write), anybody (read)\n"
        "  sessions    1\n"
        "    office from 10.0.0.7 since 2026-11-23, has open: a, b\n",
        "",
    )
    engine.answers["GET /v1/status/share/docs"] = {
        **found,
        "serving": False,
        "usage": None,
        "usage_error": "gone",
        "drift": [DRIFT],
    }
    status, out, _ = run("status", "docs")
    assert status == 1
    assert "  serving     NO\n" in out
    assert "  used        cannot be told: gone\n" in out
    assert out.splitlines()[-1] == (
        f"mend it: pve-smbgateway --root {engine.root} show lab/docs | pve-smbgateway --root {engine.root} apply -f -"
    )


def test_open_files_of_a_session() -> None:
    session: dict[str, Any] = {"user": "ann", "machine": "::1", "since": "now", "files": []}
    assert state.session_line(session) == "ann from ::1 since now"
    session["files"] = ["a", "b", "c", "d", "e"]
    assert state.session_line(session) == "ann from ::1 since now, has open: a, b, c and 2 more"


def test_tokens_are_made_listed_and_deleted(engine: Engine, run: Run) -> None:
    row = {"name": "backup", "role": "viewer", "made": 1795431665.5}
    engine.answers["POST /v1/tokens"] = {"name": "backup", "role": "viewer", "token": "smbgw_abc"}
    engine.answers["GET /v1/tokens"] = [{"tokens": [row]}, {"tokens": []}]
    engine.answers["POST /v1/tokens/delete"] = {"tokens": []}
    assert run("token", "create", "backup") == (0, "smbgw_abc\n", "")
    assert engine.bodies("POST /v1/tokens") == [{"name": "backup", "role": "viewer"}]
    header, line = run("token", "list")[1].splitlines()
    assert (header.split(), line.split()[:2]) == (["NAME", "ROLE", "MADE"], ["backup", "viewer"])
    assert run("token", "list")[1] == "no tokens: make one with token create\n"
    assert run("token", "delete", "backup") == (0, "deleted token backup\n", "")
    assert engine.bodies("POST /v1/tokens/delete") == [{"name": "backup"}]


def test_plan_shows_cell_by_cell(engine: Engine, run: Run) -> None:
    cells = [
        {"name": "dataset tank/docs", "now": None, "want": "present", "error": ""},
        {"name": "quota of tank/docs", "now": "1", "want": "2", "error": ""},
        {"name": "mount", "now": "x", "want": None, "error": ""},
        {"name": "smb.conf", "now": "a\n\tb\n", "want": "a\n\tc\n", "error": ""},
        {"name": "pool", "now": None, "want": "x", "error": "cannot read\n  it hangs"},
    ]
    engine.answers["POST /v1/plan"] = {"cells": cells, "warnings": ["nobody can log in"]}
    assert run("plan", "-f", "-")[1].splitlines() == [
        "+ dataset tank/docs  present",
        "~ quota of tank/docs  1 -> 2",
        "- mount",
        "~ smb.conf",
        "    @@ -1,2 +1,2 @@",
        "     a",
        "    -   b",
        "    +   c",
        "! pool  cannot read",
        "    it hangs",
        "warning: nobody can log in",
        "5 things would change; nothing was touched",
    ]
    assert json.loads(run("plan", "-f", "-", "--json")[1]) == engine.answers["POST /v1/plan"]


def test_nothing_in_a_record_steers_a_terminal(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/shares"] = {"shares": [{**ROW, "source": "image:/srv/\x1b[2J\u202egni\n"}]}
    assert "image:/srv/\ufffd[2J\ufffdgni\ufffd " in run("list")[1]
    assert "\x1b" not in run("list", "--json")[1]
    engine.answers["GET /v1/shares"] = (422, {**FAILURE, "what": "bad \x1b[2J", "exit_code": 2})
    assert run("list")[2].startswith("bad \ufffd[2J: no space\n")


# -- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error",
    [
        Invalid.of([Fault("share.docs.quota", "too much", "at most 1G"), Fault("share.docs.name", "bad")]),
        Conflict("changed", "by others", "look", undone=["a", "b"], left=["c"]),
    ],
)
def test_errors_read_as_the_engine_words_them(engine: Engine, run: Run, error: Any) -> None:
    engine.answers["GET /v1/shares"] = (error.status, error.to_json())
    assert run("list") == (error.exit_code, "", f"{error}\n")
    status, out, err = run("--json", "list")
    assert (status, json.loads(out), err) == (error.exit_code, error.to_json(), "")


def test_a_gateway_that_was_undone_is_one_thing() -> None:
    undone = ["share docs", *(f"{part} of gateway lab" for part in ("smbd", "smb.conf", "SID")), "image /x"]
    assert (
        describe({**FAILURE, "undone": undone}).splitlines()[1]
        == "  undone: share docs, gateway lab (3 parts), image /x"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("crate docs", 'unknown command "crate"\n  did you mean "create"?'),
        ("user creat", 'unknown command "creat"\n  did you mean "create"?'),
        ("user xyzzy", 'unknown command "xyzzy"\n  known: create, password, disable, enable, delete, show, list'),
        ("create x --quoat 1G", 'unknown option "--quoat" of pve-smbgateway create\n  did you mean "--quota"?'),
        ("list --zzz", 'unknown option "--zzz" of pve-smbgateway list\n  see pve-smbgateway list --help'),
        ("create x --purpose medai", 'unknown value of --purpose "medai"\n  did you mean "media"?'),
        ("create", "NAME is missing (see pve-smbgateway create --help)"),
        ("delete x y", 'unexpected argument "y" (see pve-smbgateway delete --help)'),
        ("create x --port abc", "argument --port: invalid int value: 'abc' (see pve-smbgateway create --help)"),
        ("create x --quo 1G", 'unknown option "--quo" of pve-smbgateway create\n  did you mean "--quota"?'),
    ],
)
def test_what_cannot_be_understood(run: Run, words: str, said: str) -> None:
    assert run(*words.split()) == (2, "", f"{said}\n")
    status, out, err = run(*words.split(), "--json")
    assert (status, json.loads(out)["error"], err) == (2, "Usage", "")


def test_an_engine_that_does_not_run(run: Run, engine: Engine, tmp_path: Path) -> None:
    status, out, said = run("list", "--root", str(tmp_path))
    assert (status, out) == (3, "")
    assert said == (
        f"cannot reach the engine at {tmp_path}/run/pve-smbgateway/engine.sock: it does not run\n"
        f"  start it: pve-smbgateway --root {tmp_path} serve\n"
    )
    assert json.loads(run("list", "--json", "--root", str(tmp_path))[1])["exit_code"] == 3


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((0, ""), "it closed the connection without an answer"),
        ((200, "<html>"), "the engine answered what is not ours: <html>"),
        ((200, ""), "the engine answered what is not ours: the answer is empty"),
        ((404, {"detail": "Not Found"}), "the engine refused the request: Not Found"),
    ],
)
def test_answers_that_are_none(engine: Engine, run: Run, answer: tuple[int, Any], said: str) -> None:
    engine.answers["GET /v1/shares"] = answer
    status, _, told = run("list")
    assert status in (1, 3)
    assert said in told


def test_a_reader_that_stops_is_no_error(engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*arguments: object) -> None:
        raise BrokenPipeError

    hushed = []
    engine.answers["GET /v1/shares"] = {"shares": []}
    monkeypatch.setattr("smbgateway.cli.session.Session.say", closed)
    monkeypatch.setattr(cli, "_hush", lambda: hushed.append(True))
    assert (run("list")[0], hushed) == (141, [True])


# -- version, doctor, pages -----------------------------------------------------------------------------------------


def test_version_needs_no_engine(engine: Engine, run: Run) -> None:
    engine.answers["GET /v1/version"] = {"version": "9", "node": "lab1", "samba": "4.22"}
    assert (
        run("version")[1] == run("--version")[1] == f"pve-smbgateway {__version__}\nengine 9 on node lab1, Samba 4.22\n"
    )
    engine.answers["GET /v1/version"] = (500, FAILURE)
    assert run("-V") == (0, f"pve-smbgateway {__version__}\nengine not running\n", "")
    assert json.loads(run("version", "-j")[1]) == {"version": __version__, "engine": None}


def test_doctor_says_what_to_mend(engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    found = [Finding("samba", "ok", "Samba 4.22")]
    asked: list[str] = []
    monkeypatch.setattr(doctor, "checkup", lambda paths, host, node: asked.append(f"{paths.root} {node}") or found)
    engine.answers["GET /v1/version"] = {"version": __version__, "node": "lab1", "samba": "4.22"}
    engine.answers["GET /v1/status"] = {"gateways": [{"name": "lab", "drift": []}]}
    status, out, _ = run("doctor")
    assert (status, out.splitlines()[1:]) == (
        0,
        ["ok    Samba 4.22", f"ok    engine {__version__} on node lab1", "all is well"],
    )
    assert asked == [f"{engine.root} lab1"]
    found.append(Finding("samba", "fail", "smbd is \x1b[2J not installed", "apt install samba"))
    engine.answers["GET /v1/version"]["version"] = "0.0.1"
    engine.answers["GET /v1/status"]["gateways"][0]["drift"] = [{"name": f"cell {number}"} for number in range(4)]
    status, out, _ = run("doctor")
    assert (status, out.splitlines()[2:]) == (3, [
        "FAIL  smbd is \N{REPLACEMENT CHARACTER}[2J not installed", "      apt install samba",
        f"WARN  the engine is version 0.0.1, this command {__version__}",
        "      restart it: systemctl restart pve-smbgateway",
        "WARN  gateway lab: 4 things not as recorded: cell 0, cell 1, cell 2",
        f"      look: pve-smbgateway --root {engine.root} status",
        "1 to mend before shares can be served",
    ])  # fmt: skip
    del found[1], engine.answers["GET /v1/version"]
    last = json.loads(run("doctor", "--json")[1])["findings"][-1]
    assert (last["check"], last["state"]) == ("engine", "fail")
    found.append(Finding("ports", "warn", "port 445 is taken"))
    engine.answers["GET /v1/version"] = {"version": __version__, "node": "lab1", "samba": "4.22"}
    engine.answers["GET /v1/status"] = {"gateways": []}
    assert (run("doctor")[0], run("doctor")[1].splitlines()[-1]) == (0, "ready, 1 to know of")


def test_doctor_wants_root(engine: Engine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    status, out, _ = run("doctor")
    assert (status, out.splitlines()[1]) == (3, "FAIL  not root")
    assert engine.asked == []


def test_no_word_shows_help(run: Run) -> None:
    status, out, err = run()
    assert (status, out, err.startswith("usage: pve-smbgateway [-h]")) == (2, "", True)
    with pytest.raises(SystemExit) as ended:
        run("create", "--help")
    assert ended.value.code == 0


def test_every_command_leads_somewhere_and_takes_json() -> None:
    for name, command in completion.commands(parser.build()):
        if not command.commands:
            assert callable(cli._command(command.get_default("run"))), name
            assert {"--json", "--root", "--verbose"} <= set(completion.options(command)), name


def test_pages_made_from_the_parser_are_up_to_date() -> None:
    page = (REPOSITORY / "docs/man/pve-smbgateway.8").read_text()
    assert page == manual.page(parser.build()), "python -m smbgateway.cli.manual > docs/man/pve-smbgateway.8"
    for shell, write in completion.SHELLS.items():
        script = (REPOSITORY / f"completions/pve-smbgateway.{shell}").read_text()
        assert script == write(parser.build()), (
            f"pve-smbgateway completion {shell} > completions/pve-smbgateway.{shell}"
        )


def test_what_is_written_twice_for_speed_agrees() -> None:
    assert client.socket_path("/tmp/x/") == Paths("/tmp/x").socket
    assert client.socket_path("/") == Paths().socket
    error = Invalid.of([Fault("a", "b", "c")])
    assert describe(error.to_json()) == str(error)
    assert set(shares.FIRST) == {"gateway", "user", "group", "share", "receiver"}
