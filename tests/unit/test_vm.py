"""Gateways in virtual machines: the record, what QEMU and cloud-init are told, and the agent as a host."""

import ast
import base64
import json
import os
import socket
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from smbgateway.create import CreateRequest, resources
from smbgateway.errors import CommandFailed, CommandMissing, Invalid, Unavailable
from smbgateway.guests import agent, modules
from smbgateway.guests import machine as machines
from smbgateway.guests.agent import Ended, Guest, NotRunning, Silent, Socket
from smbgateway.guests.image import Images
from smbgateway.guests.machine import Machine
from smbgateway.installation import Installation
from smbgateway.model import Gateway, VmMode, parse
from smbgateway.modes.vm import seed_texts, serial, tap, words
from smbgateway.paths import Paths
from smbgateway.samba.instance import Instance
from smbgateway.status import Status
from smbgateway.store import MemoryStore
from smbgateway.upgrade import Upgrade
from smbgateway.watch import MACHINES, Watch

from .fakes import Call, FakeHost
from .machine import EmptyMachine, new_engine

MAC = "02:00:00:00:00:05"


def told(**mode: Any) -> list[str]:
    with pytest.raises(Invalid) as raised:
        parse([{"kind": "gateway", "name": "box", "mode": {"kind": "vm", **mode}}])
    return [f"{fault.field}: {fault.message}" for fault in raised.value.faults]


def test_faults_of_a_record_are_told() -> None:
    place = "gateway.box.mode: "
    assert told(bridge="br0") == [f"{place}bridge and address go together: with both it has an address of its own"]
    assert told(bridge="br0", address="10.0.0.5/24", port=4450) == [
        f"{place}with an address of its own it needs neither listen nor port"
    ]
    assert told(router="10.0.0.1") == [f"{place}router, mtu and vlan are for a machine on a bridge"]
    assert told(listen="fd00::1") == [
        f"{place}the node passes on IPv4 alone: give it an address of its own, on a bridge"
    ]
    assert told(memory="128M", cores=0) == [
        "gateway.box.mode.memory: Input should be greater than or equal to 268435456",
        "gateway.box.mode.cores: Input should be greater than or equal to 1",
    ]


def test_what_qemu_is_told_of_a_machine_behind_the_node() -> None:
    given = " ".join(words("/s,x", "box", VmMode(mac=MAC, listen="192.0.2.7", cores=2)))
    assert "-smp 2 -m 512 " in given
    assert "-drive if=none,id=system,format=qcow2,file=/s,,x/system,discard=unmap " in given
    assert "-netdev user,id=net0,ipv6=off,restrict=on,hostfwd=tcp:192.0.2.7:445-10.0.2.15:445 " in given
    assert "-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny" in given
    everywhere = " ".join(words("/s", "box", VmMode(mac=MAC, port=4450)))
    assert "hostfwd=tcp::4450-10.0.2.15:445 " in everywhere


def test_what_qemu_is_told_of_a_machine_on_a_bridge() -> None:
    given = " ".join(words("/s", "box", VmMode(mac=MAC, bridge="br0", address="10.0.0.5/24")))
    assert f"-netdev tap,id=net0,ifname={tap('box')},script=no,downscript=no " in given
    assert len(tap("box")) <= 15


def test_cloud_init_is_told_name_and_network_and_no_secret() -> None:
    mode = VmMode(mac=MAC, bridge="br0", address="10.0.0.5/24", router="10.0.0.1", mtu=9000)
    made = seed_texts(Gateway(name="box", mode=mode), mode)
    assert made["user-data"] == "#cloud-config\n{}\n"
    assert json.loads(made["network-config"]) == {
        "version": 2,
        "ethernets": {
            "net0": {
                "match": {"macaddress": MAC},
                "addresses": ["10.0.0.5/24"],
                "routes": [{"to": "0.0.0.0/0", "via": "10.0.0.1"}],
                "mtu": 9000,
            }
        },
    }
    named = json.loads(made["meta-data"])
    assert named["local-hostname"] == "box"
    elsewhere = mode.model_copy(update={"address": "10.0.0.6/24"})
    assert named != json.loads(seed_texts(Gateway(name="box", mode=elsewhere), elsewhere)["meta-data"])


def test_the_name_of_a_disk_is_short_and_plain_whatever_the_share_is_called() -> None:
    assert len(serial("Year 2026$" * 8)) <= 20
    assert serial("Year 2026").replace("-", "").isalnum()


def test_without_qemu_or_an_image_nothing_is_touched() -> None:
    engine = new_engine("/nowhere")
    gateway = {"kind": "gateway", "name": "box", "mode": {"kind": "vm", "listen": "192.0.2.7", "vmid": 100}}
    with pytest.raises(Invalid) as raised:
        engine.apply([gateway])
    assert [f"{f.field}: {f.message} ({f.hint})" for f in raised.value.faults] == [
        "gateway.box.mode.vmid: only Proxmox VE knows this (leave it out)",
        "gateway.box.mode: this node has no image for virtual machines (make one: template build --mode vm)",
        "gateway.box.mode.listen: 192.0.2.7 is not an address of this node (its addresses: )",
    ]
    engine.site.host.run = missing  # type: ignore[method-assign]
    with pytest.raises(Invalid) as raised:
        engine.apply([gateway])
    assert "apt install qemu-system-x86" in [f.hint for f in raised.value.faults]


def missing(*argv: str, stdin: str = "", timeout: float = 60) -> str:
    if argv[0].startswith("qemu-"):
        raise CommandMissing(argv[0], "qemu-system-x86" if "system" in argv[0] else "qemu-utils")
    return EmptyMachine().run(*argv)


def test_what_is_no_disk_cannot_be_in_a_machine_and_data_does_not_move_into_one() -> None:
    engine = new_engine("/nowhere")
    share = {"kind": "share", "name": "docs", "gateway": "box", "source": {"kind": "directory", "path": "/srv/docs"}}
    native = {"kind": "gateway", "name": "box", "mode": {"port": 4450}}
    machine = {"kind": "gateway", "name": "box", "mode": {"kind": "vm"}}
    with pytest.raises(Invalid) as raised:
        engine.apply([machine, share])
    assert ("share.docs.source", "a virtual machine sees no directory of the node: its shares are disks") in [
        (fault.field, fault.message) for fault in raised.value.faults
    ]
    for record in parse([native, share]):
        engine.site.store.save(record.sealed("ready"))
    with pytest.raises(Invalid) as raised:
        engine.apply([machine])
    assert ("gateway.box.mode.kind", "the data of docs cannot be moved into or out of a virtual machine") in [
        (fault.field, fault.message) for fault in raised.value.faults
    ]


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ({"addresses": ["192.0.2.7"], "port": 4450}, {"listen": "192.0.2.7", "port": 4450}),
        ({"addresses": ["10.0.0.5/24"], "bridge": "br0"}, {"bridge": "br0", "address": "10.0.0.5/24"}),
    ],
)
def test_each_share_gets_a_machine_of_its_own_unless_one_is_named(
    options: dict[str, Any], mode: dict[str, Any]
) -> None:
    site = Installation(MemoryStore(), Paths("/r"), EmptyMachine(), "one")
    request = CreateRequest(name="Year 2026", mode="vm", source="image:/srv/y.img", **options)
    gateway, share = resources(request, site)
    assert gateway == {"kind": "gateway", "name": "year-2026", "mode": {"kind": "vm", **mode}}
    assert share["gateway"] == "year-2026"


@dataclass
class FakeChannel:
    """An agent that answers in order; `given` is what it was asked to run, and with what."""

    answers: deque[Ended | Exception | None]
    most: int = 8
    given: list[tuple[list[str], bytes]] = field(default_factory=list)

    def start(self, argv: Sequence[str], stdin: bytes) -> int:
        self.given.append((list(argv), stdin))
        if self.answers and isinstance(self.answers[0], Exception):
            raise self.answers.popleft()  # type: ignore[misc]
        return 7

    def ended(self, number: int) -> Ended | None:
        return self.answers.popleft() if len(self.answers) else Ended(0, b"", b"")  # type: ignore[return-value]


def asked(*answers: Ended | Exception | None) -> tuple[Guest, FakeChannel]:
    channel = FakeChannel(deque(answers))
    return Guest(channel, "virtual machine box"), channel


def test_a_command_runs_in_an_environment_of_its_own_and_for_a_limited_time() -> None:
    guest, channel = asked(None, Ended(0, b"said\n", b"aside"))
    assert guest.run("ls", "/", timeout=5) == "said\n"
    start = ["env", "-i", *agent.ENVIRONMENT, "timeout", "--kill-after=1", "25", "ls", "/"]
    assert channel.given == [(start, b"")]


def test_what_a_command_says_when_it_fails() -> None:
    with pytest.raises(CommandFailed, match=r"^false: no such thing$"):
        asked(Ended(3, b"out", b"no such thing\n"))[0].run("false")
    with pytest.raises(CommandFailed, match=r"^false: out$"):
        asked(Ended(3, b"out", b""))[0].run("false")
    with pytest.raises(CommandFailed, match=r"^sleep: no answer within 10 s$"):
        asked(Ended(agent.TIMED_OUT, b"", b""))[0].run("sleep", timeout=2)
    absent = "timeout: failed to run command smbd: No such file or directory"
    with pytest.raises(CommandMissing, match=r"^smbd is not installed"):
        asked(Ended(127, b"", absent.encode()))[0].run("smbd")


def test_what_is_too_much_for_one_call_goes_in_pieces() -> None:
    guest, channel = asked()
    guest.run("cat", stdin="0123456789abcdefXYZ")
    pieces = [stdin for _, stdin in channel.given if stdin]
    assert pieces == [b"01234567", b"89abcdef", b"XYZ"]
    file = channel.given[0][0][-1]
    assert channel.given[3][0][-4:] == [agent.FED, "fed", file, "cat"]
    assert channel.given[-1][0][-3:] == ["-f", "--", file]


def test_a_machine_that_is_off_is_empty_and_one_that_is_silent_is_told() -> None:
    assert asked(NotRunning("off"))[0].read("/etc/passwd") is None
    with pytest.raises(Silent):
        asked(Silent("the agent of virtual machine box does not answer"))[0].read("/etc/passwd")


class AgentProcess:
    """What qemu-ga does, behind a socket."""

    def __init__(self, path: str, *answers: dict[str, Any]) -> None:
        self.answers, self.heard = deque(answers), []  # type: ignore[var-annotated]
        self.door = socket.socket(socket.AF_UNIX)
        self.door.bind(path)
        self.door.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.door.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as lines:
                for line in lines:
                    order = json.loads(line.lstrip(b"\xff"))
                    if order["execute"] == "guest-sync":
                        answer = {"return": order["arguments"]["id"]}
                        lines.write(b'{"return": {"pid": 1}}\n')  # what somebody else has not waited for
                    else:
                        self.heard.append(order)
                        answer = self.answers.popleft()
                    lines.write(json.dumps(answer).encode() + b"\n")
                    lines.flush()


@pytest.fixture
def place() -> Iterator[str]:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield f"{folder}/agent"


def test_the_agent_behind_a_socket(place: str) -> None:
    data = base64.b64encode(b"said\n").decode()
    ended = {"return": {"exited": True, "exitcode": 0, "out-data": data}}
    process = AgentProcess(place, {"return": {"pid": 12}}, {"return": {"exited": False}}, ended)
    assert Guest(Socket(place, "virtual machine box"), "virtual machine box").run("ls", stdin="in") == "said\n"
    assert process.heard[0]["arguments"]["input-data"] == base64.b64encode(b"in").decode()
    assert [order["execute"] for order in process.heard] == ["guest-exec", "guest-exec-status", "guest-exec-status"]
    process.door.close()


def test_what_the_agent_refuses_and_when_it_says_nothing(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    process = AgentProcess(place, {"error": {"class": "GenericError", "desc": "Command guest-exec has been disabled"}})
    guest = Guest(Socket(place, "virtual machine box"), "virtual machine box")
    refusal = "^the agent of virtual machine box refuses: Command guest-exec has been disabled$"
    with pytest.raises(Unavailable, match=refusal):
        guest.run("ls")
    process.door.close()
    os.unlink(place)
    assert guest.read("/etc/passwd") is None  # nobody listens: it is off
    monkeypatch.setattr(agent, "ANSWER_WAIT", 0.05)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(place)
        mute.listen()
        with pytest.raises(Silent, match=r"^the agent of virtual machine box does not answer: no word within 0.05 s$"):
            guest.run("ls")


def test_all_that_the_proof_imports_goes_into_the_machine() -> None:
    """The proof runs there with nothing of ours but what is placed."""
    for name in (name for name in modules.FILES if name.endswith(".py")):
        tree = ast.parse((modules.OURS / name).read_text())
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level):
            folder = Path(name).parents[node.level - 1]
            assert str(folder / f"{node.module}.py") in modules.FILES, f"{name} imports {node.module}"


def test_a_stale_pid_file_counts_as_off_and_the_console_tells_its_end() -> None:
    files = {
        "/m/pid": "12\n",
        "/proc/12/cmdline": "qemu\0-pidfile\0/other/pid\0",
        "/m/console": "a\n\nb\r\nc\nd\ne\nf\n",
    }
    machine = Machine(FakeHost([], files), "/m", "virtual machine box")
    assert machine.pid() is None
    files["/proc/12/cmdline"] = "qemu\0-pidfile\0/m/pid\0"
    assert machine.pid() == 12
    assert machine.last_words() == "b | c | d | e | f"


def test_a_machine_ends_in_order_or_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "OFF_WAIT", 0)
    files = {"/m/pid": "12\n", "/proc/12/cmdline": "qemu\0-pidfile\0/m/pid\0"}
    kill = Call(("kill", "-KILL", "12"))
    host = FakeHost([kill], files)
    Machine(host, "/m", "virtual machine box").stop(files.clear)
    assert host.done == []

    class Stubborn(FakeHost):
        def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
            self.files.clear()
            return super().run(*argv)

    stubborn = Stubborn([kill], {"/m/pid": "12\n", "/proc/12/cmdline": "qemu\0-pidfile\0/m/pid\0"})
    Machine(stubborn, "/m", "virtual machine box").stop(lambda: None)
    assert stubborn.done == [kill.argv]


def test_a_silent_machine_is_told_tried_rarely_and_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = new_engine("/nowhere")
    for record in parse([{"kind": "gateway", "name": "box", "mode": {"kind": "vm", "node": "one"}}]):
        engine.site.store.save(record.sealed("ready"))
    engine.converged.update({key: digest or "" for key, digest in engine.digests(engine.site.world()).items()})
    said = "the agent of virtual machine box does not answer"
    monkeypatch.setattr(Instance, "pid", lambda self: (_ for _ in ()).throw(Silent(said)))
    Watch(engine).look()
    assert [text for _, text in engine.events["box"]] == [said]
    assert list(engine.failing) == ["box"]
    engine.failing.clear()
    looked: list[int] = []
    monkeypatch.setattr(Instance, "pid", lambda self: looked.append(1) or 7)
    watch = Watch(engine)
    for _ in range(2 * MACHINES):
        watch.look()
    assert len(looked) == 2  # each look is some commands inside
    monkeypatch.setattr(Instance, "pid", lambda self: (_ for _ in ()).throw(Silent(said)))
    shown = Status(engine).gateway("box")
    assert (shown["running"], shown["discovery"]) == (False, said)


def test_a_fault_of_one_of_many_is_told_by_its_number() -> None:
    members = [{"node": "one", "address": "10.0.0.1"}, {"node": "two", "address": "nowhere"}]
    cluster = {"members": members, "addresses": [{"address": "10.0.0.9/24", "interface": "eth0"}]}
    with pytest.raises(Invalid) as raised:
        parse([{"kind": "gateway", "name": "box", "cluster": cluster}])
    assert [fault.field for fault in raised.value.faults] == ["gateway.box.cluster.members.1.address"]


def test_a_machine_is_upgraded_by_a_newer_image(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = new_engine("/nowhere")
    mode = {"kind": "vm", "node": "one", "image": "trixie-1", "mac": MAC}
    for record in parse([{"kind": "gateway", "name": "box", "mode": mode}]):
        engine.site.store.save(record.sealed("ready"))
    monkeypatch.setattr(Images, "newest", lambda self: "trixie-1")
    told = "gateway box has trixie-1 already: template build --mode vm makes a newer one"
    assert Upgrade(engine).run("box").warnings == [told]
    asked: list[Any] = []
    monkeypatch.setattr(Images, "newest", lambda self: "trixie-2")
    monkeypatch.setattr(engine, "apply", lambda items, tell: asked.extend(items))
    Upgrade(engine).run("box")
    assert (asked[0]["mode"]["image"], asked[0]["mode"]["mac"]) == ("trixie-2", MAC)
