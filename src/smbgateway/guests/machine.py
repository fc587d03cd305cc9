"""A virtual machine of QEMU's on this node: its process, and its monitor (QEMU Machine Protocol)."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import CommandFailed, Failed, GatewayError, Unavailable
from ..host import Host, spawn

PROGRAM = "qemu-system-x86_64"
PROBE = ("-cpu", "max", "-m", "64", "-nodefaults", "-display", "none", "-S", "-monitor", "stdio")
START_WAIT, OFF_WAIT, ANSWER_WAIT = 20.0, 60.0, 20.0  # seconds
LAST = 5  # lines of its console that an error has


class Machine:
    """One; its files are in `folder`. `outlast` goes before a program that shall outlive the engine."""

    def __init__(self, host: Host, folder: str, title: str, outlast: Sequence[str] = ()) -> None:
        self.host, self.folder, self.title, self.outlast = host, folder, title, outlast
        self.agent, self.monitor, self.console = f"{folder}/agent", f"{folder}/monitor", f"{folder}/console"

    def pid(self) -> int | None:
        """Of its process, None where it is off (a stale pid file counts as none)."""
        pid = (self.host.read(f"{self.folder}/pid") or "").strip()
        words = (self.host.read(f"/proc/{pid}/cmdline") or "").split("\0") if pid.isdigit() else []
        return int(pid) if f"{self.folder}/pid" in words else None

    def accelerator(self) -> str:
        """KVM where it really works (a device that is there may yet fail), else QEMU's own translation."""
        if os.path.exists("/dev/kvm"):
            try:
                self.host.run(PROGRAM, "-accel", "kvm", *PROBE, stdin="quit\n", timeout=20)
            except CommandFailed:
                pass
            else:
                return "kvm"
        return "tcg,thread=multi,tb-size=256"

    def start(self, words: Sequence[str]) -> None:
        """Start it with these arguments. Raises Failed with what QEMU says."""
        log = f"{self.folder}/log"
        stale = [self.agent, self.monitor, self.console, log, f"{self.folder}/pid"]
        self.host.run("rm", "-f", "--", *stale)
        accelerator = self.accelerator()  # first, as a program that is not installed is told here
        spawn([*self.outlast, PROGRAM, "-accel", accelerator, *words, *self._doors()], log)
        deadline = time.monotonic() + START_WAIT
        while self.pid() is None or not os.path.exists(self.monitor):
            said = (self.host.read(log) or "").strip().splitlines()
            if said or time.monotonic() > deadline:
                self.kill()
                raise Failed(f"{self.title} does not start", " | ".join(said[:3]) or "QEMU says nothing")
            time.sleep(0.05)

    def _doors(self) -> list[str]:
        """What it is spoken to by, and where it speaks."""
        return [
            *("-pidfile", f"{self.folder}/pid", "-serial", f"file:{self.console}"),
            *("-qmp", f"unix:{self.monitor},server=on,wait=off"),
            *("-chardev", f"socket,id=agent,path={self.agent},server=on,wait=off", "-device", "virtio-serial-pci"),
            *("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"),
        ]

    def stop(self, down: Callable[[], object]) -> None:
        """Let it end in order, which `down` asks of it, and end it where it does not. Off is fine."""
        if self.pid() is None:
            return
        with contextlib.suppress(GatewayError):  # it may go down before it has said that it does
            down()
        try:
            self._await_end(OFF_WAIT)
        except Failed:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        pid = self.pid()
        if pid is not None:
            self.host.run("kill", "-KILL", str(pid))
            self._await_end(ANSWER_WAIT)

    def _await_end(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.pid() is not None:
            if time.monotonic() > deadline:
                raise Failed(f"{self.title} does not end within {seconds:g} s")
            time.sleep(0.05)

    def last_words(self) -> str:
        """The end of what it has written to its console."""
        lines = [line.strip() for line in (self.host.read(self.console) or "").splitlines()]
        return " | ".join([line for line in lines if line][-LAST:]) or "its console is empty"

    def ask(self, command: str, **arguments: object) -> Any:
        """One command of its monitor; a `_` in a name stands for `-`. Raises Unavailable, Failed."""
        order: dict[str, object] = {
            "execute": command,
            "arguments": {name.replace("_", "-"): value for name, value in arguments.items()},
        }
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(ANSWER_WAIT)
                connection.connect(self.monitor)
                return self._answer(connection, [{"execute": "qmp_capabilities"}, order])
        except OSError as error:
            raise Unavailable(f"the monitor of {self.title} does not answer", str(error)) from error

    def _answer(self, connection: socket.socket, orders: list[dict[str, object]]) -> Any:
        lines = connection.makefile("rb")
        lines.readline()  # its greeting
        answer: dict[str, Any] = {}
        for order in orders:
            connection.sendall(json.dumps(order).encode() + b"\n")
            answer = {"event": ""}
            while "event" in answer:
                answer = json.loads(lines.readline() or b'{"error": {"desc": "it has hung up"}}')
            if "error" in answer:
                raise Failed(f"{self.title}: QEMU refuses {order['execute']}", str(answer["error"].get("desc", "")))
        return answer["return"]
