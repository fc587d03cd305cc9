"""Two engines on one store: each converges what it owns, both follow the other's changes, and nothing is lost."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smbgateway.errors import Conflict, GatewayError, Invalid
from smbgateway.watch import Watch

from .world import PASSWORD, HeldOpen, Site, site, user


@pytest.fixture(scope="module")
def both(area: Path) -> Iterator[tuple[Site, Site]]:
    """Nodes `one` and `two`, each with a gateway, and the user alice."""
    shared = area / "store"
    with site(area, "node-one", "one", shared) as one, site(area, "node-two", "two", shared) as two:
        one.apply(one.gateway("first"), user(), one.share("docs", "first"))
        two.apply(two.gateway("second"), two.share("docs", "second"))
        yield one, two


def all_at_once(*works: Callable[[], object]) -> list[str]:
    """Run all in threads, begun together; what went wrong."""
    faults: list[str] = []
    begin = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> None:
        begin.wait()
        try:
            work()
        except Exception as error:
            faults.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


def test_each_converges_only_what_it_owns(both: tuple[Site, Site]) -> None:
    one, two = both
    assert one.works("docs", gateway="first")
    assert two.works("docs", gateway="second")
    assert not one.own("second").exists()
    assert not two.own("first").exists()
    for here in both:
        here.engine.bring_up("first")
        here.engine.bring_up("second")
        Watch(here.engine).look()
    assert not one.own("second").exists()
    assert not two.own("first").exists()


def test_people_changed_here_are_effective_there(both: tuple[Site, Site]) -> None:
    one, two = both
    watch = Watch(two.engine)
    one.apply(user("bob"))
    watch.look()
    two.apply(two.share("docs", "second", access={"alice": "write", "bob": "read"}))
    with HeldOpen(two, "docs", "bob", "second") as bob, HeldOpen(two, "docs", gateway="second") as alice:
        one.apply(user("bob", None, enabled=False))
        assert "NT_STATUS_" not in bob.do("ls"), "not before the other engine looks"
        watch.look()
        bob.cut()
        assert "NT_STATUS_" not in alice.do("ls")
    assert "NT_STATUS_ACCOUNT_DISABLED" in two.smb("docs", user="bob", gateway="second")
    one.apply(user("bob", "Another-Word-2"))
    watch.look()
    assert "NT_STATUS_" not in two.smb("docs", user="bob", password="Another-Word-2", gateway="second")
    assert "NT_STATUS_LOGON_FAILURE" in two.smb("docs", user="bob", gateway="second")
    two.apply(two.share("docs", "second"))
    one.remove(("user", "bob"))
    watch.look()
    assert "bob" not in two.instance("second").tool("pdbedit", "-L", "-w")
    assert two.drift("second") == []


def test_what_the_other_set_back_is_set_back_here(both: tuple[Site, Site]) -> None:
    """A record on its way is seen by the other engine, and so is its way back."""
    one, two = both
    watch = Watch(two.engine)
    world = two.engine.site.world()
    ready = world.users["alice"]
    two.engine.site.store.save(ready.model_copy(update={"full_name": "On The Way"}).sealed("creating"))
    watch.look()
    two.engine.bring_up("second")
    two.engine.site.store.save(ready)
    watch.look()
    assert two.drift("second") == []
    assert one.drift("first") == []


def test_who_was_on_his_way_and_is_gone_is_removed_here(both: tuple[Site, Site]) -> None:
    """The gateway is brought up while a user's record is on its way: he is no change when it is ready, but gone."""
    one, two = both
    watch = Watch(two.engine)
    one.apply(user("bob"))
    watch.look()
    world = two.engine.site.world()
    two.engine.site.store.save(world.users["bob"].sealed("creating"))
    two.engine.bring_up("second")
    two.engine.site.store.save(world.users["bob"])
    one.remove(("user", "bob"))
    watch.look()
    assert two.drift("second") == []


def test_an_own_change_is_not_done_twice(both: tuple[Site, Site]) -> None:
    one, _ = both
    watch = Watch(one.engine)
    watch.look()
    brought_up: list[str] = []
    bring_up = one.engine.bring_up
    one.engine.bring_up = lambda name: brought_up.append(name) or bring_up(name)  # type: ignore[method-assign,func-returns-value]
    try:
        one.apply(one.share("docs", "first", comment="changed"))
        watch.look()
        assert brought_up == []
        one.remove(("share", "first/docs"))
        watch.look()
        assert brought_up == []
    finally:
        one.engine.bring_up = bring_up  # type: ignore[method-assign]
    one.apply(one.share("docs", "first"))


def test_a_call_for_the_others_gateway_is_refused_by_field(both: tuple[Site, Site]) -> None:
    one, _ = both
    with pytest.raises(Invalid) as caught:
        one.apply(one.share("more", "second"))
    told = [(fault.field, fault.message, fault.hint) for fault in caught.value.faults]
    assert told == [("share.more.gateway", "it is node two's, this is one", "ask the engine of that node")]
    with pytest.raises(Invalid) as caught:
        one.apply(one.gateway("second", minimum_protocol="SMB3_11") | {"mode": {"node": "two"}})
    assert "gateway.second.mode.node: the gateway is node two's, this is one" in str(caught.value)
    with pytest.raises(Conflict, match="share docs is node two's"):
        one.remove(("share", "second/docs"))


def test_an_old_digest_is_refused(both: tuple[Site, Site]) -> None:
    one, two = both
    digest = one.engine.site.world().shares["second/docs"].digest
    two.apply(two.share("docs", "second", comment="changed", digest=digest))
    with pytest.raises(Conflict) as caught:
        two.apply(two.share("docs", "second", comment="changed again", digest=digest))
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("share docs was changed meanwhile: its digest is ")
    assert f"the request was made for {digest}" in lines[0]
    assert lines[1] == "  look at it again (show), then repeat the change"


def test_changes_of_both_at_once_lose_nothing(both: tuple[Site, Site]) -> None:
    one, two = both
    works: list[Callable[[], object]] = []
    for number in range(4):
        works.append(lambda number=number: one.apply(user(f"u{number}"), one.share(f"s{number}", "first")))  # type: ignore[misc]
        works.append(lambda number=number: two.apply(user(f"v{number}"), two.share(f"s{number}", "second")))  # type: ignore[misc]
    assert all_at_once(*works) == []
    for here in both:
        Watch(here.engine).look()
    world = one.engine.site.world()
    assert {f"{letter}{number}" for letter in "uv" for number in range(4)} <= world.users.keys()
    assert len({user.uid for user in world.users.values()}) == len(world.users)
    assert {record.state for table in (world.users, world.shares) for record in table.values()} == {"ready"}
    for here, gateway in ((one, "first"), (two, "second")):
        assert here.drift(gateway) == []
        assert [number for number in range(4) if not here.works(f"s{number}", gateway=gateway)] == []
        assert "NT_STATUS_" not in here.smb("IPC$", "exit", user="u0", gateway=gateway)
        assert "NT_STATUS_" not in here.smb("IPC$", "exit", user="v3", gateway=gateway)


def test_eight_creates_at_once(both: tuple[Site, Site]) -> None:
    one, _ = both
    before = one.pids("first")
    works = [lambda number=number: one.apply(one.share(f"eight{number}", "first")) for number in range(8)]  # type: ignore[misc]
    assert all_at_once(*works) == []
    assert [number for number in range(8) if not one.works(f"eight{number}", gateway="first")] == []
    assert one.drift("first") == []
    assert one.pids("first") == before


def test_one_user_changed_by_both_at_once_is_the_same_everywhere(both: tuple[Site, Site]) -> None:
    one, two = both
    words = ("Open-Sesame-3", "Open-Sesame-4")
    faults = all_at_once(lambda: one.apply(user("alice", words[0])), lambda: two.apply(user("alice", words[1])))
    assert faults == []
    for here in (one, two):
        Watch(here.engine).look()
    good = [word for word in words if "NT_STATUS_" not in one.smb("docs", gateway="first", password=word)]
    assert good == [word for word in words if "NT_STATUS_" not in two.smb("docs", gateway="second", password=word)]
    assert len(good) == 1
    assert one.drift("first") + two.drift("second") == []
    assert len(list(Path(one.paths.priv).rglob("alice*"))) == 1
    one.apply(user("alice", PASSWORD))
    Watch(two.engine).look()


def test_an_undo_leaves_what_the_other_changed_since(both: tuple[Site, Site]) -> None:
    one, two = both
    one.apply(user("eve"))

    def other(name: str, outcome: str, seconds: float) -> None:
        if name.startswith("directory") and outcome == "created":
            two.apply(user("eve", None, full_name="Eve Two"))
            raise RuntimeError("the test")

    with pytest.raises(GatewayError, match="the engine failed: RuntimeError: the test"):
        one.engine.apply([user("eve", None, full_name="Eve One"), one.share("undone", "first")], tell=other)
    assert one.engine.site.world().users["eve"].full_name == "Eve Two"
    assert "first/undone" not in one.engine.site.world().shares
    Watch(one.engine).look()
    assert one.drift("first") == []
