"""Proof of service: a real SMB session decides.

Before a share is published, a one-shot smbd in a network of its own serves it with the very definition, to accounts of
random passwords: login, groups, options, modules and file rights are proved as the very user, and nobody else can reach
it ("shadow proof"). After it is published, the running smbd is asked: by a login where the password is known in this
call, else without one.
"""

import json
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..errors import CommandFailed, NotProved
from ..fields import Rights
from ..host import Host
from ..model import Group, Share, User
from .accounts import nt_hash, random_password
from .config import Parameters, directories, global_section, render
from .instance import Instance, scratch
from .session import Session

SHADOW_PORT = 445  # in a network namespace of its own
AGAIN = 0.2  # seconds until a member is asked again


@dataclass(frozen=True)
class Candidate:
    """A share to prove, as whom, and with which right; without a user only its being served can be proved."""

    share: Share
    parameters: Parameters
    user: User | None
    rights: Rights = "read"


@dataclass
class Proof:
    """What was proved of a share."""

    share: str
    text: str
    seconds: float
    warnings: list[str] = field(default_factory=list)


def candidate(
    share: Share, parameters: Parameters, users: Mapping[str, User], groups: Mapping[str, Group], prefer: Sequence[str]
) -> Candidate:
    """Choose the user to prove a share with: one that may write, and of those one whose password is at hand."""
    able = [(rights != "write", name not in prefer, name, rights) for name, rights in logins(share, users, groups)]
    if not able:
        return Candidate(share, parameters, None)
    _, _, name, rights = min(able)
    return Candidate(share, parameters, users[name], rights)


def logins(share: Share, users: Mapping[str, User], groups: Mapping[str, Group]) -> list[tuple[str, Rights]]:
    """Who can log in to a share, and with which right."""
    return [
        (name, rights)
        for principal, rights in share.access.items()
        for name in (groups[principal[1:]].members if principal.startswith("@") else [principal])
        if name in users and users[name].enabled and users[name].password_set is not None
    ]


class Prover:
    """Proves shares of one instance."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.host = instance, instance.host

    def shadow(self, candidates: Sequence[Candidate]) -> dict[str, str]:
        """Prove shares before they are published, all by one smbd. Returns warnings by share. Raises NotProved."""
        able = [candidate for candidate in candidates if candidate.user]
        if not able:
            return {}
        folder = f"{scratch(self.instance.own)}{secrets.token_hex(4)}"
        enter = ("nsenter", f"--mount=/proc/{self.instance.pid()}/ns/mnt", "--")
        alone = ("unshare", "--net", "--pid", "--fork", "--kill-child", "--")
        program = (self.instance.python, "-I", "-m", "smbgateway.samba.shadow")
        timeout = (30 + len(candidates) * 2.0) * self.instance.patience
        order = json.dumps(self._order(able, folder))
        try:
            answer = json.loads(self.host.run(*enter, *alone, *program, stdin=order, timeout=timeout))
        except CommandFailed:  # it has not come to remove that itself
            self.host.run("rm", "-rf", "--one-file-system", "--", folder)
            raise
        if failure := answer.get("failure"):
            raise NotProved(failure["what"], failure["cause"])
        return dict(answer["warnings"])

    def _order(self, candidates: Sequence[Candidate], folder: str) -> dict[str, Any]:
        """All that the proof needs, so that it is one command."""
        own, cluster = self.instance.own, self.instance.gateway.cluster
        passwords = {candidate.user: random_password() for candidate in candidates if candidate.user}
        return {
            "folder": folder,
            "configuration": self._configuration(candidates, folder),
            "accounts": "".join(_account(user, password) for user, password in passwords.items()),
            # With a copy it has the SID; where databases are those of a cluster, it makes one for itself.
            "secrets": "" if cluster else f"{own}/private/secrets.tdb",
            "sid": self.instance.gateway.sid,
            "client": f"{own}/client.conf",
            "port": SHADOW_PORT,
            "logins": {user.name: login(user.name, password) for user, password in passwords.items()},
            "shares": [[c.share.name, c.user.name, c.rights] for c in candidates if c.user],
        }

    def _configuration(self, candidates: Sequence[Candidate], folder: str) -> str:
        overrides = {
            **directories(folder),
            "interfaces": "lo",
            "bind interfaces only": "yes",
            "smb ports": str(SHADOW_PORT),
            "registry shares": "no",
            **({"clustering": "no"} if self.instance.gateway.cluster else {}),
            "passdb backend": f"smbpasswd:{folder}/accounts",
            "log file": f"{folder}/log.smbd",
        }
        text = global_section(self.instance.gateway, self.instance.own)
        text += "".join(f"\t{name} = {value}\n" for name, value in overrides.items())
        return text + "".join(render(candidate.share.name, candidate.parameters) for candidate in candidates)

    def real(self, candidate: Candidate, password: str | None, asked: bool = True) -> tuple[str, str]:
        """Ask the running smbd, unless not `asked`. Returns what was proved and a warning (empty: none).

        Raises NotProved.
        """
        address, port = self.instance.address, self.instance.port
        share, conf = candidate.share.name, f"{self.instance.own}/client.conf"
        if password is None or candidate.user is None:
            if asked:
                Session(self.host, conf, address, port).exists(share)
            if candidate.user is None:
                return self._as_guest(candidate)
            return self._said(candidate, "shadow login"), ""
        folder = f"{self.instance.own}/run"
        credentials = keep_credentials(self.host, folder, candidate.user.name, password)
        try:
            session = Session(self.host, conf, address, port, credentials)
            if candidate.rights == "write":
                return self._said(candidate, "login"), session.write(share, folder)
            session.list(share)
            return self._said(candidate, "login"), ""
        finally:
            self.host.run("rm", "-f", "--", credentials)

    def unserved(self, share: str, addresses: Sequence[str], until: float) -> list[str]:
        """Ask for a share at addresses of other members too, until a time.monotonic(); why it is not served at some."""
        sessions = [
            Session(self.host, f"{self.instance.own}/client.conf", address, self.instance.port) for address in addresses
        ]
        return [why for session in sessions if (why := self._awaited(session, share, until))]

    @staticmethod
    def _awaited(session: Session, share: str, until: float) -> str:
        while True:
            try:
                session.exists(share)
            except NotProved as error:
                if time.monotonic() > until:
                    return error.reason
                time.sleep(AGAIN)
            else:
                return ""

    def _as_guest(self, candidate: Candidate) -> tuple[str, str]:
        """What can be proved where no user has access."""
        if not candidate.share.guest:
            return "served; nobody can log in", ""
        address, port = self.instance.address, self.instance.port
        session = Session(self.host, f"{self.instance.own}/client.conf", address, port)
        if candidate.share.guest == "write":
            return "as guest, wrote and read 1 MiB", session.write(candidate.share.name, f"{self.instance.own}/run")
        session.list(candidate.share.name)
        return "as guest, listed its root", ""

    @staticmethod
    def _said(candidate: Candidate, how: str) -> str:
        done = "wrote and read 1 MiB" if candidate.rights == "write" else "listed its root"
        return f"{how} as {candidate.user.name if candidate.user else '?'}, {done}"


def _account(user: User, password: str) -> str:
    """An account for the proof alone (smbpasswd(5)); by it the SID follows from the uid."""
    changed = f"LCT-{int(time.time()):08X}"
    return f"{user.name}:{user.uid}:{'X' * 32}:{nt_hash(password)}:[U          ]:{changed}:\n"


def login(user: str, password: str) -> str:
    """A file for smbclient -A --pw-nt-hash.

    With the hash, as smbd keeps it: of a password in such a file smbclient drops blanks at the start (measured).
    """
    return f"username = {user}\npassword = {nt_hash(password)}\n"


def keep_credentials(host: Host, folder: str, user: str, password: str) -> str:
    """Such a file, readable by root alone. Returns its path."""
    path = os.path.join(folder, f"login-{secrets.token_hex(4)}")
    host.write(path, login(user, password), 0o600)
    return path
