"""The fence of one member: `python -m smbgateway.cluster.fence OWN`, below the supervisor, beside ctdbd.

The cluster lock decides which half may recover; it does not stop the other. Here smbd runs only below the fence, and
only while the rule (quorum.py) says so: who is cut off loses smbd, its addresses and the lock within seconds, and comes
back by itself. Without a fence nothing serves: smbd ends with it.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import threading
import time
from typing import Any

from ..errors import CommandFailed
from ..host import Node
from ..samba.supervise import samba
from .ctdbd import Ctdbd
from .negotiate import answers
from .patience import shorten
from .quorum import Verdict, View, judge

PUBLIC = "etc/public_addresses"
TICK, HEALTH = 0.25, 0.5  # seconds between looks at ctdbd, and between questions to smbd
FREEZE = 2.0  # seconds by which a sleep that is longer than it should be means that we stood still

DEVICES = "/run/smbgateway/devices"  # in a container: those of the node
FORWARDING = "3"  # linux/if_bridge.h
OF_GUESTS = ("veth", "tap", "fwpr", "vnet")  # how links of guests are called: LXC, Proxmox VE, libvirt
SIOCGIFFLAGS, IFF_RUNNING = 0x8913, 0x40


class Fence:
    """Runs smbd while this member may serve."""

    def __init__(self, own: str) -> None:
        self.own, self.node = own, Node()
        self.children, self.ctdbd = samba(own), Ctdbd(own)
        self.serving, self.ended = False, False
        self.may_since = boot_time()  # when this member was last allowed to serve
        self.had_quorum: bool | None = None
        self.pid: int | None = None  # of ctdbd
        self.mourned: int | None = None  # the leader that is gone, for which an election was called
        self.known: frozenset[int] | None = None  # members whose connections wait no longer than they should
        self.links: dict[str, bool] = {}  # what ctdbd was told of interfaces
        self.why = "starts"
        self.stood_still = 0.0  # seconds

    def run(self) -> None:
        """Look four times a second until SIGTERM."""
        signal.signal(signal.SIGTERM, self._end)
        self._note_quorum(False)
        self.stop("starts")
        for watch in (self._watch_health, self._watch_clock):
            threading.Thread(target=watch, daemon=True).start()
        while not self.ended:
            if self.stood_still:
                self.cut(f"stood still for {self.stood_still:.0f} s")
                self.stood_still = 0.0
            self.look()
            time.sleep(TICK)
        self.stop("ends")

    def _end(self, number: int, frame: object) -> None:
        self.ended = True

    def look(self) -> None:
        """One round."""
        former, self.pid = self.pid, self._pid("/run/ctdb/ctdbd.pid")
        if former != self.pid:
            self.links, self.known = {}, None
        if self.pid is None or (former is not None and former != self.pid):
            self.stop("ctdbd is gone")
            self._note_quorum(False)
            return
        before, view = boot_time(), self.ctdbd.view()
        if view:
            self._shorten_patience(self.pid, view)
        verdict = self._judge(view)
        if verdict.quorum is False and self.had_quorum and verdict.patience <= before - self.may_since:
            self.cut(verdict.why)
        elif verdict.quorum:
            self._note_quorum(True)
        if verdict.serve:
            self.may_since, self.why = boot_time(), ""
            self.serve()
        elif boot_time() - self.may_since >= verdict.patience:
            self.stop(verdict.why)
        if verdict.quorum and view:
            self._call_election(view)
            self._tell_links(view)

    def _shorten_patience(self, pid: int, view: View) -> None:
        """Of ctdbd with its peers, where there are others than before; without it a silent death is seen later."""
        if self.known != view.peers:
            with contextlib.suppress(OSError):
                shorten(pid)
            self.known = view.peers

    def _judge(self, view: View | None) -> Verdict:
        order = self._order()
        return judge(view, int(order["members"]), self._linked(), str(order["quorum"]))

    def _call_election(self, view: View) -> None:
        """Once for each leader that is gone."""
        if view.lost_leader is not None and view.lost_leader != self.mourned:
            with contextlib.suppress(OSError):
                self.ctdbd.call_election()
        self.mourned = view.lost_leader

    def _tell_links(self, view: View) -> None:
        """Whose cable was pulled, or is back; ctdbd begins with all in."""
        for interface in {interface for _, interface in self._public()}:
            if (up := self._leads_out(interface)) != self.links.get(interface, True):
                with contextlib.suppress(OSError):
                    self.ctdbd.set_link(view.pnn, interface, up)
                    self.links[interface] = up

    def _order(self) -> dict[str, Any]:
        """What the record says, which may change at any time."""
        return dict(json.loads(self.node.read(f"{self.own}/ctdb/fence.json") or "{}"))

    def _pid(self, path: str) -> int | None:
        pid = (self.node.read(path) or "").strip()
        return int(pid) if pid.isdigit() and os.path.exists(f"/proc/{pid}") else None

    def _linked(self) -> bool:
        return any(self._leads_out(interface) for interface in {interface for _, interface in self._public()})

    def _leads_out(self, interface: str) -> bool:
        return has_carrier(interface) and has_uplink(str(self._order().get("bridge", "")))

    def _public(self) -> list[tuple[str, str]]:
        lines = (self.node.read(f"{self.own}/ctdb/{PUBLIC}") or "").splitlines()
        return [(words[0], words[1]) for words in map(str.split, lines)]

    def serve(self) -> None:
        """Keep smbd running, once the engine has said that its databases are prepared."""
        if os.path.exists(f"{self.own}/run/prepared"):
            self.serving = True
            for child in self.children:
                child.tend()

    def cut(self, why: str) -> None:
        """Serve no more, and give up the cluster lock by ending ctdbd, which comes back to ask for it."""
        self._note_quorum(False)
        self.stop(why)
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(os.getpgid(self.pid), signal.SIGKILL)

    def stop(self, why: str) -> None:
        """End smbd at once, with every connection, and drop the addresses."""
        if why != self.why:
            print(f"fence: does not serve: {why}", flush=True)
        self.serving, self.why = False, why
        for child in self.children:
            child.kill()
        if self.ended or why != "starts" or self.pid is None:
            self._drop_addresses()
        self._note_health(why)

    def _drop_addresses(self) -> None:
        for address, interface in self._public():
            with contextlib.suppress(CommandFailed):  # not ours at the moment
                self.node.run("ip", "address", "delete", address, "dev", interface)

    def _note_quorum(self, quorum: bool) -> None:
        if quorum != self.had_quorum:
            self.node.write(f"{self.own}/run/quorum", "yes\n" if quorum else "no\n")
        self.had_quorum = quorum

    def _watch_clock(self) -> None:
        """A thread: after a freeze others may have taken over, so nothing may be acknowledged any more."""
        last = boot_time()
        while not self.ended:
            time.sleep(TICK)
            if (passed := boot_time() - last) > FREEZE + TICK:
                for child in self.children:
                    child.kill()
                self.stood_still = passed
            last = boot_time()

    def _watch_health(self) -> None:
        """A thread: smbd may take long to answer, and the fence never waits for it."""
        while not self.ended:
            if not self._linked():
                self._note_health("no public interface has a carrier")
            elif self.serving:
                said = answers(int(self._order()["port"]))
                self._note_health(said if self.serving else self.why)
            else:
                self._note_health(self.why)
            time.sleep(HEALTH)

    def _note_health(self, why: str) -> None:
        # The time that the event script reads too: in a container it may be that of the container.
        uptime = (self.node.read("/proc/uptime") or "0").partition(".")[0]
        self.node.write(f"{self.own}/run/health", f"{uptime} {why}\n")


def has_carrier(interface: str) -> bool:
    """Whether an interface is up and its cable leads somewhere (IFF_RUNNING, netdevice(7))."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket, contextlib.suppress(OSError):
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, struct.pack("16sH14x", interface.encode(), 0))
        return bool(struct.unpack_from("16sH", answer)[1] & IFF_RUNNING)
    return False


def has_uplink(bridge: str) -> bool:
    """Whether a bridge of the node leads somewhere else than to guests, or never did; for who is in a container."""
    folder = f"{DEVICES}/virtual/net/{bridge}/brif"
    try:
        uplinks = [port for port in os.listdir(folder) if not port.startswith(OF_GUESTS)]
    except FileNotFoundError:
        return True
    states = [(Node().read(f"{folder}/{port}/state") or "").strip() for port in uplinks]
    return not states or FORWARDING in states


def boot_time() -> float:
    """Seconds since the boot, those of a suspension too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


if __name__ == "__main__":
    Fence(sys.argv[1]).run()
