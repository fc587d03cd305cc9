"""The engine as a service: uvicorn on a unix socket of root's, and the watch beside it."""

import asyncio
import os
import socket
import struct
import threading
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from ..engine import Engine
from ..errors import Conflict, Invalid
from ..host import Node
from ..installation import Installation, this_node
from ..mounting import mount_all
from ..paths import Paths
from ..store import FileStore
from ..watch import Watch
from .app import make
from .relay import relay_ids


class PeerProtocol(H11Protocol):
    """HTTP that knows the uid of its peer (SO_PEERCRED, unix(7))."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Ask the kernel once per connection."""
        super().connection_made(transport)
        credentials = transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.peer_uid = struct.unpack("iii", credentials)[1]
        app = self.app

        async def with_peer(scope: Any, receive: Any, send: Any) -> None:
            await app({**scope, "peer_uid": self.peer_uid}, receive, send)

        self.app = with_peer


class Server(uvicorn.Server):
    """uvicorn that sleeps: its own loop wakes ten times a second, for nothing here."""

    async def main_loop(self) -> None:
        """Wait for the word to end."""
        self._loop, self._ended = asyncio.get_running_loop(), asyncio.Event()
        while not self.should_exit:
            await self._ended.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal; one that comes before the loop runs is found there."""
        super().handle_exit(sig, frame)
        if hasattr(self, "_ended"):
            self._loop.call_soon_threadsafe(self._ended.set)


def serve(root: str = "/", node: str = "", textfile: str = "") -> None:
    """Run the engine until SIGTERM. Raises Invalid for a root that Samba could not use, Conflict where one runs."""
    root = os.path.abspath(root)
    if any(letter in root for letter in ' %"\\\n'):
        raise Invalid(f'the root "{root}" has a blank or % or a quote in it: Samba could not use it')
    if textfile and not os.path.isdir(os.path.dirname(os.path.abspath(textfile))):
        raise Invalid(f"metrics cannot be written to {textfile}", "there is no such directory", hint="make it first")
    paths = Paths(root)
    engine = Engine(FileStore(paths), paths, Node(), node or this_node())
    listener = _listen(paths)
    app = make(engine)
    app.state.status.said = engine.start()
    for line in app.state.status.said:
        print(line, flush=True)
    courier, monitor = app.state.courier, app.state.monitor
    monitor.textfile = textfile
    watch = Watch(engine, changed=monitor.wake)
    for name, run in (("watch", watch.run), ("notify", courier.run), ("monitor", monitor.run)):
        threading.Thread(target=run, name=name, daemon=True).start()
    config = uvicorn.Config(
        app, http=PeerProtocol, lifespan="off", log_level="warning", access_log=False, timeout_graceful_shutdown=3
    )
    print(f"engine of node {engine.site.node} at {paths.socket}", flush=True)
    Server(config).run(sockets=[listener])
    for part in (watch, courier, monitor):
        part.end()


def mounts(root: str = "/", node: str = "") -> list[str]:
    """Mount the data of all shares of this node, without an engine; says what could not be."""
    paths = Paths(os.path.abspath(root))
    return mount_all(Installation(FileStore(paths), paths, Node(), node or this_node()))


def _listen(paths: Paths) -> socket.socket:
    os.makedirs(os.path.dirname(paths.socket), mode=0o755, exist_ok=True)
    if os.path.exists(paths.socket):
        _refuse_second(paths.socket)
        os.unlink(paths.socket)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    former = os.umask(0o177)
    try:
        listener.bind(paths.socket)
    finally:
        os.umask(former)
    if relay := relay_ids():  # it may connect; what it may do is for the guard to say
        os.chown(paths.socket, 0, relay[1])
        os.chmod(paths.socket, 0o660)
    listener.listen(64)
    return listener


def _refuse_second(path: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return
    raise Conflict(f"an engine answers at {path} already", hint="stop it first, or use another --root")
