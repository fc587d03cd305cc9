"""What is asked of many paths at once, and what is asked again all the same."""

import pytest

from smbgateway.errors import CommandFailed
from smbgateway.sources import cells
from smbgateway.sources.foresight import Foresight
from tests.unit.fakes import Call, FakeHost

PATHS = ("/srv/a", "/srv/b c", "/srv/gone", '/srv/d"')
STAT = Call(
    ("stat", "--printf=%n\\n%F %u:%g %a\\n", "--", *PATHS),
    '/srv/a\ndirectory 0:20000 2770\n/srv/b c\nregular file 0:0 644\n/srv/d"\ndirectory 0:0 755\n',
)
MARKS = Call(
    ("getfattr", "-h", "--absolute-names", "-n", cells.EARMARK, "--", *PATHS),
    '# file: /srv/a\ntrusted.smbgateway="gateway=files share=a"\n\n'
    '# file: /srv/d"\ntrusted.smbgateway="gateway=files share=d\\""\n\n',
)


def asked(path: str) -> tuple[Call, Call]:
    """What each is asked alone, and a later answer to it."""
    return Call(cells.stat_question(path, cells.OWNED), "later"), Call(cells.earmark_question(path), "later mark")


@pytest.fixture
def host() -> FakeHost:
    return FakeHost([STAT, MARKS, *(call for path in PATHS for call in asked(path)), Call(("chmod", "0", "/srv/a"))])


def test_answers_known_beforehand_start_no_command(host: FakeHost) -> None:
    foresight = Foresight(host, PATHS)
    assert cells.stat(foresight, "/srv/a", cells.OWNED) == "directory 0:20000 2770"
    assert cells.read_earmark(foresight, "/srv/a") == "gateway=files share=a"
    assert cells.stat(foresight, "/srv/b c", cells.OWNED) == "regular file 0:0 644"
    assert host.done == [STAT.argv, MARKS.argv]


def test_each_serves_one_read(host: FakeHost) -> None:
    foresight = Foresight(host, PATHS)
    said = [cells.stat(foresight, "/srv/a", cells.OWNED) for _ in range(2)]
    assert said == ["directory 0:20000 2770", "later"]


def test_another_command_on_a_path_ends_what_was_known_of_it(host: FakeHost) -> None:
    foresight = Foresight(host, PATHS)
    foresight.run("chmod", "0", "/srv/a")
    assert cells.read_earmark(foresight, "/srv/a") == "later mark"
    assert cells.stat(foresight, '/srv/d"', cells.OWNED) == "directory 0:0 755"


def test_what_is_absent_or_not_understood_is_asked_alone(host: FakeHost) -> None:
    foresight = Foresight(host, PATHS)
    assert cells.stat(foresight, "/srv/gone", cells.OWNED) == "later"
    assert cells.read_earmark(foresight, "/srv/b c") == "later mark"
    assert cells.read_earmark(foresight, '/srv/d"') == "later mark"


@pytest.mark.parametrize("said", ["", "/srv/a\ndirectory 0:2"])
def test_of_a_command_that_is_cut_off_whole_answers_are_taken(said: str) -> None:
    class Hanging(FakeHost):
        def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
            if len(argv) > 10:
                raise CommandFailed(argv, -1, "no answer", said)
            return super().run(*argv, stdin=stdin, timeout=timeout)

    paths = [f"/srv/{name}" for name in "abcdefghijk"]
    foresight = Foresight(Hanging([*asked("/srv/a")]), paths)
    assert cells.stat(foresight, "/srv/a", cells.OWNED) == "later"
