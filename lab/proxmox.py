"""A stand-in for the REST API of Proxmox VE: keeps guests and tasks in memory, and holds every call to the schemas.

What it knows of guests' behaviour are the answers recorded from real ones (a taken id, a running one, a protected one),
and of virtual machines what the source of qemu-server says.
"""

import base64
import contextlib
import json
import re
import shlex
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from lab.proxmox_schema import Schema

Answer = tuple[int, str, object]
TICKET = "PVE:root@pam:65000000::c2lnbmVk"
SCHEMAS = {release: Schema.load(release) for release in (8, 9)}
OURS = "smbgateway-trixie-"
OLDER, NEWER = (f"{OURS}2026{day}-120000_4.22.6+dfsg-0+deb13u1_amd64.tar.zst" for day in ("1001", "1101"))
BRIDGE, STORAGE, TEMPLATE = "vmbr0", "local-zfs", f"local:vztmpl/{NEWER}"
NODE: dict[str, list[dict[str, object]]] = {
    "network": [{"iface": BRIDGE, "type": "bridge"}],
    "storage": [
        {"storage": "local", "type": "dir", "content": "vztmpl,iso,import", "active": 1, "avail": 5 << 30},
        {"storage": STORAGE, "type": "zfspool", "content": "images,rootdir", "active": 1, "avail": 9 << 30},
        {"storage": "slow", "type": "dir", "content": "rootdir", "active": 1, "avail": 1 << 30},
        {"storage": "away", "type": "rbd", "content": "images,rootdir", "active": 0},
        {"storage": "cephfs", "type": "cephfs", "content": "backup", "active": 1, "avail": 9 << 30},
    ],
    "storage content vztmpl": [
        {"volid": f"local:vztmpl/{name}", "ctime": number}
        for number, name in enumerate(("debian.tar.zst", OLDER, NEWER))
    ],
}
NODE["storage content import"] = [{"volid": "local:import/own.qcow2"}]
PLUGIN = {"content", "nodes", "smbgw-share"}  # options of storages of our type
CONFIGS: dict[str, dict[str, object]] = {
    STORAGE: {"type": "zfspool", "pool": "rpool/data"},
    "slow": {"type": "dir", "path": "/mnt/slow"},
    "away": {"type": "rbd", "pool": "vms", "monhost": "10.9.9.9"},
    "cephfs": {"type": "cephfs", "path": "/mnt/pve/cephfs"},
    "local": {"type": "dir", "path": "/var/lib/vz"},
}
PROTECTED = "can't {} CT {} drive '{}' - protection mode enabled"
COLD = ("cores", "memory")  # of a virtual machine: what waits for its next start
NEW_ONLY = ("vmid", "ostemplate", "start", "storage", "pool", "import-from")


@dataclass
class Guest:
    """A container or virtual machine."""

    kind: str
    config: dict[str, str]
    runs: bool = False
    pending: dict[str, str] = field(default_factory=dict)
    mute: bool = False  # its agent says nothing


@dataclass
class StandIn:
    """A node. `failing` maps a count of changing calls to whether the call (False) or its task (True) fails then."""

    node: str = "one"
    releases: tuple[int, ...] = (8, 9)
    guests: dict[int, Guest] = field(default_factory=dict)
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    tasks: dict[str, str] = field(default_factory=dict)
    failing: dict[int, bool] = field(default_factory=dict)
    storages: dict[str, dict[str, str]] = field(default_factory=dict)
    managed: dict[str, dict[str, str]] = field(default_factory=dict)  # by high availability
    rules: dict[str, dict[str, str]] = field(default_factory=dict)
    firewall: dict[str, Any] = field(default_factory=dict)  # options of `cluster` and `guest`, `rules` of guests
    others: dict[str, str | None] = field(default_factory=dict)  # nodes beside it: their pve-smbgateway
    next_id: Callable[[], int] | None = None
    inside: Callable[[int, list[str], bytes], tuple[int, bytes, bytes]] = lambda vmid, argv, stdin: (0, b"", b"")
    ended: dict[str, tuple[int, bytes, bytes]] = field(default_factory=dict)  # commands in virtual machines
    started: Callable[[int, bool], object] = lambda vmid, runs: None
    changed: Callable[[int], object] = lambda vmid: None

    @property
    def changes(self) -> list[str]:
        """The calls that were no reads."""
        return [f"{method} {path}" for method, path, _ in self.calls if method != "GET"]

    def answer(self, method: str, path: str, parameters: dict[str, Any]) -> Answer:
        """One call: status, words, data."""
        self.calls.append((method, path, parameters))
        self._check(method, path, parameters)
        failure = self.failing.pop(len(self.changes), None) if method != "GET" else None
        if failure is False:
            return 500, "the stand-in fails here", None
        words = path.strip("/").split("/")
        if words == ["cluster", "nextid"]:
            return 200, "OK", str(self.next_id() if self.next_id else self._free())
        if method == "GET" and words[:1] == ["storage"] and words[1:2] and words[1] in CONFIGS:
            return 200, "OK", {"storage": words[1], **CONFIGS[words[1]]}
        if "firewall" in words:
            part = "rules" if words[-1] == "rules" else "cluster" if words[0] == "cluster" else "guest"
            return 200, "OK", self.firewall.get(part, {})
        if words[:2] == ["cluster", "ha"]:
            return self._ha(method, words[2:], parameters)
        if words[0] == "storage":
            return self._storage(method, words[1:], parameters)
        if words == ["nodes"]:
            return 200, "OK", [{"node": name, "status": "online"} for name in (self.node, *self.others)]
        if words[2:] == ["smbgateway", "version"] and (version := self.others.get(words[1])):
            return 200, "OK", {"version": version}
        if words[:2] != ["nodes", self.node]:
            return 501, f"Method '{method} {path}' not implemented", None
        if words[2:] == ["storage"]:
            content = parameters.get("content", "")
            return 200, "OK", [each for each in NODE["storage"] if content in str(each["content"])]
        if words[2] in ("storage", "network"):
            return 200, "OK", NODE[" ".join([words[2], *words[4:], *parameters.get("content", "").split()])]
        if words[2] == "tasks":
            return 200, "OK", {"status": "stopped", "exitstatus": self.tasks[unquote(words[3])]}
        if failure:
            return self._task("the stand-in's task fails here")
        return self._guest(method, words[2], words[3:], parameters)

    def _check(self, method: str, path: str, parameters: dict[str, Any]) -> None:
        """What the published schemas say, which do not know our plugin."""
        if "/smbgateway/" in path:
            return
        if parameters.get("type") == "smbgateway":
            parameters = {name: value for name, value in parameters.items() if name != "smbgw-share"} | {"type": "dir"}
        for release in self.releases:
            if schema := SCHEMAS[release]:
                faults = schema.faults(method, path, parameters)
                self.wrong += [f"{release}: {method} {path}: {fault}" for fault in faults]

    def _ha(self, method: str, words: list[str], parameters: dict[str, Any]) -> Answer:
        table, key = (self.managed, "sid") if words[0] == "resources" else (self.rules, "rule")
        name = unquote(words[1]) if words[1:] else parameters.get(key, "")
        if method == "GET":
            return 200, "OK", [{key: each, **told} for each, told in table.items()]
        if method == "DELETE":
            del table[name]
        else:
            given = {word: value for word, value in parameters.items() if word != key}
            table[name] = table.get(name, {}) | given
        return 200, "OK", None

    def _storage(self, method: str, words: list[str], parameters: dict[str, Any]) -> Answer:
        name = words[0] if words else parameters.get("storage", "")
        if method == "GET":
            every: dict[str, Mapping[str, object]] = {**CONFIGS, **self.storages}
            return 200, "OK", [{"storage": name, **each} for name, each in every.items()]
        if method == "POST" and name in self.storages:
            return 500, f"create storage failed: storage ID '{name}' already defined", None
        if method == "DELETE":
            del self.storages[name]
            return 200, "OK", None
        given = {key: value for key, value in parameters.items() if key not in ("storage", "delete")}
        self.wrong += [f"{key} is no option of the plugin" for key in given.keys() - PLUGIN - {"type"}]
        self.storages[name] = self.storages.get(name, {}) | given
        return 200, "OK", {"storage": name, "type": "smbgateway"}

    def _free(self) -> int:
        return next(number for number in range(100, 10**9) if number not in self.guests)

    def _task(self, ended: str = "OK") -> Answer:
        upid = f"UPID:{self.node}:0000ABCD:00000001:65000000:vztask:{len(self.tasks)}:root@pam:"
        self.tasks[upid] = ended
        return 200, "OK", upid

    def _guest(self, method: str, kind: str, words: list[str], parameters: dict[str, Any]) -> Answer:
        if not words and method == "POST":
            return self._create(kind, parameters)
        if not words:
            return 200, "OK", [{"vmid": number} for number, each in self.guests.items() if each.kind == kind]
        number, guest = int(words[0]), self.guests.get(int(words[0]))
        if guest is None or guest.kind != kind:
            return 500, f"Configuration file 'nodes/{self.node}/{kind}/{number}.conf' does not exist", None
        if words[1:2] == ["agent"]:
            return self._agent(number, guest, words[2], parameters)
        if words[1:] == ["config"]:
            return self._config(number, guest, method, parameters)
        if words[1:] == ["pending"]:
            return 200, "OK", [{"key": name, "pending": value} for name, value in guest.pending.items()]
        if words[1:] == ["unlink"]:
            return self._unlink(guest, parameters)
        if words[1:] == ["resize"]:
            return self._resize(guest, parameters)
        if words[1:] == ["status", "current"]:
            return 200, "OK", {"vmid": number, "status": "running" if guest.runs else "stopped"}
        if words[1:2] == ["status"]:
            return self._power(number, guest, words[2])
        return self._destroy(number, guest)

    def _agent(self, number: int, guest: Guest, verb: str, parameters: dict[str, Any]) -> Answer:
        """Commands end at once, and are asked for once."""
        if not guest.runs:
            return 500, f"VM {number} is not running", None
        if guest.mute:
            return 500, "QEMU guest agent is not running", None
        if verb == "exec":
            words = shlex.split(base64.b64decode(parameters["command"][3]).decode())
            stdin = base64.b64decode(parameters.get("input-data", ""))
            self.ended[pid := str(len(self.calls))] = self.inside(number, words, stdin)
            return 200, "OK", {"pid": int(pid)}
        code, output, errors = self.ended.pop(parameters["pid"])
        said = {"out-data": output.decode("latin-1"), "err-data": errors.decode("latin-1")}
        return 200, "OK", {"exited": 1, "exitcode": code, **{name: text for name, text in said.items() if text}}

    def _unlink(self, guest: Guest, parameters: dict[str, Any]) -> Answer:
        name = str(parameters["idlist"])
        if guest.config.get("protection") == "1":
            return 500, f"can't remove drive '{name}' - protection mode enabled", None
        value = guest.config.pop(name).partition(",")[0]
        if parameters.get("force") != "1":
            guest.config[next(free for n in range(99) if (free := f"unused{n}") not in guest.config)] = value
        return 200, "OK", None

    def _create(self, kind: str, parameters: dict[str, Any]) -> Answer:
        number = int(parameters["vmid"])
        if number in self.guests:
            word = "CT" if kind == "lxc" else "VM"
            return 500, f"unable to create {word} {number} - {word} {number} already exists on node '{self.node}'", None
        config = {name: value for name, value in parameters.items() if name not in NEW_ONLY}
        self.guests[number] = made = Guest(kind, {} if kind == "qemu" else config)
        for name, value in config.items() if kind == "qemu" else ():
            made.config[name] = self._drive(number, made, value)
        return self._task()

    def _config(self, number: int, guest: Guest, method: str, parameters: dict[str, Any]) -> Answer:
        if method == "GET":
            return 200, "OK", {**guest.config, "digest": "d"}
        gone = [name for name in parameters.get("delete", "").split(",") if name]
        given = {name: value for name, value in parameters.items() if name not in ("delete", "digest")}
        if guest.kind == "lxc" and guest.config.get("protection") == "1":
            for verb, names in (("remove", gone), ("update", given)):
                if drives := [name for name in names if name.startswith(("mp", "unused", "rootfs"))]:
                    return 500, PROTECTED.format(verb, number, drives[0]), None
        if guest.kind == "qemu":
            return self._of_machine(number, guest, gone, given, method)
        for name in gone:
            self._drop(guest, name)
        guest.config |= {name: self._disk(number, guest, value) for name, value in given.items()}
        self.changed(number)
        return 200, "OK", None

    def _of_machine(
        self, number: int, guest: Guest, gone: list[str], given: dict[str, str], method: str
    ) -> Answer:  # fmt: skip
        for name in gone:
            del guest.config[name]
        cold = {name: value for name, value in given.items() if name in COLD and value != guest.config.get(name)}
        guest.pending |= cold if guest.runs else {}
        guest.config |= {name: self._drive(number, guest, value) for name, value in given.items()}
        self.changed(number)
        return self._task() if method == "POST" else (200, "OK", None)

    def _drive(self, number: int, guest: Guest, value: str) -> str:
        """STORAGE:GIB,... makes a disk, of what is imported where that is named; STORAGE:cloudinit the drive for it."""
        volume = f"vm-{number}-disk-{sum('-disk-' in each for each in guest.config.values())}"
        value = re.sub(r"^([\w-]+):cloudinit$", rf"\1:vm-{number}-cloudinit,media=cdrom,size=4M", value)
        value = re.sub(r"^([\w-]+):0,import-from=[^,]+(.*)", rf"\1:{volume}\2,size=1536M", value)
        return re.sub(r"^([\w-]+):(\d+)(,.*)", rf"\1:{volume}\3,size=\2G", value)

    def _drop(self, guest: Guest, name: str) -> None:
        """What was the volume of a mount point is kept, as unused."""
        value = guest.config.pop(name, "").partition(",")[0]
        if name.startswith("mp") and ":" in value:
            guest.config[next(free for n in range(99) if (free := f"unused{n}") not in guest.config)] = value

    def _disk(self, number: int, guest: Guest, value: str) -> str:
        """STORAGE:GIB,... makes a volume."""
        new = re.fullmatch(r"([\w.-]+):(\d+)(,.*)", value)
        return f"{new[1]}:subvol-{number}-disk-{len(guest.config)}{new[3]},size={new[2]}G" if new else value

    def _resize(self, guest: Guest, parameters: dict[str, Any]) -> Answer:
        value = guest.config[parameters["disk"]]
        guest.config[parameters["disk"]] = re.sub(r"size=\w+", f"size={parameters['size']}", value)
        return self._task()

    def _power(self, number: int, guest: Guest, verb: str) -> Answer:
        runs = verb in ("start", "reboot")
        guest.pending = {}
        if guest.runs == runs and verb != "reboot":
            return self._task(f"CT {number} {'already' if runs else 'not'} running")
        guest.runs = runs
        self.started(number, runs)
        return self._task()

    def _destroy(self, number: int, guest: Guest) -> Answer:
        if guest.config.get("protection") == "1":
            return 500, f"can't remove CT {number} - protection mode enabled", None
        if guest.runs:
            return 500, f"unable to destroy CT {number} - container is running", None
        del self.guests[number]
        return self._task()


def _given(text: str) -> dict[str, Any]:
    """Parameters; as Proxmox VE has it what is given several times is a list, which an empty word ends anew."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        before = found.get(name)
        found[name] = (before if isinstance(before, list) else [before]) + [value] if before and value else value
    return found


@contextlib.contextmanager
def served(stand_in: StandIn) -> Iterator[tuple[str, int]]:
    """Let it answer on a port of this machine; afterwards every call must have fitted the schemas."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode() or url.query
            path = url.path.removeprefix("/api2/json")
            known = unquote(self.headers.get("Cookie", "")) == f"PVEAuthCookie={TICKET}"
            answer = stand_in.answer(self.command, path, _given(text)) if known else (401, "no ticket", None)
            code, reason, data = answer
            self.send_response(code, reason)
            self.end_headers()
            self.wfile.write(json.dumps({"data": data}).encode())

        do_POST = do_PUT = do_DELETE = do_GET

        def log_message(self, *words: object) -> None:
            """Nothing to say."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield "127.0.0.1", server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
    assert not stand_in.wrong, stand_in.wrong
