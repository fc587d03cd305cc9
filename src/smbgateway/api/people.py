"""Who may ask what: root by the kernel's word, others by a session (PAM and a group of the system) or a token."""

import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ..errors import CommandFailed, CommandMissing, GatewayError, Unavailable
from ..fields import cut
from ..host import Host

PROGRAM = str(Path(__file__).with_name("pam_call.py"))
PYTHON = "/usr/bin/python3"  # Debian's own: the one that has python3-pampy
SERVICE = "pve-smbgateway"
Role = Literal["admin", "viewer"]
GROUPS: dict[str, Role] = {"smbgw-admin": "admin", "smbgw-viewer": "viewer"}  # of the system, and what they make of one
REFUSED, MISSING = 1, 2
IDLE, LONGEST = 30 * 60.0, 12 * 3600.0  # seconds that a session lasts unused, and at most
FREE_TRIES, LONGEST_WAIT = 3, 300.0  # wrong passwords of one name without a wait; seconds
MOST = 1000  # names of which wrong passwords are counted: an attacker may think of many
AT_ONCE = 4  # passwords that are checked at the same time: each is a process


class Denied(GatewayError):
    """No right: nobody, a wrong password, or a user who may only look."""

    status = 403


class NotSignedIn(Denied):
    """Nobody we know: sign in first."""

    status = 401


class TooOften(Denied):
    """Too many wrong passwords."""

    status = 429


@dataclass(frozen=True)
class Caller:
    """Who asks; a viewer changes nothing, and only root itself may name places outside the allowed ones."""

    name: str
    role: Role
    is_root: bool = False


@dataclass
class Session:
    """A user who signed in; times are Unix times."""

    name: str
    role: Role
    began: float
    used: float

    def lasts(self, now: float) -> bool:
        """Whether it has not ended."""
        return now - self.used < IDLE and now - self.began < LONGEST

    @property
    def caller(self) -> Caller:
        """The user."""
        return Caller(self.name, self.role)


def hashed(token: str) -> str:
    """What is kept of a token: as long and random as ours are, SHA-256 is enough."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def form(token: str) -> str:
    """What goes with each change in a session, so that no other site's page can make one (CSRF)."""
    return hashed(f"form of {token}")


class Patience:
    """Wrong passwords are counted by name, and each makes the next wait longer."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._wrong: dict[str, tuple[int, float]] = {}  # how often in a row, and until when to wait
        self._lock = threading.Lock()

    def count(self, name: str) -> None:
        """Count a try before it is made: those at the same time count too. Raises TooOften."""
        now = self.clock()
        with self._lock:
            count, until = self._wrong.get(name, (0, 0.0))
            if now < until:
                raise TooOften("too many wrong passwords", hint=f"try again in {until - now:.0f} s")
            if len(self._wrong) >= MOST:
                self._wrong = {name: entry for name, entry in self._wrong.items() if entry[1] > now}
            over = count + 1 - FREE_TRIES
            self._wrong[name] = count + 1, now + (min(2.0 ** min(over, 60), LONGEST_WAIT) if over >= 0 else 0.0)

    def forget(self, name: str) -> None:
        """The password was right."""
        with self._lock:
            self._wrong.pop(name, None)


class People:
    """Sessions, in a file that a reboot forgets: an engine that comes up again knows who was there."""

    def __init__(self, host: Host, file: str, clock: Callable[[], float] = time.time) -> None:
        self.host, self.file, self.clock = host, file, clock
        self.patience = Patience(clock)
        self._room = threading.BoundedSemaphore(AT_ONCE)
        self._lock = threading.Lock()
        try:
            known = json.loads(host.read(file) or "{}")
            self._sessions = {key: Session(**each) for key, each in known.items()}
        except (AttributeError, TypeError, ValueError):  # of another version: all sign in again
            self._sessions = {}

    def sign_in(self, name: str, password: str) -> tuple[str, Session]:
        """A new session and its token. Raises NotSignedIn, TooOften, Unavailable; Denied: in none of our groups."""
        self.patience.count(name)
        groups = self._groups(name, password)
        roles = [role for group, role in GROUPS.items() if group in groups or name == "root"]
        if not roles:
            hint = f"one of these groups lets in: {', '.join(GROUPS)} (adduser {name} smbgw-admin)"
            raise Denied(f"{name} may not use this gateway", hint=hint)
        self.patience.forget(name)
        now, token = self.clock(), secrets.token_urlsafe(32)
        made = Session(name, roles[0], now, now)
        with self._lock:
            self._sessions = {key: each for key, each in self._sessions.items() if each.lasts(now)}
            self._sessions[hashed(token)] = made
            self._save()
        return token, made

    def find(self, token: str) -> Session | None:
        """The session of a token, unless it has ended."""
        now = self.clock()
        with self._lock:
            found = self._sessions.get(hashed(token))
            if found is None or not found.lasts(now):
                return None
            found.used = now
            return found

    def sign_out(self, token: str) -> None:
        """End a session."""
        with self._lock:
            if self._sessions.pop(hashed(token), None):
                self._save()

    def _save(self) -> None:
        self.host.write(self.file, json.dumps({key: asdict(each) for key, each in self._sessions.items()}), 0o600)

    def _groups(self, name: str, password: str) -> list[str]:
        """The groups of a user whose password is right."""
        if not name or name.startswith("-") or not _plain(name + password):
            raise NotSignedIn("wrong name or password")
        if not self._room.acquire(blocking=False):  # who waited would keep others from asking anything
            raise TooOften("too many sign in at the same time", hint="try again")
        try:
            return self.host.run(PYTHON, "-I", PROGRAM, SERVICE, name, stdin=password, timeout=30).splitlines()
        except CommandMissing as error:
            raise Unavailable("passwords cannot be checked", error.reason) from None
        except CommandFailed as error:
            if error.code == MISSING:
                raise Unavailable(error.output, hint="apt install python3-pampy") from None
            if error.code != REFUSED:
                raise Unavailable(f"PAM gave no answer for {cut(name)}", error.output) from None
            raise NotSignedIn("wrong name or password") from None
        finally:
            self._room.release()


def _plain(text: str) -> bool:
    """Whether a process can be given it: no NUL, no half of a character."""
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)
