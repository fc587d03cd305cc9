"""One private Samba: its directories, its processes, and the tools run against it."""

import contextlib
import hashlib
import os
import re
import struct
import sys
import time

from ..errors import CommandFailed, CommandMissing, Failed, Unavailable
from ..host import Host
from ..model import Gateway
from ..step import Step
from . import config
from .launch import Launcher

READY_WAIT = 15.0  # seconds until smbd answers; 0.1 s is usual
STOP_WAIT = 10.0
SMBD = "/usr/sbin/smbd"


class Instance:
    """A Samba of its own below `own`. Its processes see our accounts by a mount namespace (libnss-extrausers)."""

    def __init__(
        self, host: Host, gateway: Gateway, own: str, launcher: Launcher, label: str = "", python: str = sys.executable,
        patience: float = 1,
    ) -> None:  # fmt: skip
        self.host, self.gateway, self.own, self.launcher = host, gateway, own, launcher
        self.label = label or gateway.name  # in names of steps, which are different where it runs elsewhere
        self.python = python  # of the host, with our modules
        self.patience = patience  # how many times as long as on the node it may take
        self.conf = f"{own}/smb.conf"
        self.registry_title = f"registry of gateway {self.label}"

    @property
    def address(self) -> str:
        """Where a client beside it reaches it."""
        return self.gateway.mode.inside[0]

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.gateway.mode.inside[1]

    def tool(self, program: str, *arguments: str, stdin: str = "", timeout: float = 60) -> str:
        """Run one of Samba's tools on this instance's databases. Without --configfile it would open the host's."""
        return self.host.run(program, f"--configfile={self.conf}", *arguments, stdin=stdin, timeout=timeout)

    def inside(self, program: str, *arguments: str) -> str:
        """Run a tool where our accounts are seen. Raises Unavailable where the instance is down."""
        return self.enter(program, f"--configfile={self.conf}", *arguments)

    def enter(self, *argv: str, timeout: float = 60) -> str:
        """Run a command in the mount namespace of the instance. Raises Unavailable where that is down."""
        pid = self.pid()
        if pid is None:
            raise Unavailable(f"the Samba of gateway {self.gateway.name} is not running")
        return self.host.run("nsenter", f"--mount=/proc/{pid}/ns/mnt", "--", *argv, timeout=timeout)

    def control(self, *message: str) -> None:
        """Send a message to the running smbd (smbcontrol(1))."""
        self.tool("smbcontrol", *message)

    def pid(self) -> int | None:
        """The supervisor's pid, None where it is not running (a stale pid file counts as none)."""
        return self._process("run/supervisor.pid", self.own)

    def _process(self, file: str, word: str) -> int | None:
        """The pid in a file of ours, where the command line of that process has a word."""
        pid = (self.host.read(f"{self.own}/{file}") or "").strip()
        if not pid.isdigit():
            return None
        words = (self.host.read(f"/proc/{pid}/cmdline") or "").split("\0")
        return int(pid) if word in words else None

    def steps(self) -> list[Step]:
        """From nothing to a running smbd that has loaded its configuration."""
        return [
            self._directories(),
            self.file("nsswitch.conf", NSSWITCH),
            self.file("passwd", USERS),
            self.file("group", GROUPS),
            self.file("machine-id", machine_id(self.gateway)),
            self.file("client.conf", config.client_section(self.own)),
            self.file("smb.conf", config.whole(self.gateway, self.own)),
            *([] if self.gateway.cluster else [self._sid(), self._passdb(), self._registry()]),
        ]

    def file(self, name: str, text: str, mode: int = 0o644) -> Step:
        """A file of the instance."""
        path = f"{self.own}/{name}"

        def write(value: str | None) -> None:
            if value is None:
                self.host.run("rm", "-f", "--", path)
            else:
                self.host.write(path, value, mode)

        return Step(f"{name} of gateway {self.label}", text, lambda: self.host.read(path), write)

    def _directories(self) -> Step:
        """All of them: a command inside of a container takes 7 ms."""

        def write(value: str | None) -> None:
            if value is None:  # databases and logs of Samba: ours, rebuilt from records
                self.host.run("rm", "-rf", "--one-file-system", "--", self.own)
                return
            modes = [line.split(" ", 1) for line in value.splitlines()]
            for mode in dict.fromkeys(mode for mode, _ in modes):
                paths = [os.path.normpath(f"{self.own}/{name}") for each, name in modes if each == mode]
                self.host.run("install", "-d", "-m", mode, "--", *paths)

        want = "".join(f"{mode} {name}\n" for name, mode in DIRECTORIES.items())
        return Step(f"directories of gateway {self.label}", want, self._present, write)

    def _present(self) -> str | None:
        """Those of our directories that are there, with their modes."""
        try:
            found = self.host.run("find", self.own, "-maxdepth", "1", "-type", "d", "-printf", "%m %P\n")
        except CommandFailed as error:
            if "No such file" in error.output:
                return None
            raise
        modes = {name or ".": mode for mode, name in (line.split(" ", 1) for line in found.splitlines())}
        return "".join(f"{modes[name]} {name}\n" for name in DIRECTORIES if name in modes)

    def stamp(self, name: str) -> str | None:
        """What changes with each change of a database (tdb sets the time of the file), None where it is absent."""
        try:
            return self.host.run("stat", "--printf=%i %s %y", "--", f"{self.own}/{name}")
        except CommandFailed as error:
            if "No such file" in error.output:
                return None
            raise

    def _sid(self) -> Step:
        """The machine SID: the same in all gateways, so that owners in NT ACLs stay when a share moves."""
        globals_ = config.parse_sections(config.global_section(self.gateway, self.own))["global"]
        key, database = f"SECRETS/SID/{globals_['netbios name']}", f"{self.own}/private/secrets.tdb"

        def read() -> str | None:
            if self.stamp("private/secrets.tdb") is None:
                return None
            try:  # `net getlocalsid` takes 34 ms, and where there is none it makes one
                return sid_text(self.host.run("tdbdump", "-k", key, database).strip())
            except CommandFailed as error:
                if error.output:
                    raise
                return None

        def write(value: str | None) -> None:
            if value is not None:
                self.tool("net", "setlocalsid", value)

        return Step(f"SID of gateway {self.label}", self.gateway.sid, read, write)

    def _passdb(self) -> Step:
        """An empty passdb before smbd starts.

        Whoever opens a new one first converts it by rename: two at once, and smbd keeps reading a deleted file.
        """

        def read() -> str | None:
            return "regular file" if self.stamp("private/passdb.tdb") else None

        def write(value: str | None) -> None:
            if value is not None:
                self.tool("pdbedit", "-L")

        return Step(f"passdb of gateway {self.label}", "regular file", read, write)

    def _registry(self) -> Step:
        """A registry that has the name of a share in smb.conf, and no share yet."""

        def read() -> str | None:
            return "regular file" if self.stamp("state/registry.tdb") else None

        def write(value: str | None) -> None:
            if value is not None:
                name = config.PRELOADED
                self.tool("net", "conf", "import", "/dev/stdin", name, stdin=config.render(name, {}))

        return Step(self.registry_title, "regular file", read, write)

    def preload(self) -> None:
        """Have the smbd that begets connections read the names of the shares again: it is to be quick, no more."""
        if not self.gateway.cluster:
            with contextlib.suppress(CommandFailed):
                self.host.run("sh", "-c", PRELOAD, self.conf)

    def daemon(self) -> Step:
        """The running smbd; its value is what it listens on and the configuration it has loaded."""
        want = loads(config.whole(self.gateway, self.own))

        def read() -> str | None:
            return (self.host.read(f"{self.own}/run/loaded") or "unknown") if self.pid() else None

        def write(value: str | None) -> None:
            now = read()
            if value is None:
                self.stop()
            elif now is None:
                self._start()
            elif now.split(" ")[0] != loads(self.host.read(self.conf) or "").split(" ")[0]:
                self.stop()
                self._start()
            else:
                self.control("smbd", "reload-config")
            if value is not None:  # what was loaded, which during an undo is not yet what shall be
                self.host.write(f"{self.own}/run/loaded", loads(self.host.read(self.conf) or ""))

        return Step(f"smbd of gateway {self.label}", want, read, write)

    def _start(self) -> None:
        try:  # a missing package is named before anything hangs
            self.host.run("test", "-x", SMBD)
        except CommandFailed as error:
            raise CommandMissing("smbd", "samba") from error
        self._end_former()
        self.launcher.start(self.gateway.name, self.own)
        self.await_answer()

    def _end_former(self) -> None:
        """Wait for the smbd of a supervisor that was killed: for a moment it answers in place of the new one."""
        deadline, word = time.monotonic() + STOP_WAIT, f"--configfile={self.conf}"
        while (pid := self._process("pid/smbd.pid", word)) and time.monotonic() < deadline:
            time.sleep(0.02)
        if pid:
            with contextlib.suppress(CommandFailed):  # it has just ended
                self.host.run("kill", "-KILL", str(pid))

    def await_answer(self) -> None:
        """Wait until smbd takes connections; where it does not, all is stopped. Raises Failed."""
        wait = READY_WAIT * self.patience
        deadline = time.monotonic() + wait
        while self.host.read(f"{self.own}/pid/smbd.pid") is None and time.monotonic() < deadline:
            time.sleep(0.01 * self.patience)  # to ask by smbclient before takes the time that smbd wants
        while not self.answers():
            if time.monotonic() > deadline:
                cause = self._last_words()
                self.stop()
                raise Failed(f"smbd of gateway {self.gateway.name} does not answer within {wait:g} s", cause)
            time.sleep(0.02 * self.patience)

    def answers(self) -> bool:
        """Whether smbd takes connections: any answer of SMB's, a refusal too, is an answer."""
        try:
            self.host.run(*self.client(), "-N", f"//{self.address}/IPC$", "-c", "exit", timeout=5 * self.patience)
        except CommandFailed as error:
            return "NT_STATUS_ACCESS_DENIED" in error.output or "NT_STATUS_LOGON_FAILURE" in error.output
        return True

    def client(self) -> list[str]:
        """smbclient with a configuration of its own, at this instance."""
        return ["smbclient", f"--configfile={self.own}/client.conf", f"--port={self.port}"]

    def stop(self) -> None:
        """End the supervisor, which ends its children. Absent is fine."""
        pid = self.pid()
        if pid is None:
            return
        self.launcher.stop(self.gateway.name, pid)
        deadline = time.monotonic() + STOP_WAIT
        while self.pid() is not None:
            if time.monotonic() > deadline:
                self.host.run("kill", "-KILL", str(pid))
            time.sleep(0.02)

    def _last_words(self) -> str:
        lines = []
        for name in ("supervisor.log", "log.smbd"):
            lines += (self.host.read(f"{self.own}/log/{name}") or "").splitlines()[-3:]
        return " | ".join(line.strip() for line in lines) or "no word in its log"


PRELOAD = 'read -r pid <"${0%/*}/pid/smbd.pid" && grep -qsF -- "$0" "/proc/$pid/cmdline" && kill -HUP "$pid"'
DIRECTORIES = {
    ".": "711",  # connected users run the programs that tell sizes, and pass through to nothing else
    "private": "700",
    "state": "755",
    "cache": "755",
    "lock": "755",
    "pid": "755",
    "ncalrpc": "755",
    "log": "700",
    "run": "755",
    "accounts": "755",
    "client": "700",
}
# All accounts that an instance sees: these two, which it needs, then ours (libnss-extrausers). One of the node would be
# taken for ours of the same name (measured with Debian's group `staff`: access denied), or lend it its groups. Ours
# first is no way out: libnss-extrausers 0.6 answers the question for uid 0 with its first entry.
USERS = "root:x:0:0::/nonexistent:/usr/sbin/nologin\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"
NSSWITCH = "passwd: files extrausers\ngroup: files extrausers\nshadow: files\nhosts: files dns\n"


def machine_id(gateway: Gateway) -> str:
    """What wsdd2 tells it by (machine-id(5)): containers of one template have the same, or none."""
    return f"{hashlib.sha256(f'{gateway.sid} {gateway.name}'.encode()).hexdigest()[:32]}\n"


def loads(text: str) -> str:
    """What an smbd that loads this configuration listens on, and the digest of it: `127.0.0.1:445 DIGEST`."""
    parameters = config.parse_sections(text).get("global", {})
    listen = f"{parameters.get('interfaces', '*').replace(' ', ',')}:{parameters.get('smb ports', '')}"
    return f"{listen} {hashlib.sha256(text.encode()).hexdigest()[:16]}"


def sid_text(dumped: str) -> str:
    """A SID (struct dom_sid, MS-DTYP 2.4.2.2) as tdbdump shows its bytes: letters, or a backslash and two digits."""
    plain = re.sub(r"\\([0-9A-F]{2})", lambda code: chr(int(code[1], 16)), dumped).encode("latin-1")
    numbers = struct.unpack_from(f"<{plain[1]}I", plain, 8)
    return "-".join(map(str, ("S", plain[0], int.from_bytes(plain[2:8], "big"), *numbers)))


def scratch(own: str) -> str:
    """How names of an instance's short-lived directories begin: in memory, and short, as paths of sockets must be."""
    digest = hashlib.sha256(own.encode()).hexdigest()[:8]
    return f"/dev/shm/smbgw-{digest}-"  # noqa: S108 - mktemp -d makes them, for root alone
