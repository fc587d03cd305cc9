"""Clocks and medians."""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def wall(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def alternated(rounds: int, *actions: Callable[[], float]) -> list[float]:
    """The medians of measurements taken in turn, so that what else the machine does meets all alike."""
    taken: list[list[float]] = [[] for _ in actions]
    for number in range(rounds):
        turn = list(zip(actions, taken, strict=True))
        for action, kept in turn if number % 2 == 0 else reversed(turn):
            kept.append(action())
    return [statistics.median(each) for each in taken]


def pair(rounds: int, ours: Callable[[], float], theirs: Callable[[], float]) -> tuple[float, float]:
    """The medians of two measurements taken in turn: a value and its baseline."""
    value, baseline = alternated(rounds, ours, theirs)
    return value, baseline


def checked(argv: Sequence[str | Path]) -> None:
    """Run a command that must succeed. Raises RuntimeError with what it said."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {done.stderr or done.stdout}")


def child_cpu(argv: Sequence[str | Path]) -> float:
    """CPU seconds, of user and system, that a command takes with all its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cpu_of(pids: Iterable[int]) -> float:
    """CPU seconds so far of processes, with those of their children that ended (proc(5), stat)."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(sum(map(int, each[11:15])) for each in fields) / TICK


def resident(pid: int) -> float:
    """MiB of memory that are resident."""
    return _kilobytes(f"/proc/{pid}/status", "VmRSS:") / 1024


def private(pid: int) -> float:
    """MB of memory that are a process's alone: changed pages of private mappings (proc(5), smaps).

    Not pages of files that it maps as others do, such as Samba's databases: those are the page cache's, also where it
    is the only one that reads them just now.
    """
    kilobytes, mapped_alone = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, *words = line.split()
        if not name.endswith(":"):
            mapped_alone = words[0].endswith("p")
        elif name == "Private_Dirty:" and mapped_alone:
            kilobytes += int(words[0])
    return kilobytes * 1024 / 1e6


def _kilobytes(path: str, *names: str) -> int:
    lines = (line.split() for line in Path(path).read_text().splitlines())
    return sum(int(words[1]) for words in lines if words[0] in names)


def say(text: str) -> None:
    """Progress, for who waits."""
    print(text, file=sys.stderr, flush=True)
