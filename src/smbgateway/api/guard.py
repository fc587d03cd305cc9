"""Before any route: who asks, and how much."""

import re

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import GatewayError, Invalid
from .answers import problem

USER = b"x-smbgateway-user"
USER_NAME = re.compile(r"[^A-Za-z0-9@!._+-]")  # what no name of a user has
LARGEST = 16 * 1024 * 1024  # bytes of a request


class Guard:
    """Lets root in, as the kernel names the peer (SO_PEERCRED, unix(7)), with a body that can be held in memory.

    A peer that nobody named is nobody. A relay that brings users of its own will be a second uid here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)  # the start; there are no web sockets here
        elif scope.get("peer_uid") != 0:
            await problem(GatewayError("refused", "the caller is not root"), 403)(scope, receive, send)
        else:
            note(scope)
            await self._pass(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _body(receive)
        except ClientDisconnect:
            return
        except ValueError as error:
            await problem(Invalid(str(error), hint="make several of it"), 413)(scope, receive, send)
        else:
            await self.app(scope, _replay(body, receive), send)


def note(scope: Scope) -> None:
    """Who asked for a change, for the log. A peer that is root names the user whom it let in, as Proxmox VE does."""
    if scope["method"] != "GET":
        user = next((value for name, value in scope["headers"] if name == USER), b"root")
        name = USER_NAME.sub("?", user.decode("latin-1"))
        print(f"audit: {name} {scope['method']} {ascii(scope['path'])[:200]}", flush=True)


async def _body(receive: Receive) -> bytes:
    """The body of a request. Raises ValueError where it is too large, but at its end: before, no sender listens."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > LARGEST:
            parts.clear()
    if size > LARGEST:
        raise ValueError(f"the request is larger than {LARGEST // 1024 // 1024} MiB")
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """What the application reads: the body in one piece, then what else comes (the end of the connection)."""
    told = False

    async def read() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return read
