"""Tokens for programs: a name, a role, and of the token itself only a hash."""

import json
import secrets
import time
from dataclasses import asdict, dataclass

from ..errors import Conflict, NotFound
from ..store import Store
from .people import Caller, Role, hashed

SECRET = "tokens"  # noqa: S105 - the name under which the store keeps them
PREFIX = "smbgw_"  # so that scanners find one that lies about


@dataclass(frozen=True)
class Token:
    """One token, as it is kept."""

    name: str
    role: Role
    hash: str
    made: float  # Unix time


class Tokens:
    """The tokens of an installation, the same on all its nodes."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def all(self) -> list[Token]:
        """All, oldest first."""
        return [Token(**each) for each in json.loads(self.store.secret(SECRET) or "[]")]

    def find(self, token: str) -> Caller | None:
        """Whose a token is."""
        wanted = hashed(token)
        found = next((each for each in self.all() if secrets.compare_digest(each.hash, wanted)), None)
        return Caller(f"token {found.name}", found.role) if found else None

    def create(self, name: str, role: Role) -> str:
        """A new token, told this once. Raises Conflict."""
        made = PREFIX + secrets.token_urlsafe(32)
        with self.store.lock():
            known = self.all()
            if any(each.name == name for each in known):
                raise Conflict(f"there is a token {name} already", hint=f"pve-smbgateway token delete {name}")
            self._keep([*known, Token(name, role, hashed(made), time.time())])
        return made

    def delete(self, name: str) -> None:
        """From now on it opens nothing. Raises NotFound."""
        with self.store.lock():
            known = self.all()
            left = [each for each in known if each.name != name]
            if len(left) == len(known):
                raise NotFound(f"there is no token {name}")
            self._keep(left)

    def _keep(self, tokens: list[Token]) -> None:
        self.store.keep_secret(SECRET, json.dumps([asdict(each) for each in tokens]) if tokens else None)
