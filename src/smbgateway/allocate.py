"""What is chosen rather than observed: ids, SIDs, the node. Picked once, under the lock, and kept in the record."""

import secrets
from collections.abc import Collection, Iterable, Sequence

from .errors import Conflict
from .model import Gateway, Group, Resource, Share, User
from .samba.config import needs_apple
from .world import World

IDS = range(20002, 30000)  # 20000 is the common group, 20001 the guest


def allocate(records: Sequence[Resource], former: World, node: str, taken: Collection[int], now: int) -> list[Resource]:
    """Complete the records of a request: allocated fields are kept where they were, chosen where they were not.

    `taken` are ids that the node itself uses, `now` a Unix time for passwords that are set by this request.
    """
    chosen: list[Resource] = []
    for record in records:
        before = former.get(record)
        kept = _keep(record, before)
        if before is None and (wanted := getattr(record, "uid", None) or getattr(record, "gid", None)) in taken:
            what = f"{record.title} cannot have the id {wanted}: it is an account's of this node"
            raise Conflict(what, hint="leave it out to get a free one")
        world = former if isinstance(kept, Share) else former.staged(chosen)
        chosen.append(_choose(kept, world, node, taken, now))
    return _with_apple(chosen, former)


def _keep(record: Resource, before: Resource | None) -> Resource:
    if before is None:
        return record
    return record.model_copy(update={name: getattr(before, name) for name in record.allocated})


def _choose(record: Resource, world: World, node: str, taken: Collection[int], now: int) -> Resource:
    update: dict[str, object] = {}
    if isinstance(record, Gateway):
        update["sid"] = record.sid or _sid(world)
        update["mode"] = record.mode if record.mode.node else record.mode.model_copy(update={"node": node})
    elif isinstance(record, User):
        update["uid"] = record.uid or _free((user.uid for user in world.users.values()), taken)
        if record.password:
            update["password_set"] = max(now, (record.password_set or 0) + 1)
    elif isinstance(record, Group):
        update["gid"] = record.gid or _free((group.gid for group in world.groups.values()), taken)
    return record.model_copy(update=update)


def _free(used: Iterable[int | None], taken: Collection[int]) -> int:
    busy = {*used, *taken}
    for number in IDS:
        if number not in busy:
            return number
    raise Conflict("all 9998 ids are in use")


def _sid(world: World) -> str:
    """One machine SID for all gateways, so that owners in NT ACLs stay true when a share moves."""
    known = next((gateway.sid for gateway in world.gateways.values() if gateway.sid), "")
    return known or "S-1-5-21-" + "-".join(str(secrets.randbelow(2**32 - 2**20) + 2**20) for _ in range(3))


def _with_apple(records: list[Resource], former: World) -> list[Resource]:
    """A gateway whose share needs fruit gets it for good; it joins the request where it did not stand in it."""
    staged = former.staged(records)
    for name in {record.gateway for record in records if isinstance(record, Share) and needs_apple(record)}:
        gateway = staged.gateways.get(name)
        if gateway and not gateway.apple:
            records = [record for record in records if (record.kind, record.key) != ("gateway", name)]
            records.insert(0, gateway.model_copy(update={"apple": True}))
    return records
