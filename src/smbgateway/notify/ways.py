"""The ways to a receiver. Each takes notices and raises GatewayError where they did not arrive."""

import http.client
import json
import os
import smtplib
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from .. import __version__
from ..errors import Failed, GatewayError, Unavailable
from ..host import Host
from ..model import JournalWay, MailWay, ProxmoxWay, Receiver, WebhookWay
from .notice import Notice, merged

PATIENCE = 20.0  # seconds for each answer of a server
MANY = 20  # notices that Proxmox VE is given one by one: it makes a mail of each
TEMPLATE = "smbgateway"
PORTS = {"starttls": 587, "tls": 465, "none": 25}
SYSLOG = "/dev/log"
NO_LOG = (
    "start systemd-journald or rsyslog, or have somebody told by mail: pve-smbgateway notify create NAME --mail ADDRESS"
)
DAEMON = 3 << 3  # the facility (syslog(3)); its severities are below
PRIORITIES = {"info": 6, "notice": 5, "warning": 4, "error": 3}
PRIORITY = {"info": 1, "notice": 3, "warning": 5, "error": 8}  # of gotify, which reads `title`, `message`, `priority`

# PVE::Notify of libpve-notify-perl; common_template_data is there from Proxmox VE 8.4 on.
PERL = r"""
use strict; use warnings; use JSON; use PVE::Notify;
my $common = PVE::Notify->can('common_template_data') ? PVE::Notify::common_template_data() : {};
local $/; my $given = decode_json(<STDIN>);
for my $each (@{$given->{notices}}) {
    PVE::Notify::notify($each->{severity}, $given->{template}, { %$common, %{$each->{data}} }, $each->{fields});
}
"""


@dataclass(frozen=True)
class Ways:
    """How a node tells. `secret` gives the secret of a receiver, None where it has none."""

    host: Host
    node: str
    secret: Callable[[Receiver], str | None]
    syslog: str = SYSLOG

    def send(self, receiver: Receiver, notices: Sequence[Notice]) -> str:
        """Tell a receiver; returns what is amiss although it was told. Raises GatewayError."""
        way = receiver.way
        try:
            if isinstance(way, MailWay):
                return self._mail(way, self.secret(receiver), notices)
            if isinstance(way, WebhookWay):
                self._post(way, self.secret(receiver), notices)
            elif isinstance(way, JournalWay):
                self._log(notices)
            else:
                self._proxmox(way, notices)
        except GatewayError as error:
            raise Failed(f"{receiver.title} was not told", error.reason, error.hint) from error
        except (OSError, smtplib.SMTPException, http.client.HTTPException, ValueError) as error:
            raise Failed(f"{receiver.title} was not told", said(error)) from error
        return ""

    def _mail(self, way: MailWay, secret: str | None, notices: Sequence[Notice]) -> str:
        message = mail(way, merged(notices), self.node)
        if not way.server:
            self.host.run("sendmail", "-i", "-t", stdin=message.as_string())
            return ""
        port, security = way.port or PORTS[way.security], ssl.create_default_context()
        opened = (
            smtplib.SMTP_SSL(way.server, port, timeout=PATIENCE, context=security)
            if way.security == "tls"
            else smtplib.SMTP(way.server, port, timeout=PATIENCE)
        )
        with opened as server:
            if way.security == "starttls":
                server.starttls(context=security)
            if way.login:
                server.login(way.login, secret or "")
            refused = server.send_message(message)
        return ", ".join(f"{address} was refused: {reason(*answer)}" for address, answer in refused.items())

    def _post(self, way: WebhookWay, secret: str | None, notices: Sequence[Notice]) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": f"pve-smbgateway/{__version__}"}
        if secret and "{secret}" not in way.url:
            headers["Authorization"] = f"Bearer {secret}"
        url = way.url.replace("{secret}", secret or "")
        request = urllib.request.Request(url, webhook(notices, self.node), headers)  # noqa: S310 - the model allows http(s)
        with _OPENER.open(request, timeout=PATIENCE) as answer:
            answer.read(1000)

    def _log(self, notices: Sequence[Notice]) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
            log.settimeout(PATIENCE)
            try:
                log.connect(self.syslog)
            except (FileNotFoundError, ConnectionRefusedError) as error:
                raise Unavailable(f"nothing takes entries of the log at {self.syslog}", said(error), NO_LOG) from error
            for notice in notices:
                log.send(
                    f"<{DAEMON | PRIORITIES[notice.severity]}>pve-smbgateway[{os.getpid()}]: {notice.subject}".encode()
                )

    def _proxmox(self, way: ProxmoxWay, notices: Sequence[Notice]) -> None:
        told = notices if len(notices) <= MANY else [merged(notices)]
        entries = [proxmox(notice, self.node) for notice in told]
        self.host.run("perl", "-e", PERL, stdin=json.dumps({"template": TEMPLATE, "notices": entries}))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A POST that is sent elsewhere would arrive there as a GET without what it says."""

    def redirect_request(self, *_: Any) -> None:
        """Leave it an error."""


_OPENER = urllib.request.build_opener(_NoRedirect)


def said(error: Exception) -> str:
    """An error of a server or of the way to it, in a line."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        return f"the server answered {error.code} {error.reason}"
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError):
        return said(error.reason)
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return ", ".join(f"{address} was refused: {reason(*answer)}" for address, answer in error.recipients.items())
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server answered {reason(error.smtp_code, error.smtp_error)}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def reason(code: int, text: bytes | str) -> str:
    """What a mail server answers."""
    return f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"


def mail(way: MailWay, notice: Notice, node: str) -> EmailMessage:
    """A notice as a mail."""
    message = EmailMessage()
    message["From"] = way.sender or f"pve-smbgateway@{node}"
    message["To"] = ", ".join(way.to)
    message["Subject"] = notice.subject
    message["Date"] = formatdate(notice.at)
    message["Message-ID"] = make_msgid(domain=node)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody is on holiday for us
    message.set_content(f"{notice.text}\n\n-- \npve-smbgateway on {node}\n")
    return message


def webhook(notices: Sequence[Notice], node: str) -> bytes:
    """Notices as a webhook gets them; `title`, `message` and `text` are for those who show, `notices` for machines."""
    whole = merged(notices)
    body: dict[str, Any] = {
        "title": whole.subject,
        "message": whole.text,
        "text": whole.text,
        "severity": whole.severity,
    }
    body |= {"priority": PRIORITY[whole.severity], "node": node}
    return json.dumps({**body, "notices": [notice.to_json() for notice in notices]}).encode()


def proxmox(notice: Notice, node: str) -> dict[str, Any]:
    """A notice as PVE::Notify takes it: data for the template, fields for the matchers."""
    fields = {name: str(value) for name, value in notice.fields.items() if name in ("gateway", "share")}
    return {
        "severity": notice.severity,
        "data": {"subject": notice.subject, "text": notice.text, "fields": dict(notice.fields)},
        "fields": {"type": notice.topic, "hostname": node, **fields},
    }
