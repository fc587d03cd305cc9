"""The routes in this process: what they take, what they refuse and how, and what a change leaves to be seen."""

import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from smbgateway import __version__
from smbgateway.api import guard
from smbgateway.convergence import Result, Tell
from smbgateway.errors import CommandMissing, Conflict, Unavailable
from smbgateway.intake import Options
from smbgateway.jobs import Job, Jobs
from smbgateway.store import MemoryStore

from .machine import ANSWERS, Api, EmptyMachine, new_engine

SECRET = "Hunter-Two-22"
USER = {"kind": "user", "name": "alice", "password": SECRET}
GATEWAY = {"kind": "gateway", "name": "files"}
SHARE: dict[str, Any] = {
    "kind": "share",
    "name": "docs",
    "gateway": "files",
    "source": {"kind": "directory", "path": "/srv/docs"},
}

CHECKED = {"samba", "tools", "clock", "store", "ports", "places", "leftovers"}  # and records, where some are bad


@pytest.fixture(scope="module")
def made() -> Iterator[Api]:
    """One application for all: the framework needs longer to make it than a test to use it."""
    with tempfile.TemporaryDirectory(prefix="api-", dir="/tmp") as folder:  # short: paths of sockets lie below
        yield Api.of(new_engine(folder))


@pytest.fixture
def api(made: Api) -> Api:
    """As it was when it was made."""
    made.forget()
    return made


@pytest.fixture
def full(api: Api) -> Api:
    """With a gateway, a share and a user, as a store holds them."""
    world, intake = api.engine.site.world(), api.engine.intake
    for record in intake.allocated(intake.checked([USER, GATEWAY, SHARE], world, Options()), world):
        api.engine.site.store.save(record.sealed("ready"))
    return api


def test_version(api: Api) -> None:
    assert api.get("/v1/version") == (200, {"version": __version__, "node": "one", "samba": "4.17.12-Debian"})


def test_what_a_share_can_be_made_of(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    link = {
        "ifname": "vmbr0",
        "linkinfo": {"info_kind": "bridge"},
        "addr_info": [{"local": "192.0.2.7", "scope": "global"}],
    }
    monkeypatch.setitem(ANSWERS, "ip", json.dumps([link]))
    status, said = api.get("/v1/choices?name=docs")
    assert status == 200
    assert said["modes"] == [
        {"kind": "native", "reason": "", "hint": ""},
        {"kind": "lxc", "reason": "this node has no template for containers", "hint": "make one: template build"},
        {
            "kind": "vm",
            "reason": "this node has no image for virtual machines",
            "hint": "make one: template build --mode vm",
        },
    ]
    assert (said["bridges"], said["addresses"]) == (["vmbr0"], ["192.0.2.7"])
    assert said["roots"][-1] == {"path": api.engine.site.paths.roots[-1], "free": 900000 * 4096}


def test_containers_are_offered_where_there_is_a_template(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ANSWERS, "ip", json.dumps([{"ifname": "vmbr0", "linkinfo": {"info_kind": "bridge"}}]))
    monkeypatch.setattr(type(api.engine.site.paths), "templates", str(tmp_path))
    (tmp_path / "newest/root").mkdir(parents=True)
    modes = api.get("/v1/choices?name=docs")[1]["modes"]
    assert modes[1] == {"kind": "lxc", "reason": "", "hint": ""}
    monkeypatch.setitem(ANSWERS, "ip", "[]")
    modes = api.get("/v1/choices?name=docs")[1]["modes"]
    assert modes[1]["reason"] == "this node has no bridge"


def test_what_a_node_lacks(api: Api) -> None:
    status, body = api.get("/v1/checkup")
    assert (status, {finding["check"] for finding in body["findings"]}) == (200, CHECKED)


def test_nothing_yet(api: Api) -> None:
    assert api.get("/v1/resources") == (200, {"resources": []})
    assert api.get("/v1/shares") == (200, {"shares": []})
    status = {"node": "one", "version": __version__, "gateways": [], "broken": {}, "said": []}
    assert api.get("/v1/status") == (200, status)
    assert api.get("/v1/jobs") == (200, {"jobs": []})


def test_records_are_shown_as_apply_accepts_them(full: Api) -> None:
    resources = full.get("/v1/resources")[1]["resources"]
    assert [(r["kind"], r["name"], r["state"]) for r in resources] == [
        ("gateway", "files", "ready"),
        ("user", "alice", "ready"),
        ("share", "docs", "ready"),
    ]
    assert full.get("/v1/resources?kind=share")[1]["resources"] == resources[2:]
    assert full.get("/v1/resources/share/docs") == full.get("/v1/resources/share/files/docs") == (200, resources[2])
    assert full.get("/v1/resources/user/alice") == (200, resources[1])
    assert "password" not in resources[1]
    assert full.post("/v1/plan", {"resources": resources})[0] == 200


def test_who_asks_for_a_change_is_in_the_log(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    for headers in ({"x-smbgateway-user": "ann@pve!ci"}, {}, {"x-smbgateway-user": "a\tb@pam"}):
        api.client.post("/v1/plan", json={"resources": [USER]}, headers=headers)
    api.client.post("/v1/plan%0Aaudit", json={})
    api.get("/v1/shares", headers={"x-smbgateway-user": "ann@pve"})
    lines = ["ann@pve!ci POST '/v1/plan'", "root POST '/v1/plan'", "a?b@pam POST '/v1/plan'"]
    assert capsys.readouterr().out.splitlines() == [f"audit: {line}" for line in lines] + [
        "audit: root POST '/v1/plan\\naudit'"
    ]


def begun(jobs: Jobs, *outcomes: str, stoppable: bool = True) -> tuple[Job, threading.Event]:
    """A job that does the first of these, and the others once the event is set."""
    go = threading.Event()

    def work(tell: Tell) -> Result:
        for number, outcome in enumerate(outcomes):
            tell(f"step {number}", outcome, 0)
            assert go.wait(60)
        return Result()

    return jobs.start("work", work, stoppable), go


def ended(api: Api, job: Job) -> Any:
    api.events(job.id)
    return api.get(f"/v1/jobs/{job.id}")[1]


def test_a_job_is_stopped_after_the_step_it_is_at(api: Api) -> None:
    job, go = begun(api.jobs, "created", "created", "created")
    assert api.post(f"/v1/jobs/{job.id}/stop", None) == (202, {"job": job.id})
    go.set()
    shown = ended(api, job)
    assert [event["name"] for event in shown["events"]] == ["step 0", "step 1"]
    assert (shown["state"], shown["error"]["what"], shown["error"]["cause"]) == (
        "failed",
        "stopped",
        "somebody asked to",
    )
    status, error = api.post(f"/v1/jobs/{job.id}/stop", None)
    assert (status, error["what"]) == (409, "the job has ended: work")


@pytest.mark.parametrize(("outcome", "stoppable"), [("destroyed", True), ("created", False)])
def test_what_cannot_be_set_back_is_not_stopped(api: Api, outcome: str, stoppable: bool) -> None:
    job, go = begun(api.jobs, outcome, "removed", stoppable=stoppable)
    status, error = api.post(f"/v1/jobs/{job.id}/stop", None)
    assert (status, error["what"]) == (409, "the job cannot be stopped any more: work")
    go.set()
    assert ended(api, job)["state"] == "done"


def test_shares_in_short(full: Api) -> None:
    (row,) = full.get("/v1/shares")[1]["shares"]
    assert row.pop("address").endswith("\\docs")
    assert row == {
        "key": "files/docs",
        "name": "docs",
        "gateway": "files",
        "mode": "native",
        "source": "directory:/srv/docs",
        "quota": None,
        "purpose": "general",
        "state": "ready",
        "port": 445,
    }


def test_status_of_what_is_not_running(full: Api) -> None:
    (gateway,) = full.get("/v1/status")[1]["gateways"]
    assert full.get("/v1/status/gateway/files") == (200, gateway)
    drift = gateway.pop("drift")
    shown = {
        "name": "files",
        "mode": "native",
        "node": "one",
        "shares": 1,
        "address": "all",
        "port": 445,
        "discovery": "not while it does not run",
    }
    assert gateway == {**shown, "enabled": True, "running": False, "events": []}
    assert (drift[-1]["name"], drift[-1]["now"]) == ("share docs", None)
    share = full.get("/v1/status/share/docs")[1]
    assert (share["share"]["name"], share["serving"], share["sessions"]) == ("docs", False, [])
    assert share["usage"] == {"used": 409600000, "limit": None, "available": 3686400000}
    assert full.get("/v1/status/share/files/docs")[1]["share"] == share["share"]


def test_status_of_a_share_whose_gateway_is_another_nodes_or_gone(full: Api) -> None:
    gateway = full.engine.site.world().gateways["files"]
    moved = gateway.model_copy(update={"mode": gateway.mode.model_copy(update={"node": "two"})})
    full.engine.site.store.save(moved)
    status, error = full.get("/v1/status/share/docs")
    assert (status, error["what"], error["hint"]) == (
        409,
        "share docs is node two's, this is one",
        "ask the engine of that node",
    )
    assert full.get("/v1/status/gateway/files")[1]["running"] is None
    full.engine.site.store.delete(gateway)
    status, error = full.get("/v1/status/share/docs")
    assert (status, error["what"]) == (404, "there is no gateway files")


def test_plan_touches_nothing(api: Api) -> None:
    machine = api.engine.site.host
    status, plan = api.post("/v1/plan", {"resources": [GATEWAY, SHARE]})
    assert status == 200
    names = [cell["name"] for cell in plan["cells"]]
    assert names[:2] == ["directory /srv/docs", "earmark of /srv/docs"]
    assert names[-1] == "share docs"
    same = {"create": {"name": "docs", "path": "/srv/docs", "gateway": "files"}}
    assert [cell["name"] for cell in api.post("/v1/plan", same)[1]["cells"]] == names
    assert isinstance(machine, EmptyMachine)
    assert machine.folders == {"/srv"}
    assert {argv[0] for argv in machine.done} & {"mkdir", "install", "write", "setfattr", "net"} == set()
    assert api.get("/v1/resources")[1]["resources"] == []
    assert list(Path(api.engine.site.paths.root).iterdir()) == []


@pytest.mark.parametrize(
    "body",
    [
        {"resources": [USER]},
        {"text": f"kind: user\nname: alice\npassword: {SECRET}\n"},
        {"text": '{"resources": [{"kind": "user", "name": "alice"}]}'},
    ],
)
def test_apply_in_each_of_its_forms(api: Api, body: dict[str, Any]) -> None:
    job = api.run("/v1/apply", body)
    assert (job["title"], job["state"], job["error"]) == ("apply user alice", "done", None)
    assert job["events"] == [{"name": "request", "outcome": "checked", "seconds": 0}]
    assert job["result"]["outcomes"] == [{"kind": "user", "key": "alice", "outcome": "created"}]
    assert api.get("/v1/resources/user/alice")[1]["uid"] == 20002
    assert [row["id"] for row in api.get("/v1/jobs")[1]["jobs"]] == [job["id"]]


def test_the_events_of_a_job(api: Api) -> None:
    job = api.run("/v1/apply", {"resources": [USER]})
    first, last = api.events(job["id"])
    assert (first["id"], first["event"]) == ("1", "progress")
    assert (last["id"], last["event"]) == ("2", "done")
    assert api.events(job["id"], after=1) == [last]
    done = api.client.get(f"/v1/jobs/{job['id']}/events", headers={"last-event-id": "2"})
    assert (done.status_code, done.content) == (204, b""), "an EventSource does not come again"


def test_a_job_that_fails_is_set_back(api: Api) -> None:
    job = api.run("/v1/create", {"name": "docs", "path": "/srv/docs", "gateway": "files"})
    assert (job["title"], job["state"], job["result"]) == ("apply gateway files, share docs", "failed", None)
    assert job["error"]["what"] == "cannot set smbd of gateway files"
    assert job["error"]["undone"][-1] == "directory /srv/docs"
    assert api.events(job["id"])[-1]["event"] == "failed"
    assert api.get("/v1/resources")[1]["resources"] == []


def test_remove(api: Api) -> None:
    api.run("/v1/apply", {"resources": [USER]})
    job = api.run("/v1/remove", {"targets": [{"kind": "user", "name": "alice"}]})
    assert (job["title"], job["state"]) == ("delete user alice", "done")
    assert job["result"]["outcomes"] == [{"kind": "user", "key": "alice", "outcome": "deleted"}]
    assert api.get("/v1/resources/user/alice")[0] == 404


def test_the_log_of_a_gateway_and_a_client_that_is_not_there(full: Api) -> None:
    assert full.get("/v1/status/gateway/files/log") == (200, {"lines": []})
    assert full.get("/v1/status/gateway/nope/log")[1]["what"] == "there is no gateway nope"
    status, error = full.post("/v1/clients/disconnect", {"share": "docs", "id": "7"})
    assert (status, error["what"]) == (404, "nobody with the id 7 has share docs open")
    assert error["hint"] == "it may have left by itself"
    gateway = full.engine.site.world().gateways["files"]
    full.engine.site.store.save(gateway.model_copy(update={"mode": gateway.mode.model_copy(update={"node": "two"})}))
    status, error = full.get("/v1/status/gateway/files/log")
    assert (status, error["what"]) == (409, "gateway files is node two's, this is one")


def test_what_is_needed_is_not_removed(full: Api) -> None:
    assert full.faults("/v1/remove", {"targets": [{"kind": "gateway", "name": "files"}]}) == [
        "gateway.files: share docs still needs it (delete or change share docs first)"
    ]


def test_titles_of_many(api: Api) -> None:
    users = [{"kind": "user", "name": f"user{number}"} for number in range(4)]
    assert api.run("/v1/apply", {"resources": users})["title"] == "apply 4 resources"
    assert api.run("/v1/remove", {"targets": users})["title"] == "delete 4 resources"


# What is refused.


def test_all_faults_at_once_each_with_its_field(api: Api) -> None:
    items = [SHARE | {"quota": "10X", "colour": 1, "sorce": 2}, USER | {"password": "short"}, {"kind": "pony"}]
    assert api.faults("/v1/apply", {"resources": items}) == api.faults("/v1/plan", {"resources": items})
    assert api.faults("/v1/apply", {"resources": items, "text": "5"}) == [
        'share.docs.quota: "10X" is not a size: write a number with K, M, G or T, such as 10G',
        'share.docs.colour: unknown field "colour"',
        'share.docs.sorce: unknown field "sorce" (did you mean "source"?)',
        "user.alice.password: a password has 8 to 127 characters",
        'resource.2: unknown kind "pony" (known: gateway, share, user, group, receiver)',
        "resource.3: Input should be a valid dictionary or object to extract fields from",
        "share.docs.gateway: there is no gateway files",
    ]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({}, "resources: the request names no resource"),
        ({"text": "---\n"}, "resources: the request names no resource"),
        ({"resorces": []}, 'resorces: unknown field "resorces" (did you mean "resources"?)'),
        ({"resources": {}}, "resources: Input should be a valid list"),
        ({"resources": 5}, "resources: Input should be a valid list"),
        ({"text": 5}, "text: Input should be a valid string"),
        ({"text": "a: [1\n"}, "text: neither YAML nor JSON: line 2, column 1: did not find expected ',' or ']'"),
        ({"text": "5\n" * 3}, "resource.0: Input should be a valid dictionary or object to extract fields from"),
        ({"resources": [{"kind": "user", "name": ["x"]}]}, "user.0.name: Input should be a valid string"),
        ({"resources": [{"kind": ["x"], "name": {}}]}, "resource.0: unknown kind \"['x']\""),
        ({"create": {"path": "/srv/x", "nam": "x"}}, 'name: "name" is missing'),
        ({"resources": [USER], "options": {"forse": True}}, 'options.forse: unknown field "forse"'),
        ({"resources": [USER], "options": None}, "options: Input should be a valid dictionary"),
        ([], "body: Input should be a valid dictionary"),
    ],
)
def test_refused_bodies(api: Api, body: object, fault: str) -> None:
    assert any(line.startswith(fault) for line in api.faults("/v1/apply", body))
    assert api.get("/v1/jobs") == (200, {"jobs": []}), "what is refused was never a job"


def test_too_many_resources(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smbgateway.api.bodies.MOST", 2)
    assert api.faults("/v1/apply", {"text": "[1, 2, 3]"}) == [
        "text: more than 2 resources (make several requests of them)"
    ]


def test_half_a_character_comes_back_as_it_was(api: Api) -> None:
    status, error = api.post("/v1/remove", {"targets": [{"kind": "user", "name": "\ud800"}]})
    assert status == 422, error
    assert api.get("/v1/resources/user/%F0%9F%98%80")[1]["what"] == "there is no user \U0001f600"
    assert api.get("/v1/resources/user/%ff%00")[0] == 404


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"{", "Expecting property name enclosed in double quotes at character 2"),
        (b'{"text": }', "Expecting value at character 10"),
        (b"\xff", None),
        (b"[" * 100_000, None),
        (b'{"text": ' + b"9" * 5000 + b"}", None),
    ],
    ids=["cut", "empty", "not UTF-8", "deep", "long number"],
)
def test_a_body_that_is_not_json(api: Api, content: bytes, fault: str | None) -> None:
    answer = api.client.post("/v1/apply", content=content, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    error = answer.json()
    assert (error["error"], error["what"], error["exit_code"]) == ("Invalid", "the body is not JSON", 2)
    assert [(f["field"], f["message"]) for f in error["faults"]] == ([("body", fault)] if fault else [])
    assert fault or error["cause"] == "it is not UTF-8, nested too deep, or has a number that is too long"


def test_a_body_without_a_type_or_none_at_all(api: Api) -> None:
    for headers in ({"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}):
        assert api.client.post("/v1/apply", content=b'{"text": ""}', headers=headers).status_code == 422
    answer = api.client.post("/v1/apply")
    assert (answer.status_code, answer.json()["faults"][0]["field"]) == (422, "body")


def test_a_body_that_is_too_large(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "LARGEST", 1024 * 1024)
    whole = api.client.post("/v1/apply", content=b" " * (1024 * 1024 + 1))
    pieces = api.client.post("/v1/apply", content=(b" " * 1000 for _ in range(2000)))
    for answer in (whole, pieces):
        assert (answer.status_code, answer.json()["what"]) == (413, "the request is larger than 1 MiB")
    assert api.client.post("/v1/apply", content=b" " * 1024 * 1024).status_code == 400
    assert api.client.post("/v1/apply", content=(b"{" for _ in range(3))).status_code == 400


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("/v1/resources/share/nope", "there is no share nope"),
        ("/v1/resources/share/files/nope", "there is no share files/nope"),
        ("/v1/status/share/nope", "there is no share nope"),
        ("/v1/status/gateway/nope", "there is no gateway nope"),
        ("/v1/snapshots/nope", "there is no share nope"),
        ("/v1/jobs/nope", "there is no job nope"),
        ("/v1/jobs/nope/events", "there is no job nope"),
        ("/v1/pony", "there is no /v1/pony"),
        ("/pony", "there is no /pony"),
    ],
)
def test_what_is_not_there(full: Api, path: str, what: str) -> None:
    status, error = full.get(path)
    assert (status, error["error"], error["what"], error["exit_code"]) == (404, "NotFound", what, 4)


@pytest.mark.parametrize("verb", ["create", "delete", "restore"])
def test_snapshots_of_what_cannot_have_any(full: Api, verb: str) -> None:
    body = {"share": "docs", **({} if verb == "create" else {"name": "kept-2026.11.23-12.00.00"})}
    status, error = full.post(f"/v1/snapshots/{verb}", body)
    assert (status, error["what"], error["cause"]) == (
        503,
        "share docs has no snapshots",
        "a directory source cannot have snapshots",
    )
    assert full.get("/v1/jobs")[1] == {"jobs": []}


def test_a_schedule_that_the_source_cannot_keep(api: Api) -> None:
    body = {"resources": [USER, GATEWAY, {**SHARE, "snapshots": {"daily": 7}}]}
    for path in ("/v1/plan", "/v1/apply"):
        assert api.faults(path, body) == [
            "share.docs.snapshots: a directory source cannot have snapshots "
            "(use a btrfs, cephfs, rbd or zfs source, which can)"
        ]
    body = {"name": "docs", "path": "/srv/docs", "snapshots": {"daily": 600, "pony": 1}}
    assert [fault.partition(":")[0] for fault in api.faults("/v1/create", body)] == [
        "share.docs.snapshots.daily",
        "share.docs.snapshots.pony",
    ]


def test_did_you_mean(full: Api) -> None:
    assert full.get("/v1/resources/share/dcos")[1]["hint"] == 'did you mean "docs"?'
    status, error = full.post("/v1/remove", {"targets": [{"kind": "user", "name": "alise"}]})
    assert (status, error["what"], error["hint"]) == (404, "there is no user alise", 'did you mean "alice"?')


def test_a_wrong_method(api: Api) -> None:
    answer = api.client.delete("/v1/apply")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["what"] == "/v1/apply has no DELETE"


def test_a_wrong_kind_or_number(api: Api) -> None:
    assert api.get("/v1/resources?kind=pony")[1]["faults"][0]["field"] == "kind"
    assert api.get("/v1/resources/pony/x")[0] == 422
    job = api.run("/v1/apply", {"resources": [USER]})["id"]
    for number in ("-1", "x", "", "9" * 5000):
        answer = api.client.get(f"/v1/jobs/{job}/events", headers={"last-event-id": number})
        assert (answer.status_code, answer.json()["faults"][0]["field"]) == (422, "last-event-id")


def test_an_old_digest_is_a_conflict(full: Api) -> None:
    status, error = full.post("/v1/apply", {"resources": [{**USER, "digest": "0" * 16}]})
    assert (status, error["error"], error["exit_code"]) == (409, "Conflict", 5)
    assert error["what"] == "user alice was changed meanwhile"


def test_what_is_not_ours_to_destroy(full: Api) -> None:
    share = full.engine.site.world().shares["files/docs"]
    full.engine.site.store.save(share.model_copy(update={"adopted": True}))
    body = {"targets": [{"kind": "share", "name": "docs"}], "options": {"destroy_data": True}}
    assert full.post("/v1/remove", body)[1]["error"] == "HoldsData"


def test_a_store_that_is_away(api: Api) -> None:
    store = api.engine.site.store
    assert isinstance(store, MemoryStore)
    store.read_only = True
    job = api.run("/v1/apply", {"resources": [USER]})
    assert (job["state"], job["error"]["error"], job["error"]["exit_code"]) == ("failed", "Unavailable", 3)


@pytest.mark.parametrize(
    ("error", "status", "name"),
    [
        (Unavailable("no"), 503, "Unavailable"),
        (Conflict("no"), 409, "Conflict"),
        (CommandMissing("smbd", "samba"), 503, "CommandMissing"),
        (ZeroDivisionError(SECRET), 500, "Failed"),
    ],
)
def test_every_error_has_one_form(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, name: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(api.engine.site.store, "all", lambda kind: fail())
    got, body = api.get("/v1/resources")
    assert (got, body["error"]) == (status, name)
    assert set(body) == {"error", "what", "cause", "hint", "undone", "left", "faults", "exit_code"}
    assert SECRET not in str(body)


# Who asks.


@pytest.mark.parametrize("uid", [1, 1000, 65534, -1, None])
def test_only_root_is_let_in(tmp_path: Path, uid: int | None) -> None:
    other = Api.of(new_engine(str(tmp_path)), uid)
    for path in ("/v1/version", "/openapi.json", "/nope"):
        status, error = other.get(path)
        assert (status, error["what"], error["cause"]) == (403, "refused", "the caller is neither root nor the relay")
    assert other.post("/v1/apply", {"resources": [USER]})[0] == 403
    assert other.engine.site.world().users == {}


def test_a_password_comes_in_and_never_goes_out(
    api: Api, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    items: list[object] = [
        USER | {"name": SECRET},
        USER | {"password": SECRET[:7]},
        USER | {"password": [SECRET]},
        USER | {"password": {SECRET: SECRET}},
        USER | {"uid": 1},
        USER | {"passwrod": SECRET},
    ]
    said = [api.post(path, {"resources": [item]})[1] for item in items[1:] for path in ("/v1/plan", "/v1/apply")]
    said += [api.post("/v1/apply", {"resources": {"password": SECRET}})[1]]
    said += [api.post("/v1/apply", {"resources": [USER], "password": SECRET})[1]]
    said += [api.post("/v1/apply", {"text": f"kind: user\nname: a\npassword: {SECRET}\n\tx: 1"})[1]]
    said += [api.post("/v1/apply", {"text": f"kind: user\nname: a\npassword: '{SECRET}"})[1]]
    said += [api.post("/v1/create", {"name": "x", "path": "/srv/x", "password": SECRET})[1]]
    said += [api.run("/v1/apply", {"resources": [USER]}), api.get("/v1/resources"), api.get("/v1/jobs")]
    assert SECRET[:7] not in str(said)
    assert SECRET[:7] not in str(capfd.readouterr()) + caplog.text
    files = (path for path in Path(api.engine.site.paths.root).rglob("*") if path.is_file())
    assert SECRET[:7] not in "".join(path.read_text() for path in files)
    assert SECRET[:7] not in str(getattr(api.engine.site.host, "done", ""))
