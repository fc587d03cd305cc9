"""What an administrator should know about a request that is carried out all the same. Pure."""

from collections.abc import Sequence

from .model import Gateway, Group, Resource, Share, User
from .samba.proof import logins
from .world import World


def advice(records: Sequence[Resource], world: World) -> list[str]:
    """Warnings about records, and about shares that changed users and groups leave without anybody to log in."""
    people = {record.name for record in records if isinstance(record, User)}
    changed = {record.name for record in records if isinstance(record, Group)}
    groups = {f"@{g.name}" for g in world.groups.values() if g.name in changed or people & set(g.members)}
    keys = {record.key for record in records if isinstance(record, Share)}
    said = [text for record in records for text in _about(record)]
    for share in world.shares.values():
        if share.key in keys or (people | groups) & share.access.keys():
            said += _nobody(share, world)
        gateway = world.gateways.get(share.gateway)
        if share.key in keys and gateway and not gateway.enabled:
            said.append(f"share {share.name}: it is served once its gateway is started: gateway start {share.gateway}")
    return said


def _about(record: Resource) -> list[str]:
    if isinstance(record, User) and record.password_set is None:
        return [f"user {record.name}: cannot log in: it has no password"]
    if isinstance(record, Gateway) and record.allow_guests:
        return [f"gateway {record.name}: guests are allowed, so sessions are signed only where the client asks for it"]
    if isinstance(record, Share) and record.guest:
        may = "read and change" if record.guest == "write" else "read"
        return [f"share {record.name}: anybody on the network can {may} it without a password"]
    return []


def _nobody(share: Share, world: World) -> list[str]:
    if share.guest or logins(share, world.users, world.groups):
        return []
    return [f"share {share.name}: nobody can log in: give a user with a password access"]
