"""The records of an installation as one value, and as it would be after a request (staged)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from .errors import NotFound
from .model import KINDS, Gateway, Group, Receiver, Resource, Share, User, did_you_mean
from .store import Store


@dataclass(frozen=True)
class World:
    """All records by key. Never changed in place."""

    gateways: Mapping[str, Gateway]
    shares: Mapping[str, Share]
    users: Mapping[str, User]
    groups: Mapping[str, Group]
    receivers: Mapping[str, Receiver] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store) -> "World":
        """The records as they are now."""
        return cls(store.all(Gateway), store.all(Share), store.all(User), store.all(Group), store.all(Receiver))

    def table(self, kind: str) -> Mapping[str, Resource]:
        """The records of a kind."""
        return {
            "gateway": self.gateways,
            "share": self.shares,
            "user": self.users,
            "group": self.groups,
            "receiver": self.receivers,
        }[kind]

    def get(self, record: Resource) -> Resource | None:
        """The record of the same identity, None if there is none."""
        return self.table(record.kind).get(record.key)

    def staged(self, records: Iterable[Resource], removed: Iterable[Resource] = ()) -> "World":
        """The world after a request, in the order in which the store will tell it."""
        tables: dict[str, dict[str, Resource]] = {f"{kind}s": dict(self.table(kind)) for kind in KINDS}
        for record in removed:
            tables[f"{record.kind}s"].pop(record.key, None)
        for record in records:
            tables[f"{record.kind}s"][record.key] = record
        return World(**{kind: dict(sorted(table.items())) for kind, table in tables.items()})  # type: ignore[arg-type]

    def shares_of(self, gateway: str) -> list[Share]:
        """The shares of a gateway."""
        return [share for share in self.shares.values() if share.gateway == gateway]

    def find(self, kind: str, name: str) -> Resource:
        """A record by key; a share also by its bare name where only one has it. Raises NotFound."""
        table = self.table(kind)
        if name in table:
            return table[name]
        matches = [record for record in table.values() if record.name == name]
        if len(matches) == 1:
            return matches[0]
        if matches:
            keys = ", ".join(record.key for record in matches)
            raise NotFound(f"more than one {kind} is called {name}", hint=f"say which: {keys}")
        known = [*table, *(record.name for record in table.values())]
        raise NotFound(f"there is no {kind} {name}", hint=did_you_mean(name, known))
