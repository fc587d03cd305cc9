"""A disposable installation: an engine of its own below one directory, gateways and clients; all ends with it."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lab import mounts
from smbgateway.cli.client import Client
from smbgateway.cli.problem import Problem

PROGRAM = Path(sys.executable).parent / "pve-smbgateway"
USER, PASSWORD = "bench", "Open-Sesame-1"
GATEWAY = "files"
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": "/"}


class Installation:
    """An engine, started, with one user. Use it as a context."""

    def __init__(self) -> None:
        # Short, as paths of Samba's sockets must be; on a disk, as what is made durable costs what it costs.
        self.root = Path(tempfile.mkdtemp(prefix="smbgw-", dir="/tmp"))
        self.srv = self.root / "srv"
        self.credentials = self.root / "credentials"
        self.log = self.root / "engine.log"
        self.client = Client(str(self.root / "run/pve-smbgateway/engine.sock"))
        self.engine: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Installation":
        try:
            self._start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def _start(self) -> None:
        os.chmod(self.root, 0o711)
        self.srv.mkdir()
        self.credentials.write_text(f"username = {USER}\npassword = {PASSWORD}\n")
        self.credentials.chmod(0o600)
        with self.log.open("wb") as log:
            command = self.cli("serve")
            self.engine = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        mounts.until(self._answers, f"the engine answers ({self.log.read_text()})")
        self.apply({"kind": "user", "name": USER, "password": PASSWORD})

    def _answers(self) -> bool:
        assert self.engine
        if self.engine.poll() is not None:
            raise RuntimeError(f"the engine ended: {self.log.read_text()}")
        try:
            self.client.get("/v1/version", 10)
        except Problem:
            return False
        return True

    def end(self) -> None:
        """Stop the engine and every Samba of it, unmount, remove all."""
        if self.engine:
            self.engine.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.engine.wait(10)
            self.engine.kill()
            self.engine.wait()
        for own in self.root.glob("var/lib/pve-smbgateway/native/*"):
            stop_supervisor(own)
        mounts.unmount_below(self.root)
        shutil.rmtree(self.root)

    def run(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Start a change and see it through; its result. Raises Problem."""
        for _, kind, said in self.client.events(self.client.post(path, body)["job"]):
            if kind == "failed":
                raise Problem(said)
        return said

    def apply(self, *resources: dict[str, Any]) -> dict[str, Any]:
        """Make the world as the resources say."""
        return self.run("/v1/apply", {"resources": list(resources)})

    def gateway(self, name: str = GATEWAY) -> dict[str, Any]:
        """A gateway of its own port."""
        return {"kind": "gateway", "name": name, "mode": {"addresses": ["127.0.0.1"], "port": free_port()}}

    def share(self, name: str, gateway: str = GATEWAY) -> dict[str, Any]:
        """A share in a new directory, for one user."""
        source = {"kind": "directory", "path": str(self.srv / f"{gateway}-{name}")}
        return {"kind": "share", "name": name, "gateway": gateway, "source": source, "access": {USER: "write"}}

    def own(self, gateway: str = GATEWAY) -> Path:
        """The directory of a gateway's Samba."""
        return self.root / "var/lib/pve-smbgateway/native" / gateway

    def port(self, gateway: str = GATEWAY) -> int:
        """Where a gateway listens."""
        return int(self.client.record("gateway", gateway)["mode"]["port"])

    def cli(self, *words: str) -> list[str | Path]:
        """A command line for this engine."""
        return [PROGRAM, "--root", self.root, *words]

    def tool(self, program: str, *words: str, gateway: str = GATEWAY, stdin: str | None = None) -> str:
        """One of Samba's tools on a gateway's databases, by hand."""
        command = [program, f"--configfile={self.own(gateway)}/smb.conf", *words]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd="/")
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout

    def smbclient(self, port: int, *words: str) -> list[str]:
        """The command line of a client."""
        conf = next(self.root.glob("var/lib/pve-smbgateway/native/*/client.conf"))
        return ["smbclient", f"--configfile={conf}", f"--port={port}", "-A", str(self.credentials), *words]

    def smb(self, port: int, share: str, commands: str, *words: str, timeout: float = 300) -> str:
        """What a client says to commands. Raises RuntimeError where anything is refused."""
        command = self.smbclient(port, *words, f"//127.0.0.1/{share}", "-c", commands)
        done = subprocess.run(command, timeout=timeout, **QUIET)  # type: ignore[call-overload]
        if done.returncode or "NT_STATUS_" in done.stdout:
            raise RuntimeError(f"smbclient on share {share}, {commands}: {done.stdout}")
        return str(done.stdout)

    def supervisor(self, gateway: str = GATEWAY) -> int:
        """The supervisor's pid."""
        return int((self.own(gateway) / "run/supervisor.pid").read_text())

    def smbd(self, gateway: str = GATEWAY) -> int:
        """The pid of the smbd that takes connections."""
        return next(pid for pid in children(self.supervisor(gateway)) if name_of(pid) == "smbd")

    @contextlib.contextmanager
    def connection(self, share: str, gateway: str = GATEWAY) -> Iterator[int]:
        """A client that stays connected and has listed the root; the pid of the smbd that serves it."""
        before = set(children(self.smbd(gateway)))
        command = ["stdbuf", "-o0", *self.smbclient(self.port(gateway), f"//127.0.0.1/{share}")]
        with (self.root / "held").open("w+") as output:
            client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, cwd="/")
            assert client.stdin
            client.stdin.write(b"ls\n")
            client.stdin.flush()
            try:
                mounts.until(lambda: "blocks available" in (self.root / "held").read_text(), "the client is connected")
                (pid,) = [pid for pid in set(children(self.smbd(gateway))) - before if serves(pid)]
                yield pid
            finally:
                client.kill()
                client.wait()


def stop_supervisor(own: Path) -> None:
    """End the Samba of an instance, if it runs."""
    try:
        pid = int((own / "run/supervisor.pid").read_text())
        if str(own) in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
            os.kill(pid, signal.SIGTERM)
            mounts.until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not alive(pid), f"{pid} ends", 15)
    except (FileNotFoundError, ProcessLookupError):
        return


def alive(pid: int) -> bool:
    """Whether a process is there and not waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def children(pid: int) -> list[int]:
    """The children of a process."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def name_of(pid: int) -> str:
    """The name of a process; empty where it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def serves(pid: int) -> bool:
    """Whether a child of smbd serves a client (4.17 calls its helpers by other names)."""
    return name_of(pid).startswith("smbd") and not name_of(pid).startswith(("smbd-notify", "smbd-clean"))


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
