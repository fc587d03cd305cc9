"""Users and groups of an instance: unix accounts (libnss-extrausers) and Samba's passdb, both rebuilt from records.

The passdb line of a user is that of smbpasswd(5). A user's SID follows from the uid (2 uid + 1000 below the machine
SID), so owners in NT ACLs survive a new passdb.
"""

import contextlib
import json
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from Cryptodome.Hash import MD4

from ..errors import CommandFailed, GatewayError
from ..model import Group, User
from ..step import Step
from .config import GROUP, GROUP_ID, GUEST, GUEST_ID
from .instance import Instance

Secret = Callable[[str], str | None]
DISABLED = "[DU         ]"


def nt_hash(password: str) -> str:
    """The NT hash of a password, upper-case hex (MS-NLMP 3.3.1). As good as the password: a secret."""
    return MD4.new(password.encode("utf-16-le")).hexdigest().upper()  # noqa: S303 - the protocol has no other


def secret_name(user: User) -> str:
    """Where a user's NT hash is kept: each password has a name of its own, so that an undo finds the former one."""
    return _secret_name(user.name, user.password_set or 0)


def _secret_name(user: str, password_set: int) -> str:
    return f"users/{user}@{password_set:08X}"


@dataclass
class Accounts:
    """All users and groups, in one instance. `secret` gives an NT hash by its name."""

    instance: Instance
    users: Mapping[str, User]
    groups: Mapping[str, Group]
    secret: Secret
    _known: dict[str, str] | None = None

    def files(self) -> list[Step]:
        """The unix accounts; both files are replaced whole, and smbd sees them at once."""
        return [
            self._passwd_file(),
            self._group_file(),
        ]

    def passwd_text(self) -> str:
        """passwd(5) lines without shell, home or password."""
        lines = [f"{GUEST}:x:{GUEST_ID}:{GROUP_ID}::/nonexistent:/usr/sbin/nologin"]
        for user in self.users.values():
            lines.append(f"{user.name}:x:{user.uid}:{GROUP_ID}:{user.full_name}:/nonexistent:/usr/sbin/nologin")
        return "\n".join(lines) + "\n"

    def group_text(self) -> str:
        """group(5) lines."""
        lines = [f"{GROUP}:x:{GROUP_ID}:"]
        lines += [f"{group.name}:x:{group.gid}:{','.join(group.members)}" for group in self.groups.values()]
        return "\n".join(lines) + "\n"

    def _passwd_file(self) -> Step:
        step = self.instance.file("accounts/passwd", self.passwd_text())

        def write(value: str | None) -> None:
            lost = _uids(step.read() or "").items() - _uids(value or "").items()
            step.write(value)
            self.disconnect({uid for _, uid in lost})

        return Step(step.name, step.want, step.read, write)

    def _group_file(self) -> Step:
        step = self.instance.file("accounts/group", self.group_text())

        def write(value: str | None) -> None:
            lost = _members(step.read() or "") - _members(value or "")
            step.write(value)
            # A session keeps the groups it began with: who lost one begins anew.
            self.disconnect({self.users[user].uid for _, user in lost if user in self.users})

        return Step(step.name, step.want, step.read, write)

    def passdb(self) -> list[Step]:
        """A step per user with a password, and one for each account that no record has."""
        wanted = [self._account(user) for user in self.users.values() if user.password_set is not None]
        return wanted + [self._leftover(name) for name in self._present() if name not in self.users]

    def _present(self) -> dict[str, str]:
        """Those in the passdb; none while a member of a cluster cannot read it, as it is yet to join."""
        try:
            return self.known()
        except GatewayError:
            if self.instance.gateway.cluster is None:
                raise
            return {}

    def known(self) -> dict[str, str]:
        """The passdb accounts without their hashes, `name -> "[U          ] LCT-..."`: one command for all."""
        if self._known is None:
            loaded = self.instance.host.read(f"{self.instance.own}/run/loaded") is not None
            if not loaded or (self.instance.gateway.cluster and self.instance.pid() is None):
                return {}
            self._known = listed(self.instance)
        return self._known

    def _account(self, user: User) -> Step:
        def write(value: str | None) -> None:
            if value is None:
                self._delete(user.name)
            else:
                self._import(user, value)
            if value is None or "[D" in value:
                self.disconnect({user.uid})

        flags = "[U          ]" if user.enabled else DISABLED
        want = f"{flags} LCT-{user.password_set:08X}"
        name = f"account {user.name} of gateway {self.instance.label}"
        if self.secret(secret_name(user)) is None:
            name += " (its password is lost: set it again)"
        return Step(name, want, self._reader(user.name), write)

    def _leftover(self, name: str) -> Step:
        def write(value: str | None) -> None:
            if value is None or value == "":
                self._delete(name)
            # else: what an undo sets back, once the record is there again

        return Step(f"account {name} of gateway {self.instance.label}", "", self._reader(name), write)

    def _reader(self, name: str) -> Callable[[], str | None]:
        return lambda: self.known().get(name)

    def _import(self, user: User, value: str) -> None:
        """Set an account by its hash, from a file for root alone: nothing secret in any argument."""
        flags, _, changed = value.rpartition(" ")
        secret = self.secret(_secret_name(user.name, int(changed.removeprefix("LCT-"), 16)))
        if secret is None:  # lost: an account that nobody can use, which differs from what is wanted, so drift tells
            secret, flags = secrets.token_hex(16).upper(), DISABLED
        line = f"{user.name}:{user.uid}:{'X' * 32}:{secret.strip()}:{flags}:{changed}:\n"
        path = f"{self.instance.own}/private/import"  # one name: should a crash leave it, the next one takes it along
        known, self._known = self._known, None
        try:
            self.instance.host.write(path, line, 0o600)
            self.instance.inside("pdbedit", "-i", f"smbpasswd:{path}")
        finally:
            self.instance.host.run("rm", "-f", "--", path)
        self._known = known if known is None else known | {user.name: f"{flags} {changed}"}

    def _delete(self, name: str) -> None:
        self._known = None
        if name in self.known():
            self.instance.inside("pdbedit", "-x", "-u", name)
            self._known = None

    def disconnect(self, uids: Collection[int | None]) -> None:
        """End the open sessions of users: rights taken away take effect at once."""
        if not uids or self.instance.pid() is None:
            return
        sessions = json.loads(self.instance.tool("smbstatus", "--json") or "{}").get("sessions", {})
        # By number: the names of ours are not known here, outside of the instance.
        pids = {str(session["server_id"]["pid"]) for session in sessions.values() if session["uid"] in uids}
        for pid in sorted(pids):
            with contextlib.suppress(CommandFailed):  # gone by itself
                self.instance.control(pid, "shutdown")


def listed(instance: Instance) -> dict[str, str]:
    """The accounts in a passdb. pdbedit takes 20 ms, so what it said holds until the file changes."""
    stamp = instance.stamp("private/passdb.tdb")
    if stamp is None or _listed.get(instance.own, ("", {}))[0] != stamp:
        lines = (line.split(":") for line in instance.tool("pdbedit", "-L", "-w").splitlines())
        _listed[instance.own] = stamp or "", {name: f"{flags} {changed}" for name, _, _, _, flags, changed, *_ in lines}
    return _listed[instance.own][1]


_listed: dict[str, tuple[str, dict[str, str]]] = {}  # by instance: the stamp of its passdb, and what is in it


def _uids(text: str) -> dict[str, int]:
    return {name: int(uid) for name, _, uid, *_ in (line.split(":") for line in text.splitlines())}


def _members(text: str) -> set[tuple[str, str]]:
    pairs = set()
    for line in text.splitlines():
        group, _, _, members = line.split(":")
        pairs |= {(group, user) for user in members.split(",") if user}
    return pairs


def random_password() -> str:
    """A password for a copy of the passdb or a generated account: 24 letters and digits."""
    return secrets.token_urlsafe(18)
