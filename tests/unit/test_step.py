"""The core: converge, remove, and set back whatever happens on the way."""

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbgateway.errors import CommandFailed, CommandMissing, HoldsData
from smbgateway.step import Cell, Ledger, Step, StepFailed, look


class World:
    """Cells by name. `writes` is the order in which they were written; the write number `fails_at` fails."""

    def __init__(self, cells: dict[str, str] | None = None, fails_at: int = 0, after_effect: bool = False) -> None:
        self.cells = dict(cells or {})
        self.fails_at, self.after_effect = fails_at, after_effect
        self.writes: list[str] = []
        self.files: dict[str, str] = {}  # what clients put into cells that hold data

    def step(self, name: str, want: str, holds_data: bool = False) -> Step:
        destroy = (lambda: self.destroy(name)) if holds_data else None
        return Step(name, want, lambda: self.cells.get(name), lambda value: self.write(name, value), destroy)

    def write(self, name: str, value: str | None) -> None:
        self.writes.append(name)
        fails = len(self.writes) == self.fails_at
        if fails and not self.after_effect:
            raise CommandFailed(["tool", name], 1, "boom")
        if value is None and name in self.files:
            raise HoldsData(f"{name} stays", "files of clients are in it")
        self.put(name, value)
        if fails:
            raise CommandFailed(["tool", name], 1, "boom")

    def destroy(self, name: str) -> None:
        self.files.pop(name, None)
        self.write(name, None)

    def put(self, name: str, value: str | None) -> None:
        if value is None:
            self.cells.pop(name, None)
        else:
            self.cells[name] = value


def failing(error: Exception) -> Callable[..., str | None]:
    def raises(*_: object) -> str | None:
        raise error

    return raises


def names(steps: list[Step]) -> list[str]:
    return [step.name for step in steps]


def test_converge_writes_what_differs_in_order_and_only_once() -> None:
    world = World({"b": "2"})
    steps = [world.step("a", "1"), world.step("b", "2"), world.step("c", "3")]
    ledger = Ledger()
    ledger.converge(steps)
    assert world.cells == {"a": "1", "b": "2", "c": "3"}
    assert world.writes == ["a", "c"]
    again = Ledger()
    again.converge(steps)
    assert world.writes == ["a", "c"]
    assert again.changes == []
    assert again.undo() == ([], [])


def test_changes_say_what_was_created_and_what_changed() -> None:
    world, told = World({"b": "1"}), []
    ledger = Ledger(tell=told.append)
    ledger.converge([world.step("a", "1"), world.step("b", "2")])
    assert [(change.step.name, change.verb, change.former) for change in ledger.changes] == [
        ("a", "created", None),
        ("b", "changed", "1"),
    ]
    assert told == ledger.changes


def test_the_former_value_is_noted_before_the_write() -> None:
    world, seen = World({"b": "1"}), []
    ledger = Ledger(note=lambda name, former: seen.append((name, former, dict(world.cells))))
    ledger.converge([world.step("a", "1"), world.step("b", "2")])
    assert seen == [("a", None, {"b": "1"}), ("b", "1", {"a": "1", "b": "1"})]


def test_nothing_is_written_that_could_not_be_noted() -> None:
    world = World()
    ledger = Ledger(note=failing(OSError(28, "No space left on device")))
    with pytest.raises(StepFailed) as caught:
        ledger.converge([world.step("a", "1")])
    assert str(caught.value) == "cannot record a: [Errno 28] No space left on device"
    assert world.writes == []
    assert ledger.undo() == ([], [])


VALUES = st.sampled_from(["0", "1", "2"])
WORLDS = st.dictionaries(st.sampled_from("abcd"), VALUES)


@given(WORLDS, st.fixed_dictionaries(dict.fromkeys("abcd", VALUES)), st.integers(1, 5), st.booleans())
def test_whichever_write_fails_the_world_is_as_before(
    before: dict[str, str], want: dict[str, str], fails_at: int, after_effect: bool
) -> None:
    world = World(before, fails_at, after_effect)
    ledger = Ledger()
    steps = [world.step(name, value) for name, value in want.items()]
    differing = [step.name for step in steps if before.get(step.name) != step.want]
    if fails_at > len(differing):
        ledger.converge(steps)
        assert world.cells == want
    else:
        with pytest.raises(StepFailed) as caught:
            ledger.converge(steps)
        assert str(caught.value) == f"cannot set {differing[fails_at - 1]}: tool {differing[fails_at - 1]}: boom"
    reached = world.writes.copy()
    assert reached == differing[:fails_at]
    world.fails_at = 0
    assert ledger.undo() == (reached[::-1], [])
    assert world.cells == before
    assert world.writes == reached + reached[::-1]


@given(st.dictionaries(st.sampled_from("abcd"), VALUES, min_size=1), st.integers(1, 5), st.booleans())
def test_whichever_removal_fails_the_world_is_as_before(
    before: dict[str, str], fails_at: int, after_effect: bool
) -> None:
    world = World(before, fails_at, after_effect)
    ledger = Ledger()
    steps = [world.step(name, "9") for name in "abcd"]
    present = [name for name in "dcba" if name in before]
    if fails_at > len(present):
        assert ledger.remove(steps) == []
        assert world.cells == {}
    else:
        with pytest.raises(StepFailed) as caught:
            ledger.remove(steps)
        assert str(caught.value) == f"cannot remove {present[fails_at - 1]}: tool {present[fails_at - 1]}: boom"
    assert world.writes == present[:fails_at]
    world.fails_at = 0
    undone, left = ledger.undo()
    assert (undone, left) == (present[:fails_at][::-1], [])
    assert world.cells == before


def test_one_undo_sets_back_what_was_made_and_what_was_removed() -> None:
    before = {"old": "1", "shared": "1"}
    world = World(before)
    ledger = Ledger()
    ledger.converge([world.step("shared", "2"), world.step("new", "1")])
    ledger.remove([world.step("old", "1")])
    assert world.cells == {"shared": "2", "new": "1"}
    assert ledger.undo() == (["old", "new", "shared"], [])
    assert world.cells == before
    assert ledger.undo() == ([], [])


def test_a_step_that_holds_data_stops_the_undo_with_all_it_rests_on() -> None:
    world = World()
    ledger = Ledger()
    ledger.converge(
        [
            world.step("pool", "1"),
            world.step("directory", "1", holds_data=True),
            world.step("share", "1"),
            world.step("x", "1"),
        ]
    )
    world.files["directory"] = "letter.odt"
    assert ledger.undo() == (["x", "share"], ["directory (files of clients are in it)", "pool"])
    assert world.cells == {"pool": "1", "directory": "1"}
    assert ledger.changes == []


def test_an_empty_step_that_holds_data_is_undone() -> None:
    world = World()
    ledger = Ledger()
    ledger.converge([world.step("directory", "1", holds_data=True)])
    assert ledger.undo() == (["directory"], [])
    assert world.cells == {}


def test_a_changed_step_that_holds_data_is_set_back_with_its_files() -> None:
    world = World({"directory": "0"})
    world.files["directory"] = "letter.odt"
    ledger = Ledger()
    ledger.converge([world.step("directory", "1", holds_data=True)])
    assert ledger.undo() == (["directory"], [])
    assert world.cells == {"directory": "0"}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (CommandFailed(["tool"], 1, "boom"), "b (tool: boom)"),
        (CommandMissing("zfs", "zfsutils-linux"), "b (zfs is not installed)"),
        (OSError(30, "Read-only file system"), "b ([Errno 30] Read-only file system)"),
    ],
    ids=["command", "program", "file"],
)
def test_an_undo_that_fails_goes_on_with_the_rest(error: Exception, text: str) -> None:
    world = World()
    answers = iter([None, error])

    def write(value: str | None) -> None:
        if answer := next(answers):
            raise answer

    ledger = Ledger()
    ledger.converge([world.step("a", "1"), Step("b", "1", lambda: None, write), world.step("c", "1")])
    assert ledger.undo() == (["c", "a"], [text])
    assert world.cells == {}


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (CommandFailed(["tool", "x"], -1, "no answer within 60 s"), "cannot read b: tool x: no answer within 60 s"),
        (PermissionError(13, "Permission denied", "/x"), "cannot read b: [Errno 13] Permission denied: '/x'"),
    ],
    ids=["command", "file"],
)
def test_a_failing_read_never_leads_to_a_write(error: Exception, text: str) -> None:
    world = World()
    blind = Step("b", "1", failing(error), lambda value: world.write("b", value))
    for act in (Ledger().converge, Ledger().remove):
        with pytest.raises(StepFailed) as caught:
            act([world.step("a", "1"), blind, world.step("c", "1")])
        assert str(caught.value) == text
    assert world.writes == ["a"]


def test_a_hint_is_given_once() -> None:
    with pytest.raises(StepFailed) as caught:
        Ledger().converge([Step("a", "1", failing(CommandMissing("zfs", "zfsutils-linux")), lambda value: None)])
    assert str(caught.value) == "cannot read a: zfs is not installed\n  apt install zfsutils-linux"


def test_a_plain_removal_leaves_data_and_names_it() -> None:
    world = World({"a": "1", "data": "1", "more": "1", "z": "1"})
    steps = [world.step("a", "1"), world.step("data", "1", True), world.step("more", "1", True), world.step("z", "1")]
    ledger = Ledger()
    assert ledger.remove(steps) == ["data", "more"]
    assert world.cells == {"data": "1", "more": "1"}
    assert world.writes == ["z", "a"]
    assert Ledger().remove(steps) == ["data", "more"]
    assert ledger.undo() == (["a", "z"], [])
    assert world.cells == {"a": "1", "data": "1", "more": "1", "z": "1"}


def test_destroy_removes_data_too_last_first() -> None:
    world = World({"a": "1", "data": "1", "z": "1"})
    world.files["data"] = "letter.odt"
    steps = [world.step("a", "1"), world.step("data", "1", True), world.step("z", "1")]
    assert Ledger().remove(steps, destroy=True) == []
    assert world.cells == {}
    assert world.writes == ["z", "data", "a"]


def test_a_destroy_that_fails_restores_what_stood_on_it() -> None:
    world = World({"a": "1", "data": "1", "z": "1"}, fails_at=2)
    ledger = Ledger()
    with pytest.raises(StepFailed, match=r"^cannot destroy data: tool data: boom$"):
        ledger.remove([world.step("a", "1"), world.step("data", "1", True), world.step("z", "1")], destroy=True)
    assert ledger.undo() == (["z"], [])
    assert world.cells == {"a": "1", "data": "1", "z": "1"}


def test_look_reads_all_and_shows_what_cannot_be_read() -> None:
    world = World({"a": "1", "b": "0"})
    blind = Step("c", "1", failing(CommandFailed(["tool"], 1, "boom")), lambda value: None)
    cells = look([world.step("a", "1"), world.step("b", "1"), blind, world.step("d", "1")])
    assert cells == [
        Cell("a", "1", "1"),
        Cell("b", "0", "1"),
        Cell("c", None, "1", error="tool: boom"),
        Cell("d", None, "1"),
    ]
    assert [cell.differs for cell in cells] == [False, True, True, True]
    assert world.writes == []


def test_any_order_of_steps_is_undone_in_the_opposite_order() -> None:
    for order in itertools.permutations("abc"):
        world, ledger = World(), Ledger()
        ledger.converge([world.step(name, "1") for name in order])
        assert ledger.undo()[0] == list(order[::-1])
