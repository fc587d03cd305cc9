"""What a request may say of fields that the engine fills in: records of another machine come so."""

from typing import Any

import pytest

from smbgateway.engine import Engine
from smbgateway.errors import Conflict, Invalid
from smbgateway.intake import Options
from smbgateway.model import Resource, Share, User

from .machine import EmptyMachine, new_engine

GATEWAY = {"kind": "gateway", "name": "files"}
SHARE = {"kind": "share", "name": "docs", "gateway": "files", "source": {"kind": "directory", "path": "/srv/docs"}}


@pytest.fixture
def engine() -> Engine:
    return new_engine("/tmp/none")


def taken_in(engine: Engine, *items: dict[str, Any]) -> list[Resource]:
    world = engine.site.world()
    records = engine.intake.allocated(engine.intake.checked(items, world, Options()), world)
    for record in records:
        engine.site.store.save(record.sealed("ready"))
    return records


def refused(engine: Engine, *items: dict[str, Any]) -> list[str]:
    with pytest.raises(Invalid) as caught:
        engine.intake.checked(items, engine.site.world(), Options())
    return [f"{fault.field}: {fault.message} ({fault.hint})" for fault in caught.value.faults]


def test_ids_of_another_machine_are_kept(engine: Engine) -> None:
    bob, staff = taken_in(
        engine,
        {"kind": "user", "name": "bob", "uid": 25000},
        {"kind": "group", "name": "staff", "gid": 25000, "members": ["bob"]},
    )
    assert (bob.uid, staff.gid) == (25000, 25000)  # type: ignore[attr-defined]


def test_no_two_users_or_groups_are_one_to_the_file_system(engine: Engine) -> None:
    taken_in(engine, {"kind": "user", "name": "alice"}, {"kind": "group", "name": "staff"})
    assert refused(
        engine, {"kind": "user", "name": "bob", "uid": 20002}, {"kind": "group", "name": "guests", "gid": 20002}
    ) == [
        "user.bob.uid: 20002 is user alice's: they would be one to the file system (leave it out to get a free one)",
        "group.guests.gid: 20002 is group staff's: they would be one to the file system "
        "(leave it out to get a free one)",
    ]
    both = [{"kind": "user", "name": name, "uid": 20009} for name in ("carol", "dora")]
    assert len(refused(engine, *both)) == 2


@pytest.mark.parametrize(
    "item", [{"kind": "user", "name": "bob", "uid": 25000}, {"kind": "group", "name": "staff", "gid": 25000}]
)
def test_an_id_of_the_nodes_own_accounts_is_not_given_away(engine: Engine, item: dict[str, Any]) -> None:
    assert isinstance(engine.site.host, EmptyMachine)
    engine.site.host.run = lambda *argv, **more: "deploy:x:25000:25000::/:/bin/sh\n"  # type: ignore[method-assign]
    with pytest.raises(Conflict) as caught:
        engine.intake.checked([item], engine.site.world(), Options())
    what = f"{item['kind']} {item['name']} cannot have the id 25000: it is an account's of this node"
    assert (caught.value.what, caught.value.hint) == (what, "leave it out to get a free one")


def test_a_share_of_another_machine_is_new_here(engine: Engine) -> None:
    """Its record says that its data exists: there, not here."""
    _, share = taken_in(engine, GATEWAY, SHARE | {"made": True, "adopted": True, "state": "ready"})
    assert isinstance(share, Share)
    assert (share.made, share.adopted) == (False, False)
    assert share.sealed("ready").made


def test_what_a_record_was_given_is_not_changed_by_a_request(engine: Engine) -> None:
    taken_in(engine, {"kind": "user", "name": "alice"})
    (alice,) = taken_in(engine, {"kind": "user", "name": "alice", "uid": 25000, "password_set": 7})
    assert isinstance(alice, User)
    assert (alice.uid, alice.password_set) == (20002, None)
