"""Those who are told: a mail server, a web server, a system log; each real, in threads of the test."""

import contextlib
import http.server
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword


class MailServer(Controller):
    """Takes mail for everybody but `nobody@...`; with a certificate by STARTTLS, and then with a login only."""

    def __init__(self, port: int, certificate: ssl.SSLContext | None = None) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        secure: dict[str, Any] = {}
        if certificate:
            secure = {"tls_context": certificate, "require_starttls": True, "auth_required": True}
        super().__init__(self, hostname="127.0.0.1", port=port, authenticator=self.check, **secure)

    def check(self, server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"me", b"Tell-Nobody"), handled=False)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        self.recipients += envelope.rcpt_tos
        return "250 OK"


@contextlib.contextmanager
def mail_server(port: int, certificate: ssl.SSLContext | None = None) -> Iterator[MailServer]:
    made = MailServer(port, certificate)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@dataclass
class WebServer:
    """Answers every POST with `status`, and keeps what it was sent: path, headers, body."""

    status: int = 200
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    url: str = ""


@contextlib.contextmanager
def web_server(certificate: ssl.SSLContext | None = None) -> Iterator[WebServer]:
    made = WebServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made.asked.append((self.path, dict(self.headers), body))
            self.send_response(made.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if certificate:
        server.socket = certificate.wrap_socket(server.socket, server_side=True)
    made.url = f"{'https' if certificate else 'http'}://localhost:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def system_log(path: Path) -> Iterator[socket.socket]:
    """A socket as journald and rsyslogd have it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(path))
        made.settimeout(10)
        yield made


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """The port of one that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield int(made.getsockname()[1])


def certificate(folder: Path) -> tuple[ssl.SSLContext, str]:
    """A certificate for localhost, and the file that a client has to trust."""
    key, public = folder / "key.pem", folder / "public.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(["openssl", *words.split(), "-keyout", key, "-out", public], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, key)
    return context, str(public)
