"""The n-th command fails, for every n: the world is as before, and the error says so."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smbgateway.engine import Engine
from smbgateway.errors import CommandFailed, GatewayError, HoldsData
from smbgateway.host import Node
from smbgateway.intake import Options

from .crash import Failing, in_parallel
from .world import PASSWORD, HeldOpen, Site, differences, leftovers, site, snapshot, user

NEW_PASSWORD = "Another-Word-2"


@pytest.fixture(scope="module")
def running(area: Path) -> Iterator[Site]:
    """A gateway with two users and a share."""
    with site(area, "undo") as one:
        one.apply(one.gateway(), user(), user("bob"), one.share("other", access={"alice": "write", "bob": "read"}))
        yield one


def as_before(before: dict[str, list[str]], site: Site) -> list[str]:
    return differences(before, snapshot(site)) + leftovers(site)


def every_failure(
    site: Site, operation: Callable[[Engine], object], reset: Callable[[], object] = lambda: None,
    also: Callable[[], list[str]] = list, part: tuple[int, int] = (0, 1),
) -> int:  # fmt: skip
    """Let the first, second, ... command that writes fail, until none is left; how many there are."""
    before, nth = snapshot(site), part[0] + 1
    while True:
        host, said = Failing(nth), ""
        try:
            operation(site.new_engine(host))
        except GatewayError as error:
            said = str(error)
            assert "failed by the test" in said or "No space left on device" in said, said
        if not host.failed:
            return nth
        if not said:  # one that it can do without
            reset()
        if host.failed.startswith("rm -"):  # what cannot be removed goes at the engine's next start
            site.engine.recovery.sweep()
        assert as_before(before, site) + also() == [], f"{host.failed} failed: {said}"
        nth += part[1]


def test_create_of_user_and_image(running: Site) -> None:
    new = [user("carol"), running.image("docs", access={"carol": "write"})]
    names = [("share", "files/docs"), ("user", "carol")]
    reset = lambda: running.remove(*names, destroy_data=True)  # noqa: E731
    assert every_failure(running, lambda engine: engine.apply(new), reset) > 15
    assert running.works("docs", user="carol")
    reset()


def test_create_of_a_gateway(area: Path) -> None:
    def part(number: int) -> str:
        with site(area, f"nothing-{number}") as one:
            gateway = one.gateway()
            new = [gateway, user(), one.share()]
            names = [("share", "files/docs"), ("gateway", "files"), ("user", "alice")]
            reset = lambda: one.remove(*names, destroy_data=True)  # noqa: E731
            assert every_failure(one, lambda engine: engine.apply(new), reset, part=(number, 2)) > 25
        return ""

    assert in_parallel(part) == []


def test_update_keeps_former_values_the_loaded_configuration_and_the_password(running: Site) -> None:
    new = [running.gateway(minimum_protocol="SMB3_11"), user("bob", NEW_PASSWORD)]
    new.append(running.share("other", access={"bob": "write"}))
    old = [running.gateway(), user("bob"), running.share("other", access={"alice": "write", "bob": "read"})]

    def also() -> list[str]:
        faults = [] if running.works("other") else ["alice cannot write"]
        for password, works in ((PASSWORD, True), (NEW_PASSWORD, False)):
            said = running.smb("other", "ls", user="bob", password=password)
            faults += [f"bob, {password}: {said}"] if ("NT_STATUS_" in said) == works else []
        old_client = running.smb("other", "ls", extra=["-m", "SMB3_02"])
        return faults + ([f"the running smbd: {old_client}"] if "NT_STATUS_" in old_client else [])

    before = snapshot(running)
    pids = running.pids()
    assert every_failure(running, lambda engine: engine.apply(new), lambda: running.apply(*old), also) > 5
    assert "NT_STATUS_" in running.smb("other", "ls", user="bob", password=NEW_PASSWORD, extra=["-m", "SMB3_02"])
    running.apply(*old)
    assert running.pids() == pids, "all by reload"
    assert [line for line in differences(before, snapshot(running)) if "bob" not in line] == []


def test_a_port_that_changes_is_set_back(running: Site) -> None:
    new = running.gateway(port=running.gateway("new")["mode"]["port"])
    also = lambda: [] if running.works("other") else ["nobody answers at the former port"]  # noqa: E731
    before = running.gateway()

    class Once(Node):
        failed = False

        def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
            if argv[0] == "net" and "import" in argv and not self.failed:
                self.failed = True
                raise CommandFailed(argv, 1, "failed by the test")
            return super().run(*argv, stdin=stdin, timeout=timeout)

    with pytest.raises(GatewayError) as caught:
        running.new_engine(Once()).apply([new, running.share("other", comment="x")])
    undone = str(caught.value).splitlines()[1]
    assert undone == "  undone: share other, smbd of gateway files, smb.conf of gateway files"
    assert also() == []
    assert running.gateway() == before
    assert "NT_STATUS_CONNECTION_REFUSED" in running.smb("other", extra=[f"--port={new['mode']['port']}"])


@pytest.mark.parametrize("destroy", [False, True], ids=["keeping data", "destroying data"])
def test_removal(running: Site, destroy: bool) -> None:
    new = [user("dora"), running.image("docs", access={"alice": "write", "dora": "write"})]
    running.apply(*new)
    assert "NT_STATUS_" not in running.smb("docs", "put /etc/hostname kept")
    names = [("share", "files/docs"), ("user", "dora")]
    also = lambda: [] if "kept" in running.smb("docs", user="dora") else ["dora does not see her file"]  # noqa: E731
    operation = lambda engine: engine.remove(names, Options(destroy_data=destroy))  # noqa: E731
    if not destroy:
        assert every_failure(running, operation, lambda: running.apply(*new), also) > 5
        assert (running.srv / "docs.img").exists()
        running.apply(*new)
        assert "kept" in running.smb("docs", user="dora")
        with pytest.raises(HoldsData, match="the data of share docs is not destroyed: it was there before the share"):
            running.remove(("share", "files/docs"), destroy_data=True)
        running.remove(*names)
        (running.srv / "docs.img").unlink()
    else:
        running.remove(*names, destroy_data=True)
        assert not (running.srv / "docs.img").exists()
    assert running.drift() == []


def test_removal_of_a_gateway(area: Path) -> None:
    def part(number: int) -> str:
        with site(area, f"goes-{number}") as one:
            one.apply(one.gateway(), user(), one.share())
            names = [("share", "files/docs"), ("gateway", "files")]
            assert every_failure_of_removal(one, names, (number, 2)) > 8
        return ""

    assert in_parallel(part) == []


def every_failure_of_removal(one: Site, names: list[tuple[str, str]], part: tuple[int, int]) -> int:
    """The supervisor is another one afterwards: what counts is that all is served as before."""
    before, nth = served(one), part[0] + 1
    while True:
        host, said = Failing(nth), ""
        try:
            one.new_engine(host).remove(names)
        except GatewayError as error:
            said = str(error)
        if not said:
            assert not host.failed
            return nth
        if host.failed.startswith("rm -"):
            one.engine.recovery.sweep()
        assert differences(before, served(one)) + leftovers(one) + one.drift() == [], f"{host.failed}: {said}"
        assert one.works("docs"), f"{host.failed}: {said}"
        nth += part[1]


def served(one: Site) -> dict[str, list[str]]:
    return {name: lines for name, lines in snapshot(one).items() if "processes" not in name}


def test_an_undo_that_meets_a_clients_file_keeps_it_and_says_so(running: Site) -> None:
    class FileComes(Node):
        """A client is faster than the proof, which then fails."""

        def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
            if argv[-3:-1] == ("-m", "smbgateway.samba.shadow") or argv[-1] == "smbgateway.samba.shadow":
                (running.srv / "docs" / "thesis").write_text("years of work")
                raise CommandFailed(argv, 1, "failed by the test")
            return super().run(*argv, stdin=stdin, timeout=timeout)

    with pytest.raises(GatewayError) as caught:
        running.new_engine(FileComes()).apply([running.share("docs")])
    docs = running.srv / "docs"
    assert f"left: directory {docs} (files of clients are in it)" in str(caught.value)
    assert (docs / "thesis").read_text() == "years of work"
    assert "files/docs" not in running.engine.site.world().shares
    running.apply(running.share("docs"))
    assert running.engine.site.world().shares["files/docs"].adopted
    running.remove(("share", "files/docs"))
    assert (docs / "thesis").read_text() == "years of work"


def test_the_error_names_what_failed_and_what_was_undone(running: Site) -> None:
    class NoAttributes(Node):
        def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
            if argv[0] == "setfattr":
                raise CommandFailed(argv, 1, "setfattr: Operation not supported")
            return super().run(*argv, stdin=stdin, timeout=timeout)

    with pytest.raises(GatewayError) as caught:
        running.new_engine(NoAttributes()).apply([running.share("plain")])
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"cannot set earmark of {running.srv}/plain: setfattr ")
    assert lines[0].endswith(": setfattr: Operation not supported")
    assert lines[1] == f"  undone: directory {running.srv}/plain" or "earmark" in lines[1]
    assert not (running.srv / "plain").exists()


def test_data_that_was_there_before_is_never_destroyed(running: Site) -> None:
    (running.srv / "old").mkdir()
    (running.srv / "old" / "file").write_text("old")
    running.apply(running.share("old"))
    with pytest.raises(HoldsData, match="the data of share old is not destroyed: it was there before the share was"):
        running.remove(("share", "files/old"), destroy_data=True)
    with HeldOpen(running, "old") as held:
        assert "file" in held.do("ls")
    running.remove(("share", "files/old"))
    assert (running.srv / "old" / "file").read_text() == "old"
