"""The REST API of Proxmox VE as root of this node has it.

Asked is pvedaemon, by a ticket that its own Perl makes for root@pam (a token may not bind directories into containers).
Where it does not listen pvesh(1) does the same, slowly. Calls block, as commands do.
"""

import contextlib
import http.client
import json
import math
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from ..errors import CommandFailed, GatewayError
from ..host import Host

DAEMON = ("127.0.0.1", 85)
TICKET = (
    "use PVE::Cluster; use PVE::AccessControl; PVE::Cluster::cfs_update(); "
    "print PVE::AccessControl::assemble_ticket(q{root@pam});"
)
TICKET_AGE = 3600.0  # seconds; Proxmox VE takes one for two hours
ANSWER_WAIT = 60.0  # seconds for one call: what lasts longer is a task
TASK_WAIT = 600.0
POLLS = 0.1, 1.0  # seconds between looks at a task: the first, and the longest
PVESH = {"GET": "get", "POST": "create", "PUT": "set", "DELETE": "delete"}

Parameters = Mapping[str, object]
Plain = Mapping[str, str | list[str]]


class ProxmoxFailed(GatewayError):
    """A call was refused, or its task failed. `code` is the HTTP status, 0 where there is none."""

    code = 0


class Proxmox:
    """The API. Paths begin with a slash, such as /nodes/one/lxc; parameters that are None are left out.

    An empty word in a list would make Proxmox VE forget the words before it.
    """

    def __init__(self, host: Host, node: str, daemon: tuple[str, int] = DAEMON) -> None:
        self.host, self.node, self.daemon = host, node, daemon
        self._ticket, self._made = "", -math.inf
        self._guard = threading.Lock()

    @property
    def here(self) -> str:
        """The path of this node."""
        return f"/nodes/{self.node}"

    def get(self, path: str, parameters: Parameters = {}) -> Any:  # noqa: B006 - read only
        """Read. Raises ProxmoxFailed."""
        return self.call("GET", path, parameters)

    def call(self, method: str, path: str, parameters: Parameters = {}, secret: bool = False) -> Any:  # noqa: B006
        """Make one call and return its data. Raises ProxmoxFailed with what Proxmox VE says.

        secret  the parameters may hold one, so never by pvesh: every process can read its words
        """
        plain = {name: _plain(value) for name, value in parameters.items() if value is not None}
        try:
            return self._http(method, path, plain)
        except ConnectionRefusedError as error:
            if secret:
                hint = "systemctl restart pvedaemon"
                raise ProxmoxFailed(_refused(method, path), "pvedaemon does not listen", hint=hint) from error
            return self._pvesh(method, path, plain)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ProxmoxFailed(_refused(method, path), str(error) or type(error).__name__) from error

    def task(self, method: str, path: str, parameters: Parameters = {}, timeout: float = TASK_WAIT) -> None:  # noqa: B006
        """Make a call that starts a task, and wait for its end, at most `timeout` seconds. Raises ProxmoxFailed."""
        upid = str(self.call(method, path, parameters))
        status = f"/nodes/{upid.split(':')[1]}/tasks/{quote(upid, safe=':@!')}/status"
        pause, deadline = POLLS[0], time.monotonic() + timeout
        while (found := self.get(status))["status"] != "stopped":
            if time.monotonic() > deadline:
                raise ProxmoxFailed(_refused(method, path), f"its task runs after {timeout:g} s yet", _log(upid))
            time.sleep(pause)
            pause = min(pause * 2, POLLS[1])
        ended = str(found.get("exitstatus", "nothing said"))
        if ended != "OK" and not ended.startswith("WARNINGS"):
            raise ProxmoxFailed(_refused(method, path), ended, _log(upid))

    def _http(self, method: str, path: str, parameters: Plain) -> Any:
        code, reason, body = self._ask(method, path, parameters)
        if code == 401:
            with self._guard:
                self._made = -math.inf  # the clock begins with the machine: 0 may be a minute ago
            code, reason, body = self._ask(method, path, parameters)
        if code == 200:
            return json.loads(body)["data"]
        error = ProxmoxFailed(_refused(method, path), _said(reason, body))
        error.code = code
        raise error

    def _ask(self, method: str, path: str, parameters: Plain) -> tuple[int, str, str]:
        """The status, its words, the body."""
        form = urlencode(parameters, doseq=True, quote_via=quote)
        in_body = method in ("POST", "PUT")
        url = f"/api2/json{path}" + (f"?{form}" if form and not in_body else "")
        headers = {"Cookie": f"PVEAuthCookie={quote(self._root())}"}
        if in_body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with contextlib.closing(http.client.HTTPConnection(*self.daemon, timeout=ANSWER_WAIT)) as connection:
            connection.request(method, url, form if in_body else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.reason, answer.read().decode(errors="replace")

    def _root(self) -> str:
        """A ticket for root, of ours alone."""
        with self._guard:
            if time.monotonic() - self._made > TICKET_AGE:
                self._ticket, self._made = self.host.run("perl", "-e", TICKET).strip(), time.monotonic()
            return self._ticket

    def _pvesh(self, method: str, path: str, parameters: Plain) -> Any:
        """The same by pvesh, which waits for tasks, and prints their logs before the answer."""
        several = {name: value if isinstance(value, list) else [value] for name, value in parameters.items()}
        words = [f"--{name}={each}" for name, values in several.items() for each in values]
        try:
            said = self.host.run("pvesh", PVESH[method], path, "--output-format", "json", *words, timeout=TASK_WAIT)
        except CommandFailed as error:
            raise ProxmoxFailed(_refused(method, path), error.output or error.cause) from error
        lines = said.strip().splitlines()
        return json.loads(lines[-1]) if lines else None


def _plain(value: object) -> str | list[str]:
    if isinstance(value, list):
        return [str(each) for each in value]
    return str(int(value)) if isinstance(value, bool) else str(value)


def _refused(method: str, path: str) -> str:
    return f"Proxmox VE: {method} {path}"


def _said(reason: str, body: str) -> str:
    """The words of a refusal, with what it says of single parameters."""
    errors: object = None
    with contextlib.suppress(ValueError, AttributeError):
        errors = json.loads(body).get("errors")
    named = [f"{name}: {text.strip()}" for name, text in errors.items()] if isinstance(errors, dict) else []
    return "; ".join([reason.strip() or "no reason given", *named])


def _log(upid: str) -> str:
    return f"its log: pvenode task log {upid}"
