"""A Ceph cluster: what it is asked, and what it means when it does not answer."""

import errno
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from ..errors import CommandFailed, Unavailable
from ..host import Host
from .ceph_call import AWAY

PROGRAM = str(Path(__file__).with_name("ceph_call.py"))
PYTHON = "/usr/bin/python3"  # Debian's own: the one that has Ceph's libraries
SECONDS = 20.0  # of waiting: for a manager that is away the library itself waits for ever
PAUSE = 10.0  # seconds in which a cluster that gave no answer is not asked again: each question would wait as long
ABSENT, NOT_EMPTY, BUSY = errno.ENOENT, errno.ENOTEMPTY, errno.EBUSY
RBD_PATIENCE = ("--client-mount-timeout", "5", "--rados-mon-op-timeout", "10", "--rados-osd-op-timeout", "10")
LOGGED = re.compile(r"\d{4}-\d\d-\d\dT")  # how a line of the library's log begins, which may come in between
NO_CLUSTER = re.compile("couldn't connect to the cluster|unable to open config file")  # as rbd(8) says it


class Ceph:
    """A cluster as one of its users may use it. Every question is a process of its own, so none can hang the engine."""

    away: ClassVar[dict[tuple[str, str], tuple[float, Unavailable]]] = {}

    def __init__(self, host: Host, conf: str, user: str) -> None:
        self.host, self.conf, self.name = host, conf, f"client.{user}"

    def ask(self, prefix: str, **arguments: object) -> str:
        """A command of `ceph`. Raises CommandFailed with the cluster's error number, Unavailable where none answers."""
        command = {"prefix": prefix} | {name: value for name, value in arguments.items() if value is not None}
        said = ["ceph", *(str(value) for name, value in command.items() if name != "format")]
        return self._call("command", json.dumps(command), said=said)

    def look(self, prefix: str, **arguments: object) -> Any:
        """The same, its answer read as JSON; None where what it asks for is absent."""
        try:
            return json.loads(self.ask(prefix, **arguments, format="json"))
        except CommandFailed as error:
            if error.code == ABSENT:
                return None
            raise

    def names(self, volume: str, path: str) -> list[str]:
        """Names of what lies in a directory of a CephFS."""
        return self._call("list", volume, path, said=["ls", f"{volume}:{path}"]).splitlines()

    def forget(self, volume: str, entity: str, where: str) -> None:
        """End what metadata servers still hold of mounts of a CephFS that this node had at a place, and has no more."""
        self._call("forget", volume, entity, where, said=["tell", f"mds.{volume}", "session", "evict"])

    def usages(self, volume: str, names: list[str]) -> list[dict[str, Any]]:
        """What subvolumes, as GROUP/NAME, have `used`, `limit` (0: none), `free` in the pool; or an `error` number.

        The next time the `folder` that is told may be said too, as GROUP/NAME/FOLDER: then it is quicker.
        """
        text = self._call("usages", volume, said=["getfattr", f"{volume}:/volumes"], stdin=json.dumps(names))
        return list(json.loads(text))

    def magic(self, pool: str, space: str, image: str) -> str:
        """The first bytes of an RBD image, as Python writes them."""
        return self._call("magic", pool, space, image, said=["read", f"{pool}/{image}"])

    def rbd(self, *words: str, timeout: float = SECONDS) -> str:
        """A command of `rbd`. Raises CommandFailed with its error number, Unavailable where no cluster answers."""
        user = self.name.removeprefix("client.")
        command = ["rbd", "--conf", self.conf, "--id", user, *RBD_PATIENCE, *words]
        return self._asked(lambda: self.host.run(*command, timeout=timeout), ["rbd", *words])

    def _call(self, verb: str, *words: str, said: list[str], stdin: str = "") -> str:
        command = (PYTHON, "-I", PROGRAM, verb, self.conf, self.name, *words)
        return self._asked(lambda: self.host.run(*command, stdin=stdin, timeout=SECONDS), said)

    def _asked(self, ask: Callable[[], str], said: list[str]) -> str:
        since, told = self.away.get((self.conf, self.name), (0.0, None))
        if told and time.monotonic() - since < PAUSE:
            raise told
        try:
            return ask()
        except CommandFailed as error:
            if error.code in (-1, AWAY) or NO_CLUSTER.search(error.output):
                told = self._unavailable(error.output)
                self.away[self.conf, self.name] = time.monotonic(), told
                raise told from error
            raise CommandFailed(said, error.code, error.output) from error

    def _unavailable(self, cause: str) -> Unavailable:
        lines = cause.splitlines()
        told = ([line for line in lines if not LOGGED.match(line)] or lines or [""])[-1]
        if "not installed" in told:
            return Unavailable(told, hint="apt install ceph-common")
        if "conf_read_file" in told or "config file" in told:
            return Unavailable(f"Ceph cannot be asked: {self.conf} cannot be read", hint="name its conf in the source")
        if "timed out" in cause or "no answer" in told:
            hint = f"`ceph --conf {self.conf} -s` tells; shares elsewhere go on"
            return Unavailable("Ceph does not answer", told, hint=hint)
        hint = f"it needs the keyring of {self.name}, where {self.conf} says it is"
        return Unavailable(f"Ceph does not let {self.name} in", told, hint=hint)


def entity(*names: str) -> str:
    """The name of the key that a source gets of its own: no part has a colon, so it is nobody else's."""
    return ":".join(["client.smbgateway", *names])
