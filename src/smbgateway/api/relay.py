"""The relay: TLS for the engine's socket. It passes bytes and knows nothing; the engine finds out who asks.

It binds its port and reads its key as root, and is a user of its own from then on.
"""

import asyncio
import contextlib
import functools
import os
import pwd
import socket
import ssl

from ..errors import GatewayError, Unavailable
from ..host import Node
from ..paths import Paths

USER = "smbgw-web"
MOST = 200  # connections at a time
SILENCE = 900.0  # seconds after which a connection is ended
HANDSHAKE = 10.0  # seconds
PIECE = 65536
AWAY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 2\r\n"
    b"Connection: close\r\n\r\nthe engine does not answer\n"
)


def relay_ids() -> tuple[int, int] | None:
    """Uid and gid of the relay; None where the system has no such user."""
    try:
        found = pwd.getpwnam(USER)
    except KeyError:
        return None
    return found.pw_uid, found.pw_gid


def relay(root: str, address: str, port: int) -> None:
    """Run until SIGTERM. Raises GatewayError where it cannot begin."""
    paths, ids = Paths(os.path.abspath(root)), relay_ids()
    if ids is None:
        raise Unavailable(f"there is no user {USER}", hint=f"useradd --system --home-dir /nonexistent {USER}")
    context, listener = _context(paths, address), _bound(address, port)
    _become(*ids)
    print(f"relay at {url(listener)}", flush=True)
    asyncio.run(_run(listener, context, paths.socket))


def url(listener: socket.socket) -> str:
    """Where a browser finds it."""
    host, port = listener.getsockname()[:2]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def _bound(address: str, port: int) -> socket.socket:
    try:
        return socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
    except OSError as error:
        raise Unavailable(f"cannot listen at {address}:{port}", os.strerror(error.errno or 0)) from error


def _context(paths: Paths, address: str) -> ssl.SSLContext:
    """TLS with the certificate of this installation, made here unless the administrator has put one there."""
    folder = f"{paths.state}/web"
    key, certificate = f"{folder}/key.pem", f"{folder}/certificate.pem"
    if not (os.path.exists(key) and os.path.exists(certificate)):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        _make_certificate(key, certificate, address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise GatewayError(
            f"cannot use {certificate} with {key}", str(error), hint="delete both: new ones are made"
        ) from error
    return context


def _make_certificate(key: str, certificate: str, address: str) -> None:
    """For all names and addresses that the machine has now."""
    from ..modes.native import own_addresses  # with all that it imports: only the first start needs it

    node, name = Node(), socket.gethostname()
    addresses = own_addresses(node.run("ip", "-json", "address")) | {"127.0.0.1", address}
    names = ",".join([f"DNS:{name}", "DNS:localhost", *(f"IP:{each}" for each in sorted(addresses))])
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")  # openssl makes the key with mode 0600
    subject = ("-subj", f"/CN={name[:64]}", "-addext", f"subjectAltName={names}", "-days", "3650")
    node.run("openssl", "req", "-x509", *curve, *subject, "-keyout", key, "-out", certificate)


def _become(uid: int, gid: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


async def _run(listener: socket.socket, context: ssl.SSLContext, engine: str) -> None:
    room = asyncio.Semaphore(MOST)
    serve = functools.partial(_client, engine, room)
    server = await asyncio.start_server(serve, sock=listener, ssl=context, ssl_handshake_timeout=HANDSHAKE)
    await server.serve_forever()


async def _client(
    engine: str, room: asyncio.Semaphore, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """One connection, to its end at either side."""
    with contextlib.suppress(OSError, ssl.SSLError):
        try:
            if not room.locked():
                async with room:
                    await _joined(engine, reader, writer)
        finally:
            writer.close()


async def _joined(engine: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        from_engine, to_engine = await asyncio.open_unix_connection(engine)
    except OSError:
        writer.write(AWAY)
        await writer.drain()
        return
    ways = [asyncio.create_task(_copy(reader, to_engine)), asyncio.create_task(_copy(from_engine, writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        to_engine.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        while piece := await asyncio.wait_for(reader.read(PIECE), SILENCE):
            writer.write(piece)
            await writer.drain()
