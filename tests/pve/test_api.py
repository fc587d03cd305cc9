"""The API of Proxmox VE: who may ask, where faults land, and what tasks tell; asked of a real engine."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.mounts import unmount_below, until

from .perl import attempt, perl

PASSWORD = "Open-Sesame-1"
LOAD = """
use PVE::API2::SMBGateway;
$PVE::API2::SMBGateway::Engine::SOCKET = $1 if ($given->{socket} // '') =~ m/^(.*)$/;
$PVE::RPCEnvironment::USER = $given->{user} if $given->{user};
@PVE::RPCEnvironment::PRIVILEGES = @{ $given->{privileges} // [] };
"""
CALL = """
my $result = eval { PVE::RESTHandler::call('PVE::API2::SMBGateway', $given->{verb}, $given->{path}, $given->{param}) };
my $error = $@;
my $fault = ref($error) ? { code => $error->{code}, msg => $error->{msg}, errors => $error->{errors} } : "$error";
told({ result => $result, error => $fault, tasks => \\@PVE::RPCEnvironment::TASKS });
"""
CHANGES = """
told([map { [$_->{name}, $_->{method}, $_->{path}, !!$_->{permissions} ? 1 : 0, $_->{protected}, $_->{proxyto},
    [sort keys $_->{parameters}->{properties}->%*]] } $PVE::RESTHandler::METHODS{'PVE::API2::SMBGateway'}->@*]);
"""
ROOT_ONLY = {"apply", "create_template"}


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    """The socket of an engine that has nothing yet."""
    with tempfile.TemporaryDirectory(prefix="pve-", dir="/tmp") as folder:  # short: paths of sockets lie below
        command = [sys.executable, "-m", "smbgateway.cli", "--root", folder, "serve"]
        with Path(folder, "log").open("wb") as log:
            engine = subprocess.Popen(command, stdout=log, stderr=log)
        path = Path(folder, "run/pve-smbgateway/engine.sock")
        try:
            until(lambda: engine.poll() is not None or path.exists(), "the engine answers")
            yield str(path)
        finally:
            engine.terminate()
            engine.wait()
            unmount_below(Path(folder))


def call(socket: str, verb: str, path: str, param: Any = None, **more: Any) -> Any:
    given = {"socket": socket, "verb": verb, "path": path, "param": {"node": "pve1", **(param or {})}, **more}
    return perl(LOAD + CALL, given)


def test_every_change_runs_as_root_on_its_node_with_a_permission(socket: str) -> None:
    methods = perl(LOAD + CHANGES, {})
    assert len(methods) > 30
    for name, _, _, permitted, protected, proxyto, parameters in methods:
        assert "node" in parameters
        if name != "index":
            assert (protected, proxyto) == (1, "node"), name
            assert bool(permitted) == (name not in ROOT_ONLY), name


def test_lists_come_from_the_engine(socket: str) -> None:
    assert call(socket, "GET", "shares")["result"] == []
    assert call(socket, "GET", "version")["result"]["version"]
    assert {"name": "shares"} in call(socket, "GET", "")["result"]


def test_a_user_is_made_changed_and_deleted_by_tasks(socket: str) -> None:
    made = call(socket, "POST", "users", {"name": "alice", "password": PASSWORD, "full-name": "Alice Ä"})
    assert made["result"].endswith(":smbcreate:alice:root@pam:")
    assert [(task["status"], task["id"]) for task in made["tasks"]] == [("OK", "alice")]
    assert PASSWORD not in json.dumps(made)
    call(socket, "PUT", "users/alice", {"enabled": 0, "delete": "full-name"})
    shown = call(socket, "GET", "users/alice")["result"]
    assert (shown["enabled"], shown["full_name"]) == (False, "")
    call(socket, "DELETE", "users/alice")
    gone = call(socket, "GET", "users/alice")["error"]
    assert (gone["code"], gone["msg"]) == (404, "there is no user alice\n")


@pytest.mark.parametrize(
    ("verb", "path", "param", "errors"),
    [
        ("POST", "users", {"name": "bob", "password": "short"}, {"password": "a password has 8 to 127 characters"}),
        ("POST", "users", {"name": "Bob"}, {"name": "value does not match the regex pattern"}),
        (
            "POST",
            "groups",
            {"name": "all", "members": "no one"},
            {"members": "there is no user no"},
        ),
        ("POST", "gateways", {"name": "files", "mode": "[1]"}, {"mode": "not the JSON of an object"}),
        ("POST", "shares", {"name": "docs", "source": "zfs:x"}, {"source": '"x" is not a dataset below a pool'}),
        ("POST", "shares", {"name": "docs", "mode": "odd"}, {"mode": "does not have a value in the enumeration"}),
        ("POST", "plan", {"name": "a/b", "source": "zfs:tank/a"}, {"name": '"a/b" is not a share name'}),
        ("POST", "shares", {"name": "docs", "nonsense": 1}, {"nonsense": "property is not defined in schema"}),
    ],
)
def test_each_fault_is_at_its_parameter(socket: str, verb: str, path: str, param: Any, errors: dict[str, str]) -> None:
    refused = call(socket, verb, path, param)
    assert refused["error"]["code"] == 400
    assert refused["tasks"] == []
    for field, text in errors.items():
        assert text in refused["error"]["errors"][field]


SEE, CHANGE, ALLOCATE = ["/nodes/pve1", "Sys.Audit"], ["/nodes/pve1", "Sys.Modify"], ["/storage", "Datastore.Allocate"]
ZFS = {"name": "docs", "source": "zfs:tank/docs"}


@pytest.mark.parametrize(
    ("verb", "path", "param", "privileges", "refused"),
    [
        ("GET", "shares", {}, [], "list_shares"),
        ("GET", "shares", {}, [SEE], None),
        ("GET", "shares", {}, [["/nodes/pve2", "Sys.Audit"]], "list_shares"),
        ("POST", "plan", ZFS, [SEE, CHANGE], "plan_share"),
        ("POST", "plan", ZFS, [SEE, ALLOCATE], "plan_share"),
        ("POST", "plan", {**ZFS, "mode": "lxc", "bridge": "vmbr0"}, [CHANGE, ALLOCATE], "/vms, VM.Allocate"),
        (
            "POST", "plan", {**ZFS, "mode": "lxc", "bridge": "vmbr0"}, [CHANGE, ALLOCATE, ["/vms", "VM.Allocate"]],
            "/sdn/zones/localnetwork/vmbr0, SDN.Use",
        ),
        ("POST", "plan", {"name": "docs", "path": "/a"}, [CHANGE, ALLOCATE], "only allowed for root@pam"),
        ("POST", "plan", {"name": "docs", "source": "image:/srv/a"}, [CHANGE, ALLOCATE], "only allowed for root@pam"),
        ("POST", "users", {"name": "eve"}, [CHANGE], "user_create"),
        ("POST", "apply", {"text": "kind: user"}, [["/", "Sys.Modify"], ALLOCATE], "root@pam only"),
        ("DELETE", "shares/files/docs", {"destroy-data": 1}, [CHANGE], "share_delete"),
    ],
)  # fmt: skip
def test_who_may_what(
    socket: str, verb: str, path: str, param: Any, privileges: list[list[str]], refused: str | None
) -> None:
    answer = call(socket, verb, path, param, user="ann@pve", privileges=privileges)
    if refused is None:
        assert answer["error"] == ""
    else:
        assert answer["error"]["code"] == 403
        assert refused in answer["error"]["msg"]


GUEST = {"kind": "lxc", "bridge": "vmbr0", "address": "10.0.0.5/24", "vmid": 105, "storage": "local-zfs", "ha": True}
MAY_MAKE = [
    CHANGE, ["/vms/105", "VM.Allocate"], ["/storage/local-zfs", "Datastore.AllocateSpace"],
    ["/sdn/zones/localnetwork/vmbr0", "SDN.Use"], ["/", "Sys.Console"],
]  # fmt: skip


@pytest.mark.parametrize("missing", range(1, len(MAY_MAKE)))
def test_who_makes_a_guest_may_what_proxmox_ve_asks_for(socket: str, missing: int) -> None:
    """The engine would do it as root."""
    privileges = [each for each in MAY_MAKE if each != MAY_MAKE[missing]]
    param = {"name": "files", "mode": json.dumps(GUEST)}
    answer = call(socket, "POST", "gateways", param, user="ann@pve", privileges=privileges)
    assert (answer["error"]["code"], answer["tasks"]) == (403, [])
    assert ", ".join(MAY_MAKE[missing]) in answer["error"]["msg"]
    everything = call(socket, "POST", "gateways", param, user="ann@pve", privileges=MAY_MAKE)
    assert everything["error"]["code"] == 400  # the engine has its own to say: there is no such bridge here


def test_a_volume_needs_room_on_its_storage(socket: str) -> None:
    param = {"name": "docs", "source": "storage:ceph-vm", "quota": "1G"}
    answer = call(socket, "POST", "plan", param, user="ann@pve", privileges=[CHANGE, ALLOCATE])
    assert "/storage/ceph-vm, Datastore.AllocateSpace" in answer["error"]["msg"]


def test_a_gateway_is_stopped_started_and_looked_at(socket: str) -> None:
    made = call(socket, "POST", "gateways", {"name": "files", "mode": json.dumps({"kind": "native", "port": 1445})})
    assert [task["status"] for task in made["tasks"]] == ["OK"]
    stopped = call(socket, "POST", "gateways/files/stop")
    assert stopped["result"].endswith(":smbstop:files:root@pam:")
    shown = call(socket, "GET", "gateways/files/status")["result"]
    assert (shown["enabled"], shown["running"], shown["drift"]) == (False, False, [])
    refused = call(socket, "POST", "gateways/files/restart")
    assert (refused["error"]["code"], refused["error"]["msg"]) == (
        409,
        "gateway files is stopped; gateway start files\n",
    )
    call(socket, "POST", "gateways/files/start")
    assert call(socket, "GET", "gateways/files/status")["result"]["running"] is True
    assert "is no cluster" in call(socket, "GET", "gateways/files/members")["error"]["msg"]
    native = call(socket, "POST", "gateways/files/upgrade")["error"]
    assert (native["code"], "runs on the node itself" in native["msg"]) == (409, True)
    call(socket, "DELETE", "gateways/files")


def test_what_users_have_of_a_share_comes_from_the_engine(socket: str) -> None:
    gone = call(socket, "GET", "shares/files/docs/quota/users")["error"]
    assert (gone["code"], "docs" in gone["msg"]) == (404, True)


def test_a_token_of_root_is_not_root(socket: str) -> None:
    everything = [["/", name] for name in ("Sys.Modify", "Datastore.Allocate")]
    answer = call(socket, "POST", "plan", {"name": "a", "path": "/srv/a"}, user="root@pam!ci", privileges=everything)
    assert answer["error"]["msg"] == "Permission check failed (a path of the node is only allowed for root@pam)\n"


def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    answer = call(str(tmp_path / "none"), "GET", "shares")
    assert answer["error"]["code"] == 503
    assert "the SMB gateway engine of this node does not answer: No such file" in answer["error"]["msg"]


def test_it_is_mounted_where_no_file_is_patched() -> None:
    code = """
    PVE::API2::SMBGateway->mount();
    my ($info) = $PVE::RESTHandler::METHODS{'PVE::API2::Nodes::Nodeinfo'}->@*;
    eval { PVE::API2::SMBGateway->mount() };
    told([$info->{path}, $info->{subclass}, $@]);
    """
    assert perl(LOAD + code, {}) == ["smbgateway", "PVE::API2::SMBGateway", "duplicate method definition\n"]


def test_a_clash_at_the_mount_leaves_the_daemon_alone(tmp_path: Path) -> None:
    code = """
    BEGIN { $0 = 'pvesh' }
    use PVE::RESTHandler;
    BEGIN { PVE::RESTHandler::register_method('PVE::API2::Nodes::Nodeinfo', { path => 'smbgateway', method => 'GET' });
        PVE::RESTHandler::register_method('PVE::API2::Nodes::Nodeinfo', { path => 'smbgateway', subclass => 'A' }) }
    use PVE::Storage;
    told([PVE::Storage::Plugin->lookup('smbgateway')]);
    """
    done = attempt(code)
    assert json.loads(done.stdout) == ["PVE::Storage::Custom::SMBGateway"]
    assert "the API of SMB gateways is not there: duplicate method definition" in done.stderr
