"""Before any route: who asks, whether he may, and how much."""

import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import GatewayError, Invalid
from ..sizes import show_size
from .answers import problem
from .people import Caller, Denied, NotSignedIn, People, form
from .tokens import Tokens

USER = "x-smbgateway-user"
USER_NAME = re.compile(r"[^A-Za-z0-9@!._+-]")  # what no name of a user has
LARGEST = 16 * 1024 * 1024  # bytes of a request
LARGEST_UNKNOWN = 64 * 1024  # of a stranger
COOKIE = "__Host-smbgw"  # the prefix makes browsers insist on Secure and Path=/ (RFC 6265bis, section 4.1.3.2)
FORM = "x-csrf-token"
SIGN_IN = "/v1/session"
READING = {"GET", "HEAD"}


@dataclass(frozen=True)
class Door:
    """Finds out who asks: root, as the kernel names the peer (SO_PEERCRED, unix(7)), or behind the relay somebody with
    a session or a token. Whom nobody named is nobody."""

    people: People
    tokens: Tokens
    relay: int | None  # its uid

    def caller(self, asked: Request) -> Caller | None:
        """Who asks; None for a stranger who may ask just that. Raises Denied, NotSignedIn."""
        uid = asked.scope.get("peer_uid")
        if uid == 0:
            return _root(asked)
        if uid is None or uid != self.relay:
            raise Denied("refused", "the caller is neither root nor the relay")
        _check_origin(asked)
        found = self._known(asked)
        if found is None:
            if asked.url.path == SIGN_IN or (asked.method in READING and not asked.url.path.startswith("/v1/")):
                return None
            raise NotSignedIn("not signed in", hint="POST /v1/session with name and password")
        if found.role != "admin" and asked.method not in READING and asked.url.path != SIGN_IN:
            raise Denied("refused", f"{found.name} may look, and change nothing")
        return found

    def _known(self, asked: Request) -> Caller | None:
        scheme, _, token = asked.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.tokens.find(token)
        token = asked.cookies.get(COOKIE, "")
        session = self.people.find(token)
        if session is None:
            return None
        given = asked.headers.get(FORM, "").encode()
        if asked.method not in READING and not secrets.compare_digest(given, form(token).encode()):
            raise Denied("refused", f"the header {FORM} is not that of the session", hint="load the page again")
        return session.caller


def _root(asked: Request) -> Caller:
    """Root, or the user whom it let in and names, as Proxmox VE does."""
    name = USER_NAME.sub("?", asked.headers.get(USER, "root"))
    return Caller(name, "admin", is_root=name in ("root", "root@pam"))


def _check_origin(asked: Request) -> None:
    """No other site's page asks for a change. Raises Denied."""
    origin = asked.headers.get("origin")
    if asked.method not in READING and origin is not None and urlsplit(origin).netloc != asked.headers.get("host"):
        raise Denied("refused", f"the page that asks is of {origin[:200]}")


class Guard:
    """Lets in whom the door knows, with a body that can be held in memory, and notes who asked for a change."""

    def __init__(self, app: ASGIApp, door: Door) -> None:
        self.app, self.door = app, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)  # the start; there are no web sockets here
            return
        try:
            scope["caller"] = self.door.caller(Request(scope))
        except GatewayError as error:
            await problem(error)(scope, receive, send)
        else:
            note(scope)
            await self._pass(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _body(receive, LARGEST if scope["caller"] else LARGEST_UNKNOWN)
        except ClientDisconnect:
            return
        except ValueError as error:
            await problem(Invalid(str(error), hint="make several of it"), 413)(scope, receive, send)
        else:
            await self.app(scope, _replay(body, receive), send)


def note(scope: Scope) -> None:
    """Who asked for a change, for the log."""
    if scope["method"] not in READING:
        caller: Caller | None = scope["caller"]
        name = caller.name if caller else "nobody"
        print(f"audit: {name} {scope['method']} {ascii(scope['path'])[:200]}", flush=True)


async def _body(receive: Receive, most: int) -> bytes:
    """The body of a request. Raises ValueError where it is too large, but at its end: before, no sender listens."""
    parts, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > most:
            parts.clear()
    if size > most:
        raise ValueError(f"the request is larger than {show_size(most)}")
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
