"""Gateways in virtual machines: how long one takes, and on what."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from lab import machines
from lab.containers import recipe
from smbgateway.engine import Engine
from smbgateway.guests.image import Images
from smbgateway.guests.machine import Machine
from smbgateway.host import Node
from smbgateway.paths import Paths
from smbgateway.store import FileStore

from .figure import Bench, Promise, Reading, at_most
from .timing import say, wall

MIB = 1 << 20
CREATE = [
    Promise("vm-create.proof", "a gateway in a virtual machine with a share and its user, request to proof", "s",
            at_most(150)),
    Promise("vm-create.start", "of it until the agent answers", "s"),
    Promise("vm-create.cpu", "processor time of the machine until then", "s"),
    Promise("vm-create.memory", "memory in use inside, at rest", "MiB", at_most(160)),
    Promise("vm-create.disk", "what a system disk takes, image and layer", "MiB", at_most(700)),
    Promise("vm-create.image", "the image, built cold", "s", at_most(240)),
]  # fmt: skip


def measure_create(quick: bool) -> Iterator[Reading]:
    """Make one gateway; where time goes is said step by step."""
    with tempfile.TemporaryDirectory(prefix="smbgw-", dir="/var/tmp") as folder:
        paths = Paths(folder)
        os.makedirs(f"{folder}/srv")
        engine = Engine(FileStore(paths), paths, Node(), "one")
        engine.start()
        engine.site.images.bring(str(machines.disk_file()))
        try:
            yield from _made(engine, folder)
        finally:
            machines.end_all(Path(paths.machines))
            Node().run("umount", paths.mounts)
    if not quick:
        with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
            yield Reading("vm-create.image", wall(lambda: Images(Node(), place).build(recipe())))


def _made(engine: Engine, folder: str) -> Iterator[Reading]:
    spent: dict[str, float] = {}

    def tell(name: str, outcome: str, seconds: float) -> None:
        spent[name] = seconds
        if seconds >= 1:
            say(f"{seconds:6.1f} s  {name}")
        if name == "virtual machine box":
            spent["cpu"] = _cpu(engine)

    share = {"kind": "share", "name": "docs", "gateway": "box", "quota": "300M", "access": {"alice": "write"}}
    share["source"] = {"kind": "image", "path": f"{folder}/srv/docs.img"}
    box = {"kind": "gateway", "name": "box", "mode": {"kind": "vm", "listen": "127.0.0.1", "port": 4459}}
    user = {"kind": "user", "name": "alice", "password": "Open-Sesame-1"}
    began = time.monotonic()
    engine.apply([box, user, share], tell=tell)
    yield Reading("vm-create.proof", time.monotonic() - began)
    yield Reading("vm-create.start", spent["virtual machine box"])
    yield Reading("vm-create.cpu", spent["cpu"])
    world = engine.site.world()
    mode = engine.site.blueprint(world).mode(world.gateways["box"])
    lines = (mode.instance.host.read("/proc/meminfo") or "").splitlines()
    found = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    yield Reading("vm-create.memory", (found["MemTotal"] - found["MemAvailable"]) / 1024)
    disks = [Path(engine.site.images.all()[-1].root), Path(f"{engine.site.paths.machines}/box/system")]
    yield Reading("vm-create.disk", sum(disk.stat().st_blocks for disk in disks) * 512 / MIB)


def _cpu(engine: Engine) -> float:
    """Seconds that the process of the machine has computed (proc_pid_stat(5))."""
    pid = Machine(Node(), f"{engine.site.paths.machines}/box", "").pid()
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


BENCHES = [Bench("vm-create", CREATE, measure_create)]
