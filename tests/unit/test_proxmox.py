"""The client of Proxmox VE's API, against a stand-in that holds its calls to the published schemas."""

import json

import pytest

from lab.proxmox import TICKET, Guest, StandIn, served
from lab.proxmox_schema import Schema, python
from smbgateway.proxmox import client
from smbgateway.proxmox.client import Proxmox, ProxmoxFailed

from .fakes import Call, FakeHost

PERL = ("perl", "-e", client.TICKET)
NEW = {"vmid": 105, "ostemplate": "local:vztmpl/t.tar.zst", "unprivileged": True, "memory": 128, "swap": None}


def refused(api: Proxmox, method: str, path: str, **parameters: object) -> str:
    with pytest.raises(ProxmoxFailed) as raised:
        api.task(method, path, parameters)
    return str(raised.value)


def test_a_guest_is_made_read_changed_and_destroyed(api: Proxmox, node: StandIn) -> None:
    api.task("POST", f"{api.here}/lxc", NEW)
    assert node.guests[105].config == {"unprivileged": "1", "memory": "128"}
    path = f"{api.here}/lxc/105"
    api.call("PUT", f"{path}/config", {"mp0": "/srv/a b,mp=/srv/docs,shared=1", "delete": "memory"})
    assert api.get(f"{path}/config") == {
        "unprivileged": "1", "mp0": "/srv/a b,mp=/srv/docs,shared=1", "digest": "d",
    }  # fmt: skip
    api.task("POST", f"{path}/status/start")
    assert api.get(f"{path}/status/current")["status"] == "running"
    api.task("POST", f"{path}/status/stop")
    api.task("DELETE", path, {"purge": True})
    assert node.guests == {}


def test_refusals_say_what_failed_and_why(api: Proxmox, node: StandIn) -> None:
    node.guests[105] = Guest("lxc", {"protection": "1"})
    assert refused(api, "POST", "/nodes/one/lxc", **NEW) == (
        "Proxmox VE: POST /nodes/one/lxc: unable to create CT 105 - CT 105 already exists on node 'one'"
    )
    node.failing[2] = True
    failed = refused(api, "POST", "/nodes/one/lxc/105/status/start").splitlines()
    assert failed[0] == "Proxmox VE: POST /nodes/one/lxc/105/status/start: the stand-in's task fails here"
    assert failed[1].startswith("  its log: pvenode task log UPID:one:0000ABCD:")
    assert client._said("Parameter verification failed.", '{"errors": {"memory": "too small\\n"}}') == (
        "Parameter verification failed.; memory: too small"
    )


def test_a_task_that_does_not_end_is_not_waited_for_ever(api: Proxmox, node: StandIn) -> None:
    answer = node.answer
    node.answer = lambda method, path, given: (  # type: ignore[method-assign]
        (200, "OK", {"status": "running"}) if "/tasks/" in path else answer(method, path, given)
    )
    with pytest.raises(ProxmoxFailed, match=r"POST /nodes/one/lxc: its task runs after 0 s yet"):
        api.task("POST", "/nodes/one/lxc", NEW, timeout=0)


def test_a_ticket_is_made_once_and_again_when_it_is_refused(node: StandIn) -> None:
    host = FakeHost([Call(PERL, "stale"), Call(PERL, TICKET)])
    with served(node) as address:
        api = Proxmox(host, "one", address)
        assert (api.get("/cluster/nextid"), api.get("/cluster/nextid")) == ("100", "100")
    assert host.done == [PERL, PERL]


def test_without_the_daemon_pvesh_is_asked() -> None:
    with served(StandIn()) as closed:
        pass
    upid = "UPID:one:0000ABCD:00000001:65000000:vzstart:105:root@pam:"
    start = ("pvesh", "create", "/nodes/one/lxc/105/status/start", "--output-format", "json")
    status = ("pvesh", "get", f"/nodes/one/tasks/{upid}/status", "--output-format", "json")
    change = ("pvesh", "set", "/nodes/one/lxc/105/config", "--output-format", "json", "--onboot=1")
    calls = [
        Call(PERL, TICKET), Call(start, f"starting\n{json.dumps(upid)}\n"), Call(change),
        Call(status, json.dumps({"status": "stopped", "exitstatus": "startup for container '105' failed"})),
    ]  # fmt: skip
    api = Proxmox(FakeHost(calls), "one", closed)
    assert api.call("PUT", "/nodes/one/lxc/105/config", {"onboot": True}) is None
    assert "startup for container '105' failed" in refused(api, "POST", "/nodes/one/lxc/105/status/start")


SMALL = Schema({
    "POST /nodes/{node}/lxc": {"parameters": {"additionalProperties": 0, "properties": {
        "node": {"type": "string"}, "vmid": {"type": "integer", "minimum": "100"},
        "start": {"type": "boolean", "optional": 1}, "cmode": {"enum": ["tty", "shell"], "optional": 1},
        "hostname": {"type": "string", "pattern": "(?^i:[a-z]+)", "maxLength": 5, "optional": 1},
        "mp[n]": {"type": "string", "optional": 1, "format": {
            "volume": {"type": "string", "default_key": 1}, "mp": {"type": "string"},
            "ro": {"type": "boolean", "optional": 1}}},
    }}},
})  # fmt: skip


def test_calls_that_do_not_fit_a_schema_are_seen() -> None:
    def faults(**parameters: str) -> list[str]:
        return SMALL.faults("POST", "/nodes/one/lxc", parameters)

    assert faults(vmid="100", start="1", hostname="ABc", mp0="/a,mp=/b,ro=1") == []
    assert faults() == ["vmid: is missing"]
    assert faults(vmid="99", start="yes", cmode="x", hostname="a1") == [
        "vmid: 99 is out of limits", "start: yes is neither 0 nor 1", "cmode: x is none of tty, shell",
        "hostname: a1 does not match (?^i:[a-z]+)",
    ]  # fmt: skip
    assert faults(vmid="1x", hostname="abcdef") == ["vmid: 1x is no integer", "hostname: abcdef has a wrong length"]
    assert faults(vmid="100", mp1="/a,rw=1", odd="1") == [
        "mp1: rw: no such parameter", "mp1: mp: is missing", "odd: no such parameter",
    ]  # fmt: skip
    assert SMALL.faults("GET", "/nodes/one/lxc", {}) == ["there is no GET /nodes/one/lxc"]
    assert python("(?^:(?^i:a))") == "(?:(?i:a))"
