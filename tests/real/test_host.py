"""The node: real processes and real files."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from smbgateway.errors import CommandFailed, CommandMissing
from smbgateway.host import Node, spawn
from smbgateway.proxmox.agent import Agent
from smbgateway.proxmox.client import Proxmox

NODE = Node()


def wait_until(condition: Callable[[], object], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def running(pid: int) -> bool:
    """Whether a process is alive; one that ended and waits for its parent is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_output_and_standard_input() -> None:
    assert NODE.run("cat", stdin="grüße\n") == "grüße\n"
    assert NODE.run("printf", r"\303\050") == "\ufffd("


def test_arguments_reach_the_command_as_they_are() -> None:
    words = ["a b", "$HOME", "*", "'", '"', "ü", ""]
    assert NODE.run("printf", "[%s]", *words) == "".join(f"[{word}]" for word in words)


def test_a_command_finds_nothing_to_read_where_no_input_is_given() -> None:
    assert NODE.run("cat", timeout=5) == ""


def test_the_environment_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("SECRET", "x")
    words = dict(line.split("=", 1) for line in NODE.run("env").splitlines())
    assert words == {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C.UTF-8",
        "LANGUAGE": "C",
        "HOME": "/root",
    }
    assert NODE.run("pwd") == "/\n"


def test_text_is_utf_8_whatever_the_locale() -> None:
    program = "from smbgateway.host import Node; assert Node().run('cat', stdin='gr\\xfc\\xdfe') == 'gr\\xfc\\xdfe'"
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", program], env=ascii_only, check=True, timeout=60)


def test_a_failure_has_code_and_words() -> None:
    with pytest.raises(CommandFailed) as caught:
        NODE.run("ls", "/none")
    assert (caught.value.code, caught.value.argv) == (2, ["ls", "/none"])
    assert str(caught.value) == "ls /none: ls: cannot access '/none': No such file or directory"
    with pytest.raises(CommandFailed, match=r"^sh -c echo said; exit 3: said$"):
        NODE.run("sh", "-c", "echo said; exit 3")
    with pytest.raises(CommandFailed, match=r"^sh -c exit 3: exit code 3$"):
        NODE.run("sh", "-c", "exit 3")


@pytest.mark.parametrize(
    ("program", "hint"),
    [("xfs_growfs", "apt install xfsprogs"), ("no-such-tool", "install the package that has no-such-tool")],
)
def test_a_missing_program_names_its_package(program: str, hint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smbgateway.host.ENVIRONMENT", {"PATH": "/none"})
    with pytest.raises(CommandMissing) as caught:
        NODE.run(program)
    assert str(caught.value) == f"{program} is not installed\n  {hint}"


def test_a_timeout_ends_the_command_and_its_children(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    started = time.monotonic()
    with pytest.raises(CommandFailed) as caught:
        NODE.run("sh", "-c", f"sleep 60 & echo $! $$ >{file}; wait", timeout=0.5)
    assert time.monotonic() - started < 5
    assert caught.value.code == -1
    assert caught.value.cause == "no answer within 0.5 s"
    pids = [int(word) for word in file.read_text().split()]
    assert len(pids) == 2
    wait_until(lambda: not any(map(running, pids)))


def test_a_timeout_holds_even_if_a_child_got_away(tmp_path: Path) -> None:
    """A daemon that left the session keeps the pipes open: the caller is not kept waiting for it."""
    file = tmp_path / "pid"
    started = time.monotonic()
    with pytest.raises(CommandFailed, match=r"no answer within 0.5 s$"):
        NODE.run("sh", "-c", f"setsid sh -c 'echo $$ >{file}; exec sleep 60' & sleep 60", timeout=0.5)
    assert time.monotonic() - started < 10
    os.kill(int(file.read_text()), signal.SIGKILL)


def test_reading_a_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert NODE.read(str(file)) is None
    assert NODE.read(f"{__file__}/below") is None
    file.write_bytes(b"a\r\n\xff\n")
    assert NODE.read(str(file)) == "a\r\n\udcff\n"
    with pytest.raises(IsADirectoryError):
        NODE.read(str(tmp_path))


@pytest.mark.parametrize("text", ["", "a\n", "a\r\nb", "grüße", "\udcff"], ids=ascii)
def test_what_is_written_is_read(tmp_path: Path, text: str) -> None:
    NODE.write(str(tmp_path / "file"), text)
    assert NODE.read(str(tmp_path / "file")) == text


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o755], ids=oct)
def test_the_mode_of_a_file_is_as_asked_whatever_the_umask(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "file"
    file.touch(0o666)
    before = os.umask(0o077)
    try:
        NODE.write(str(file), "x", mode)
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_secret_is_never_open_to_others_not_even_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    NODE.write(str(tmp_path / "secret"), "x", 0o600)
    assert modes[0] == 0o600


@pytest.mark.parametrize("point", ["os.fsync", "os.chmod", "os.replace"])
def test_a_failing_write_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    file = tmp_path / "file"
    file.write_text("old")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(point, fails)
    with pytest.raises(OSError, match="No space left on device"):
        NODE.write(str(file), "new")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_replaces_the_file_in_one_step(tmp_path: Path) -> None:
    """Who has the old file open goes on reading the old text; a link to it is not written through."""
    file, other = tmp_path / "file", tmp_path / "other"
    other.write_text("other")
    file.symlink_to(other)
    NODE.write(str(file), "one")
    assert (file.is_symlink(), other.read_text()) == (False, "other")
    with file.open() as old:
        NODE.write(str(file), "two")
        assert old.read() == "one"
    assert file.read_text() == "two"


def test_a_write_into_no_directory_fails(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        NODE.write(str(tmp_path / "none" / "file"), "x")


def test_a_daemon_outlives_the_call_and_is_nobodys_child(tmp_path: Path) -> None:
    file, log = tmp_path / "pid", tmp_path / "log"
    spawn(["sh", "-c", f"echo said; cat; echo $$ >{file}.new; mv {file}.new {file}; exec sleep 60"], str(log))
    wait_until(file.exists)
    pid = int(file.read_text())
    try:
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        assert parent != os.getpid()
        assert log.read_text() == "said\n"
    finally:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("given", [b"", b"gr\xc3\xbc\xc3\x9fe\xff\n"], ids=["no input", "input"])
def test_a_shell_in_a_machine_of_proxmox_ve_gets_words_and_input_as_they_are(
    given: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(Proxmox, "call", lambda self, method, path, given, secret: asked.append(given) or {"pid": 7})
    words = ["sh", "-c", 'printf "<%s>" "$@"; cat; echo aside >&2; exit 3', "sh", "", "a 'b'", "Größe €", "$x\n*"]
    assert Agent(Proxmox(NODE, "one"), "/nodes/one/qemu/105", "it").start(words, given) == 7
    text, command = asked[0]["input-data"], asked[0]["command"]
    assert isinstance(command, list)
    assert (str(text) + "".join(command)).isascii()
    ended = subprocess.run(command, input=str(text or "").encode(), capture_output=True, check=False)
    assert ended.stdout == "<><a 'b'><Größe €><$x\n*>".encode() + given
    assert (ended.stderr, ended.returncode) == (b"aside\n", 3)
