"""Take the cluster lock and hold it, for ctdbd: `python -m smbgateway.cluster.mutex OWN HELPER [ARGUMENT ...]`.

A helper asks for the lock once, as those of CTDB do: it writes 0 and has it until it ends, or 1 where another has it.
Here it is asked again for some seconds: a leader that is cut off gives its lock back about when the others ask for it,
and ctdbd would come again only after 2 s. Where the fence sees no quorum nobody is asked, so a minority never has it.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence

from ..host import Node, Process, start
from .ctdbd import Ctdbd

WAIT, PAUSE = 4.0, 0.2  # seconds: how long it is asked for, and between two times
HAVE, CONTENTION, ERROR = "0", "1", "3"  # what ctdbd understands


def main(own: str, helper: Sequence[str]) -> int:
    """Until SIGTERM, or until the helper lost the lock."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    ctdbd, deadline = Ctdbd(own), time.monotonic() + WAIT
    while _quorum(own):
        with asked(helper, f"{own}/log/ctdb.log") as (answer, process):
            if answer == HAVE:
                _answer(answer)
                process.wait()
                return 1
        if answer != CONTENTION or time.monotonic() >= deadline or _led(ctdbd):
            return _answer(answer)
        time.sleep(PAUSE)
    return _answer(CONTENTION)


def _answer(word: str) -> int:
    os.write(1, word.encode())
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return 1


@contextlib.contextmanager
def asked(helper: Sequence[str], log: str) -> Iterator[tuple[str, Process]]:
    """A helper and its answer; it ends with the block, and with us."""
    source, sink = os.pipe()
    words = ["setpriv", "--pdeathsig", "TERM", "sh", "-c", 'exec "$@" 2>>"$0"', log, *helper]
    process = start(words, f"/proc/self/fd/{sink}")
    try:
        os.close(sink)
        yield os.read(source, 1).decode() or ERROR, process
    finally:
        os.close(source)
        process.terminate()
        process.wait()


def _quorum(own: str) -> bool:
    return Node().read(f"{own}/run/quorum") == "yes\n"


def _led(ctdbd: Ctdbd) -> bool:
    """Whether there is a leader, which has the lock rightly."""
    view = ctdbd.view()
    return view is not None and view.leader is not None and view.lost_leader is None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
