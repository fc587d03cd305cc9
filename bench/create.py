"""How long a share takes, from the request to its proof."""

import itertools
from collections.abc import Iterator

from .figure import Bench, Promise, Reading, at_most
from .installation import USER, Installation
from .timing import alternated, checked, wall

BY_HAND = "install -d, net conf import, smbclient put/get/del of 1 MiB by hand on the same smbd"
PROMISES = [
    Promise("create.proof", "create of a share (new directory, one user) on a running gateway, to proof", "s",
            at_most(0.5), BY_HAND),
    Promise("create.cli", "the same by the command line, with its own start", "s", None, BY_HAND),
    Promise("create.first", "the first share of a new gateway: Samba is set up and started as well", "s"),
    Promise("create.delete", "delete of a share; the data stays", "s"),
]  # fmt: skip


def measure(quick: bool) -> Iterator[Reading]:
    """Create by API, by command line and by hand in turn, then delete."""
    with Installation() as made:
        first = wall(lambda: made.apply(made.gateway(), made.share("first")))
        (made.root / "mib").write_bytes(b"\0" * 2**20)
        port, numbers = made.port(), itertools.count()
        rounds = 7 if quick else 21
        api, line, hand = alternated(
            rounds,
            lambda: wall(lambda: made.apply(made.share(f"api{next(numbers)}"))),
            lambda: by_command(made, f"line{next(numbers)}"),
            lambda: by_hand(made, port, f"hand{next(numbers)}"),
        )
        yield Reading("create.proof", api, hand, f"median of {rounds}")
        yield Reading("create.cli", line, hand, f"median of {rounds}")
        yield Reading("create.first", first)
        names = [share["name"] for share in made.client.get("/v1/shares")["shares"] if share["name"] != "first"]
        (delete,) = alternated(rounds, lambda: wall(lambda: removed(made, names.pop())))
        yield Reading("create.delete", delete, note=f"median of {rounds}")


def removed(made: Installation, name: str) -> None:
    """Delete one share."""
    made.run("/v1/remove", {"targets": [{"kind": "share", "name": name}]})


def by_command(made: Installation, name: str) -> float:
    """The command that an administrator gives."""
    words = ["create", name, "--gateway", "files", "--path", str(made.srv / name), "--user", USER]
    return wall(lambda: checked(made.cli(*words)))


def by_hand(made: Installation, port: int, name: str) -> float:
    """The bare tools, as few as will do."""
    path = made.srv / name
    text = f"[{name}]\npath = {path}\nread only = no\nvalid users = {USER}\n"

    def work() -> None:
        checked(["install", "-d", "-m", "2770", "-g", "20000", path])
        made.tool("net", "conf", "import", "/dev/stdin", name, stdin=text)
        made.smb(port, name, f"put {made.root}/mib mib; get mib {made.root}/back; del mib")

    took = wall(work)
    made.tool("net", "conf", "delshare", name)
    return took


BENCH = Bench("create", PROMISES, measure)
