"""An engine that dies, or whose commands fail, at the n-th event of an operation."""

import os
import re
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

from smbgateway import journal
from smbgateway.engine import Engine
from smbgateway.errors import CommandFailed
from smbgateway.host import Node
from smbgateway.samba import launch
from smbgateway.samba.instance import PRELOAD
from smbgateway.store import FileStore

from .world import Site, leftovers

JOURNAL = "after the journal has"  # how events between any two steps begin, and those beside them; patterns
STEPS = rf"{JOURNAL} \{{'step': "  # those of steps alone, their names follow
READS = ("stat", "realpath", "getfattr", "getfacl", "findmnt", "getent", "ss", "ip", "test", "xfs_info", "blkid", "cmp")
READING = ("--version", "-b", "-h", "getlocalsid", "showshare", "list", "-L", "show", "-n", "-N")


def only_reads(argv: tuple[str, ...]) -> bool:
    searches = argv[0] == "find" and "-printf" in argv
    hurries = argv[0] == "sh" and argv[2] == PRELOAD  # and changes nothing
    if searches or hurries or argv[0] in READS:
        return True
    return any(word in READING for word in argv[1:6]) or "smbstatus" in argv


class Counted(Node):
    """A node that calls `event` before and after each command and file that writes."""

    def __init__(self, event: Callable[[str], None]) -> None:
        self.event = event

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if only_reads(argv):
            return super().run(*argv, stdin=stdin, timeout=timeout)
        output = super().run(*argv, stdin=stdin, timeout=timeout)
        self.event(f"after {' '.join(argv)}")
        return output

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        super().write(path, text, mode)
        self.event(f"after the write of {path}")


class CountedStore(FileStore):
    """A store that calls `event` after each write, and each secret."""

    def __init__(self, paths: Any, event: Callable[[str], None]) -> None:
        super().__init__(paths)
        self.event = event

    def save(self, record: Any) -> None:
        super().save(record)
        self.event(f"after saving {record.title}")

    def delete(self, record: Any) -> None:
        super().delete(record)
        self.event(f"after deleting the record of {record.title}")

    def keep_secret(self, name: str, value: str | None) -> None:
        super().keep_secret(name, value)
        self.event(f"after keeping secret {name}")


class Death:
    """Kills this process, as kill -9 does, at the n-th event that a pattern matches."""

    def __init__(self, nth: int, tell: int, at: str) -> None:
        self.left, self.tell, self.at = nth, tell, at

    def __call__(self, event: str) -> None:
        self.left -= bool(re.match(self.at, event))
        if self.left == 0:
            os.write(self.tell, event.encode())
            os.kill(os.getpid(), signal.SIGKILL)


def after(function: Callable[..., Any], event: Callable[[str], None], what: str) -> Callable[..., Any]:
    def counted(*arguments: Any, **options: Any) -> Any:
        result = function(*arguments, **options)
        event(f"after {what} {arguments[-1] if arguments else ''}")
        return result

    return counted


def killed(site: Site, nth: int, operation: Callable[[Engine], object], at: str = "") -> str:
    """Run an operation in an engine of its own that is killed at its n-th event of those: which; empty if it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _die(site, Death(nth, writing, at), operation)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        event = pipe.read()
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, event
    return event


def _die(site: Site, death: Death, operation: Callable[[Engine], object]) -> None:
    try:
        journal.Journal._append = after(journal.Journal._append, death, "the journal has")  # type: ignore[method-assign]
        launch.spawn = after(launch.spawn, death, "the start of")
        operation(Engine(CountedStore(site.paths, death), site.paths, Counted(death), site.node))
        os._exit(0)
    except BaseException:
        os.write(death.tell, traceback.format_exc().encode())
        sys.stderr.flush()
    finally:
        os._exit(7)


def come_up(site: Site) -> list[str]:
    """The engine's next start; nothing of the crash is left."""
    said = site.restart()
    left = leftovers(site)
    assert not left, f"{said}, and left: {left}"
    return said


def whole(site: Site, share: str = "docs", **login: str) -> list[str]:
    """What is not as it should be of a share that is there."""
    faults = [f"drift: {line}" for line in site.drift()]
    if not site.works(share, **login):
        faults.append(site.smb(share, "ls", **login))
    record = site.engine.site.world().shares[f"files/{share}"]
    return faults + ([f"state {record.state}"] if record.state != "ready" else [])


def every_point(
    site: Site, operation: Callable[[Engine], object], check: Callable[[str], list[str]], at: str = JOURNAL,
    part: tuple[int, int] = (0, 1),
) -> int:  # fmt: skip
    """Kill the operation at its first, second, ... of those events (or each of a part), come up, check; how many."""
    faults, nth = [], part[0] + 1
    while event := killed(site, nth, operation, at):
        nth += part[1]
        said = come_up(site)
        faults += [f"killed {event[:200]}; {said}: {fault}" for fault in check(event)]
        assert len(faults) < 3, "\n".join(faults)
    faults += [f"not killed: {fault}" for fault in check("")]
    assert faults == [], "\n".join(faults)
    return nth


def in_parallel(work: Callable[[int], str], count: int = 2) -> list[str]:
    """What `work` says for 0, 1, ...: each in a process of its own."""
    pipes = []
    for number in range(count):
        reading, writing = os.pipe()
        if os.fork() == 0:
            try:
                said = work(number)
            except BaseException:
                said = traceback.format_exc()
            os.write(writing, said.encode()[-60000:])
            os._exit(0)
        os.close(writing)
        pipes.append(os.fdopen(reading))
    answers = []
    for pipe in pipes:
        with pipe:
            answers.append(pipe.read())
        os.wait()
    return [answer for answer in answers if answer]


class Failing(Counted):
    """A node on which the n-th command that writes fails, before it did anything."""

    def __init__(self, nth: int) -> None:
        self.left, self.failed = nth, ""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        if not only_reads(argv) and self._fails(" ".join(argv)):
            raise CommandFailed(argv, 1, "failed by the test")
        return Node.run(self, *argv, stdin=stdin, timeout=timeout)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        if self._fails(path):
            raise OSError(28, "No space left on device", path)
        Node.write(self, path, text, mode)

    def _fails(self, what: str) -> bool:
        self.left -= 1
        if self.left == 0:
            self.failed = what
        return self.left == 0
