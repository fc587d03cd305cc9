"""The cluster lock on pmxcfs: real holders on a directory, whose nodes are as a file of ours says.

pmxcfs itself is not at hand. What it promises, and is used here, a directory of one machine keeps as well: that one of
all nodes makes a directory. That nobody does without a quorum is not asked of it: who asks for the lock looks first.
"""

import itertools
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.mounts import until

NODES = ("n1", "n2", "n3")
PORT = 4379


class Site:
    """Three nodes; each has an address of its own on the loopback, at which its ctdbd listens or not."""

    net = itertools.count(int(time.time()) % 200)

    def __init__(self, area: Path) -> None:
        self.area, self.prefix = area, f"127.77.{next(self.net)}"
        self.listeners = {node: self.listen(node) for node in NODES}
        self.running: list[subprocess.Popen[bytes]] = []
        self.online = dict.fromkeys(NODES, True)
        for node in NODES:
            self.tell(node, quorate=True)

    def address(self, node: str) -> str:
        return f"{self.prefix}.{node[1:]}"

    def listen(self, node: str) -> socket.socket:
        return socket.create_server((self.address(node), PORT))

    def tell(self, node: str, quorate: bool, offline: str = "") -> None:
        """What pmxcfs of a node says of all."""
        nodes = {name: {"online": int(name != offline)} for name in NODES}
        text = json.dumps({"cluster": {"quorate": int(quorate)}, "nodelist": nodes})
        new = self.area / f"{node}.new"
        new.write_text(text)
        new.rename(self.area / f"{node}.members")

    def ask(self, node: str) -> "subprocess.Popen[bytes]":
        words = [
            self.area / "lock",
            node,
            self.address(node),
            self.area / f"{node}.local",
            self.area / f"{node}.members",
        ]
        program = [sys.executable, "-I", "-m", "smbgateway.cluster.pmxcfs", *map(str, words)]
        self.running.append(subprocess.Popen(program, stdout=subprocess.PIPE))
        return self.running[-1]

    def answer(self, node: str) -> tuple[str, "subprocess.Popen[bytes]"]:
        process = self.ask(node)
        assert process.stdout
        return process.stdout.read(1).decode(), process

    def end(self) -> None:
        for process in self.running:
            process.kill()
            process.communicate()
        for listener in self.listeners.values():
            listener.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.end()


def test_one_has_it_and_gives_it_back(site: Site) -> None:
    said, holder = site.answer("n1")
    assert said == "0"
    assert [site.answer(node)[0] for node in NODES] == ["1", "1", "1"]
    holder.send_signal(signal.SIGTERM)
    assert holder.wait(10) == 0
    assert site.answer("n2")[0] == "0"


def test_of_many_that_ask_at_once_one_has_it(site: Site) -> None:
    for _ in range(3):
        asked = [site.ask(node) for node in NODES * 2]
        said = sorted(process.stdout.read(1) for process in asked if process.stdout)
        assert said == [b"0"] + [b"1"] * 5
        for process in asked:
            process.terminate()
            process.wait(10)


def test_one_that_was_killed_has_it_until_its_ctdbd_is_seen_to_be_gone(site: Site) -> None:
    _, holder = site.answer("n1")
    holder.kill()
    assert site.answer("n2")[0] == "1", "ctdbd of n1 lives, and may have it again"
    site.listeners["n1"].close()
    started = time.monotonic()
    assert site.answer("n2")[0] == "0"
    assert time.monotonic() - started > 3


def test_one_that_was_killed_is_taken_over_by_its_own_node_at_once(site: Site) -> None:
    _, holder = site.answer("n1")
    holder.kill()
    holder.wait()
    assert site.answer("n1")[0] == "0"


def test_a_node_that_is_cut_off_loses_it(site: Site) -> None:
    """Its own side ends it without a quorum; the other waits until that is sure."""
    _, holder = site.answer("n1")
    site.tell("n1", quorate=False)
    started = time.monotonic()
    assert holder.wait(10) == 1
    assert time.monotonic() - started < 2
    assert site.answer("n1")[0] == "1", "nobody has it without a quorum"
    site.tell("n2", quorate=True, offline="n1")
    assert site.answer("n2")[0] == "0"


def test_a_frozen_holder_that_comes_back_sees_that_it_lost(site: Site) -> None:
    _, holder = site.answer("n1")
    holder.send_signal(signal.SIGSTOP)
    site.tell("n2", quorate=True, offline="n1")
    said, _ = site.answer("n2")
    assert said == "0"
    holder.send_signal(signal.SIGCONT)
    assert holder.wait(10) == 1
    until(lambda: [each.name for each in (site.area / "lock").iterdir()] == ["2"], "only the new one is there")
    assert site.answer("n3")[0] == "1"
