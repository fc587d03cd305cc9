"""A change is a job of the engine: start it, show its story while it runs, say how it ended."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence

from . import text
from .problem import INTERRUPTED, MANY, UNAVAILABLE, Problem, problem
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


Line = tuple[str, str, float]  # what, what became of it, seconds
WIDE = 36  # the first column, where lines appear before all are known


class Story:
    """The lines of a job. On a terminal they appear as they happen, below a title that is corrected at the end.

    Elsewhere nothing can be corrected: the lines wait for the title.
    """

    def __init__(self, session: Session, doing: str, single: bool) -> None:
        self.session, self.doing, self.single = session, doing, single
        self.lines: list[Line] = []
        self.parts: list[Line] = []  # of one gateway, not yet told
        self.rows = 1
        if session.terminal:
            print(f"{text.clean(doing)} ...", flush=True)

    def add(self, name: str, outcome: str, seconds: float = 0.0) -> None:
        """One step was done."""
        if name == "request":  # the engine's checks: no change of anything
            return
        if outcome.startswith("proved: "):
            name = "proved" if self.single else f"{name} proved"
            outcome = outcome.removeprefix("proved: ")
        gateway = name.partition(" of gateway ")[2]
        if self.parts and not (gateway and self.parts[-1][0].endswith(f" of gateway {gateway}")):
            self._fold()
        if gateway:
            self.parts.append((name, outcome, seconds))
        else:
            self._tell((name, outcome, seconds))

    def _fold(self) -> None:
        """Tell the parts of a gateway, as one line where they are many."""
        parts, self.parts = self.parts, []
        many = len(parts) >= MANY and not self.session.verbose
        for line in [folded(parts)] if many else parts:
            self._tell(line)

    def _tell(self, line: Line) -> None:
        self.lines.append(line)
        if self.session.terminal:
            shown = text.step(*line, width=WIDE)
            self.rows += -(-len(shown) // (os.get_terminal_size().columns or 80))
            print(shown, flush=True)

    def end(self, title: str) -> None:
        """Put the title over the lines (or below, where they no longer fit the screen)."""
        self._fold()
        if not self.session.terminal:
            width = max([text.NAME, *(len(name) for name, _, _ in self.lines if len(name) <= 60)])
            self.session.say([text.clean(title), *(text.step(*line, width=width) for line in self.lines)])
        elif self.rows < os.get_terminal_size().lines and not self.session.verbose:
            sys.stdout.write(f"\x1b[{self.rows}A\r\x1b[2K{text.clean(title)}\x1b[{self.rows}B\r")
        else:
            print(text.clean(title))

    def broken(self) -> None:
        """It failed: show how far it came; the error follows."""
        self._fold()
        if self.lines and not self.session.terminal:
            self.end(self.doing)
        sys.stdout.flush()


def folded(parts: Sequence[Line]) -> Line:
    """Many steps of one gateway as one."""
    verbs = {outcome for _, outcome, _ in parts}
    verb = verbs.pop() if len(verbs) == 1 else "created" if parts[0][1] == "created" else "changed"
    return (parts[0][0].partition(" of ")[2], f"{verb}, {len(parts)} parts", sum(seconds for _, _, seconds in parts))


def run(session: Session, target: str, body: dict[str, Any], doing: str, single: bool = True) -> int:
    """Ask for a change and see it through. Raises Problem."""
    job = ""
    try:
        job = session.client.post(target, body)["job"]
        return watch(session, job, doing, single)
    except KeyboardInterrupt as error:
        raise interrupted(session, job) from error


def watch(session: Session, job: str, doing: str, single: bool = True) -> int:
    """See a job through, from its beginning. Raises Problem."""
    if session.json:
        session.document(last(session, job))
        return 0
    story = Story(session, doing, single)
    try:
        for kind, event in events(session, job):
            if kind == "progress":
                story.add(event["name"], event["outcome"], event["seconds"])
            elif kind == "failed":
                raise Problem(event)
            else:
                for thing in event["kept"]:
                    story.add(thing, "kept")
                story.end(title(event, doing))
                session.say(ending(session, event))
    except Problem:
        story.broken()
        raise
    return 0


def last(session: Session, job: str) -> dict[str, Any]:
    """The result of a job, once it has ended. Raises Problem."""
    for kind, event in events(session, job):
        if kind == "failed":
            raise Problem(event)
        if kind == "done":
            return {**event, "job": job}
    raise AssertionError  # events ends with one of them


def events(session: Session, job: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Kind and body of each event to the end of a job; a broken connection is made again once. Raises Problem."""
    beyond, tries = 0, 0
    while tries < 2:
        tries += 1
        try:
            for number, kind, body in session.client.events(job, beyond):
                beyond, tries = number, 0
                yield kind, body
                if kind != "progress":
                    return
        except OSError:
            continue
        except Problem as error:
            if beyond or tries > 1:
                raise gone(session, job) from error
            raise
    raise gone(session, job)


def interrupted(session: Session, job: str) -> Problem:
    """Ctrl-C: the engine does not stop half-way."""
    if not job:
        hint = f"the engine may have begun the change: {session.command('job')} lists what runs"
        return problem("Interrupted", INTERRUPTED, "interrupted", hint=hint)
    hint = f"watch it: {session.command(f'job {job}')}"
    return problem("Interrupted", INTERRUPTED, "interrupted; the change goes on in the engine", hint=hint)


def gone(session: Session, job: str) -> Problem:
    """The engine ended while a job ran."""
    hint = f"once started again it finishes the change or sets it back; then look: {session.command('status')}"
    return problem("Unavailable", UNAVAILABLE, "the engine went away during the change", f"job {job}", hint)


def title(result: dict[str, Any], doing: str) -> str:
    """What a job did, in one line."""
    outcomes, changes = result["outcomes"], result["changes"]
    if all(outcome["outcome"] == "unchanged" for outcome in outcomes) and outcomes:
        names = named(outcomes[-1]) if len(outcomes) == 1 else text.counted(len(outcomes), "resource")
        return f"mended {names}" if changes else f"nothing to change: {names} as asked for"
    shares = [outcome for outcome in outcomes if outcome["kind"] == "share"]
    if len(shares) == 1 and all(outcome is shares[0] or serves(outcome, shares[0]) for outcome in outcomes):
        new = any(serves(outcome, shares[0]) and outcome["outcome"] == "created" for outcome in outcomes)
        return one_share(shares[0], new)
    if len(outcomes) == 1:
        return f"{outcomes[0]['outcome']} {named(outcomes[0])}"
    return summary(outcomes) if outcomes else f"done: {doing}"


def named(outcome: dict[str, str]) -> str:
    """`share docs on gateway files`, `user alice`."""
    gateway, _, name = outcome["key"].rpartition("/")
    return f"{outcome['kind']} {name}" + (f" on gateway {gateway}" if gateway else "")


def serves(gateway: dict[str, str], share: dict[str, str]) -> bool:
    """Whether a resource is the gateway of a share: made for it, or changed because of it."""
    return gateway["kind"] == "gateway" and share["key"].startswith(f"{gateway['key']}/")


def one_share(share: dict[str, str], with_gateway: bool) -> str:
    """The title of the commonest job."""
    name = named(share)
    return f"{share['outcome']} {name.replace(' on gateway ', ' on new gateway ') if with_gateway else name}"


def summary(outcomes: Sequence[dict[str, str]]) -> str:
    """`applied 5 resources: 3 created, 2 unchanged`."""
    words = [outcome["outcome"] for outcome in outcomes]
    counts = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    return f"applied {text.counted(len(outcomes), 'resource')}: {counts}"


def ending(session: Session, result: dict[str, Any]) -> list[str]:
    """What stands below the steps: warnings, and the addresses of what is new."""
    lines = [f"warning: {text.clean(warning)}" for warning in result["warnings"]]
    keys = [o["key"] for o in result["outcomes"] if o["kind"] == "share" and o["outcome"] == "created"]
    names = [key.rpartition("/")[2] for key in keys]
    addresses = [address for address in result["addresses"] if address.rpartition("\\")[2] in names]
    lines += [text.clean(address) for address in addresses]
    if len(keys) == len(addresses) == 1:
        port = session.client.record("gateway", keys[0].rpartition("/")[0])["mode"].get("port", 445)
        lines += [reach(addresses[0], port)] if port != 445 else []
    return lines


def reach(address: str, port: int) -> str:
    """The command that opens a share on another port than 445."""
    place = text.clean(address).replace("\\", "/")
    quoted = f"'{place}'" if " " in place or "$" in place else place
    return f"  on port {port}: smbclient {quoted} -p {port} -U USER"
