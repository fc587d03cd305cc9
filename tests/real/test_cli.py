"""The command itself, against an engine of its own: what an administrator types, and what comes back."""

import fcntl
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from smbgateway import __version__
from smbgateway.paths import Paths

from .receiving import web_server
from .world import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
CLI = [sys.executable, "-m", "smbgateway.cli"]
PASSWORD = "correct horse 1"
Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def environment(area: Path) -> dict[str, str]:
    area.chmod(0o755)  # users of shares go through it
    root = area / "cli"
    (root / "srv").mkdir(parents=True)
    return {**os.environ, "PVE_SMBGATEWAY_ROOT": str(root), "PYTHONPATH": str(REPOSITORY / "src"), "LC_ALL": "C.UTF-8"}


@pytest.fixture(scope="module")
def srv(environment: dict[str, str]) -> str:
    return environment["PVE_SMBGATEWAY_ROOT"] + "/srv"


@pytest.fixture(scope="module")
def engine(environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    words = [*CLI, "serve", "--node", "lab1"]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("engine of node lab1"):
            break
    else:
        pytest.fail("".join(said))
    yield process
    for share in names(environment, "share"):
        subprocess.run([*CLI, "delete", share, "--destroy-data", "--yes", share], env=environment, check=True)
    for gateway in names(environment, "gateway"):
        subprocess.run([*CLI, "gateway", "delete", gateway], env=environment, check=True)
    process.terminate()
    process.communicate(timeout=30)


def names(environment: dict[str, str], kind: str) -> list[str]:
    words = [*CLI, "list", "--kind", kind, "--names"]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False).stdout.split()


@pytest.fixture(scope="module")
def run(engine: subprocess.Popen[str], environment: dict[str, str]) -> Cli:
    def once(command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        words = [*CLI, *shlex.split(command)]
        return subprocess.run(
            words, input=stdin, env=environment, capture_output=True, text=True, timeout=120, check=False
        )

    return once


@pytest.fixture(scope="module")
def docs(run: Cli, srv: str) -> str:
    """A share of one user, on an image with a quota: made as the README says."""
    user = run("user create office --password-stdin", stdin=PASSWORD + "\n")
    assert (user.returncode, user.stdout, user.stderr) == (0, "created user office\n", "")
    words = (
        f"create docs --source image:{srv}/docs.img --quota 300M --user office --address 127.0.0.1 --port {free_port()}"
    )
    made = run(words)
    assert made.returncode == 0, made.stderr
    first, *steps, address, port = made.stdout.splitlines()
    assert first == "created share docs on new gateway lab1"
    assert any(line.split() == ["share", "docs", "created"] for line in (step.partition("(")[0] for step in steps))
    assert any("login as office, wrote and read 1 MiB" in step for step in steps)
    assert address == r"\\127.0.0.1\docs"
    assert port.startswith("  on port ")
    return port.partition(": ")[2]


def test_the_command_it_names_opens_the_share(docs: str) -> None:
    words = [*shlex.split(docs.replace("USER", f"office%{shlex.quote(PASSWORD)}")), "-c", "ls"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert "blocks available" in done.stdout, done.stdout + done.stderr


def test_the_words_of_the_alpha_make_show_and_delete_a_share(run: Cli, docs: str, srv: str) -> None:
    made = run(f"create old --mode native --path {srv}/old --quota 300M")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("created share old on gateway lab1\n")
    assert any(line.split()[:2] == ["old", "lab1"] and "300 MiB" in line for line in run("list").stdout.splitlines())
    status = run("status old")
    assert (status.returncode, f"image:{srv}/old.img" in status.stdout) == (0, True)
    assert run("delete old --force --json").returncode == 0
    assert os.path.exists(f"{srv}/old.img")


def test_what_is_there_is_shown(run: Cli, docs: str, srv: str) -> None:
    line = run("list").stdout.splitlines()[1].split()
    assert line[:8] == ["docs", "lab1", "native", f"image:{srv}/docs.img", "300", "MiB", "general", "ready"]
    status = run("status docs")
    assert status.returncode == 0
    assert "  serving     yes\n" in status.stdout
    assert " of 300 MiB (" in status.stdout
    overview = run("status")
    assert (overview.returncode, "running, 127.0.0.1" in overview.stdout) == (0, True)
    assert json.loads(run("status --json").stdout)["gateways"][0]["running"] is True
    assert run("user list").stdout.splitlines()[1].split() == ["office", "enabled", "set"]
    version = run("version").stdout.splitlines()
    assert version[0] == f"pve-smbgateway {__version__}"
    assert version[1].startswith(f"engine {__version__} on node lab1, Samba 4.")


def test_what_is_shown_can_be_applied(run: Cli, docs: str) -> None:
    for shown, count in (("show docs", "share docs on gateway lab1"), ("export", "3 resources")):
        applied = run("apply -f -", stdin=run(shown).stdout)
        assert (applied.returncode, applied.stdout) == (0, f"nothing to change: {count} as asked for\n")


def test_a_change_is_planned_made_and_repeated(run: Cli, docs: str, srv: str) -> None:
    plan = run("update docs --quota 400M --dry-run")
    assert plan.stdout.splitlines() == [
        f"~ quota of {srv}/docs.img  {300 << 20} -> {400 << 20}",
        "1 thing would change; nothing was touched",
    ]
    made = run("update docs --quota 400M")
    assert made.stdout.splitlines()[0] == "updated share docs on gateway lab1"
    assert run("update docs --quota 400M").stdout == "nothing to change: share docs on gateway lab1 as asked for\n"
    stale = json.loads(run("show docs").stdout) | {"comment": "x", "digest": "0123456789abcdef"}
    refused = run("apply -f -", stdin=json.dumps(stale))
    assert (refused.returncode, refused.stdout) == (5, "")
    assert refused.stderr.startswith("share docs was changed meanwhile: ")


def test_drift_is_told_and_mended_by_the_command_it_names(run: Cli, docs: str, srv: str) -> None:
    subprocess.run(["chmod", "0644", f"{srv}/docs.img"], check=True)
    share = f"{srv}/../var/lib/pve-smbgateway/mounts/lab1/docs/data"
    subprocess.run(["chmod", "0700", share], check=True)
    assert run("status docs").returncode == run("status").returncode == 1
    mended = run("apply -f -", stdin=run("show lab1/docs").stdout)
    assert (mended.returncode, mended.stdout.splitlines()[0]) == (0, "mended share docs on gateway lab1")
    assert run("status docs").returncode == 0


@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        ("create .. --path SRV/x", 2, "is not a share name"),
        ("create print$ --path SRV/x", 2, '"print$" is a reserved name'),
        ("create x --source image:SRV/x.img --quota 10X", 2, 'share.x.quota: "10X" is not a size'),
        ("create x --source image:SRV/x.img --quota=-5", 2, "share.x.quota: "),
        ("create x --path /etc/x", 2, "share.x.source.path: "),
        ("create x --path SRV/x --user nobody-here", 2, "share.x.access.nobody-here: there is no user"),
        ("create x --path SRV/x --access office:all", 2, "share.x.access.office: "),
        ("create x --source tape:/x", 2, 'unknown kind of source "tape"'),
        ("create docs --path SRV/x", 2, "share docs is there already"),
        ("create x", 2, "no source is given"),
        ("create x --path SRV/x --gateway lab1 --port 99999", 2, "port"),
        ("user create Root --no-password", 2, "user.Root.name: "),
        ("status nothing", 4, "there is no share nothing"),
        ("delete nothing", 4, "there is no share nothing"),
        ("job nothing", 4, "there is no job nothing"),
        ("gateway delete lab1", 2, "share docs still needs it (delete or change share docs first)"),
        ("user delete office", 2, "share docs still needs it"),
        ("delete docs --destroy-data", 2, "add --confirm docs"),
        ("lits", 2, 'did you mean "list"?'),
    ],
)
def test_bad_input(run: Cli, docs: str, srv: str, command: str, status: int, said: str) -> None:
    before = run("export").stdout
    done = run(command.replace("SRV", srv))
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    assert said in done.stderr
    as_json = run(command.replace("SRV", srv) + " --json")
    assert (as_json.returncode, as_json.stderr, json.loads(as_json.stdout)["exit_code"]) == (status, "", status)
    assert run("export").stdout == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: usr\nname: x\n", 'unknown kind "usr"'),
        ("kind: user\nnmae: x\n", '(did you mean "name"?)'),
        ("{", "text: neither YAML nor JSON: line "),
        ("", "the request names no resource"),
        ("just words", "resource.0"),
    ],
)
def test_bad_files(run: Cli, docs: str, text: str, said: str) -> None:
    for verb in ("apply", "plan"):
        done = run(f"{verb} -f -", stdin=text)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr


def test_a_user_shut_out_is_let_in_again(run: Cli, docs: str) -> None:
    assert run("user disable office").stdout.splitlines()[0] == "updated user office"
    assert run("user list").stdout.splitlines()[1].split()[1] == "disabled"
    assert run("user enable office").returncode == 0
    assert run("group create staff office").stdout.splitlines()[0] == "created group staff"
    assert run("group remove staff office").returncode == run("group delete staff").returncode == 0


def test_a_terminal_shows_the_title_at_the_end(
    engine: subprocess.Popen[str], environment: dict[str, str], docs: str, srv: str
) -> None:
    said = on_terminal([*CLI, "create", "seen", "--path", f"{srv}/seen", "--user", "office"], environment)
    first, *_ = said.splitlines()
    assert first == "creating share seen ..."
    assert "\r\x1b[2Kcreated share seen on gateway lab1\x1b[" in said
    assert "share seen on gateway lab1" in on_terminal([*CLI, "delete", "seen"], environment)


def test_data_is_destroyed_by_who_types_the_name(
    engine: subprocess.Popen[str], environment: dict[str, str], docs: str, srv: str
) -> None:
    made = [*CLI, "create", "gone", "--path", f"{srv}/gone", "--user", "office"]
    subprocess.run(made, env=environment, check=True, capture_output=True)
    Path(srv, "gone", "file").write_text("x")
    words = [*CLI, "delete", "gone", "--destroy-data"]
    assert 'nothing was deleted: "no" is not "gone"' in on_terminal(words, environment, "no\n")
    assert Path(srv, "gone", "file").exists()
    assert "deleted share gone on gateway lab1" in on_terminal(words, environment, "gone\n")
    assert not Path(srv, "gone").exists()


def on_terminal(words: list[str], environment: dict[str, str], typed: str = "") -> str:
    """Run a command on a terminal of its own; returns what it showed."""
    master, slave = pty.openpty()
    size = subprocess.run(["stty", "rows", "40", "cols", "100"], stdin=slave, check=True)
    assert size.returncode == 0
    process = subprocess.Popen(words, env=environment, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    os.write(master, typed.encode())
    shown = b""
    try:
        while part := os.read(master, 65536):
            shown += part
    except OSError:  # EIO: the other end is closed (pty(7))
        pass
    os.close(master)
    process.wait(60)
    return shown.decode().replace("\r\n", "\n")


def test_ctrl_c_ends_the_command_and_not_the_change(
    engine: subprocess.Popen[str], environment: dict[str, str], run: Cli, docs: str, srv: str
) -> None:
    # What a shell runs in the background ignores SIGINT, and so would all that it starts.
    words = ["env", "--default-signal=INT", *CLI, "create", "big", "--source", f"image:{srv}/big.img"]
    words += ["--quota", "300M", "--verbose"]
    with open(Paths(str(Path(srv).parent)).lock) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody else's turn, so that the change is under way until this ends
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stderr
        while "/events" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.startswith("interrupted; the change goes on in the engine\n  watch it: ")
    job = run("job " + said.split()[-1])
    assert (job.returncode, job.stdout.splitlines()[0]) == (0, "created share big on gateway lab1")
    assert run("delete big --destroy-data --confirm big").returncode == 0
    assert not Path(srv, "big.img").exists()


def test_the_shell_completes_names_from_the_engine(
    environment: dict[str, str], run: Cli, docs: str, area: Path
) -> None:
    program = area / "bin/pve-smbgateway"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.join(CLI)} "$@"\n')
    program.chmod(0o755)
    script = """
        source <(pve-smbgateway completion bash)
        compopt() { :; }
        for line in 'cr' 'delete ' 'create x --purpose m' 'user password ' 'create x --quo' 'create x --quota '; do
            read -ra words <<< "pve-smbgateway $line"
            [[ $line == *' ' ]] && words+=('')
            COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
            _pve_smbgateway
            echo "${COMPREPLY[*]}"
        done
    """
    path = {**environment, "PATH": f"{program.parent}:{environment['PATH']}"}
    done = subprocess.run(["bash", "-c", script], env=path, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.split("\n"), done.stderr) == (["create", "docs", "media", "office", "--quota", "", ""], "")


def test_it_starts_without_the_engines_weight(environment: dict[str, str]) -> None:
    program = "import sys; from smbgateway.cli import main; main(['version']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    heavy = {"pydantic", "fastapi", "http.client", "yaml", "dataclasses", "subprocess", "smbgateway.model"}
    bare = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert not (loaded - set(bare.stdout.split())) & heavy


def test_an_engine_that_ends_is_told_from_one_that_never_ran(environment: dict[str, str], area: Path) -> None:
    words = [*CLI, "--root", str(area / "nothing"), "list"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith(f"it does not run\n  start it: pve-smbgateway --root {area}/nothing serve\n")


def test_a_second_engine_is_refused(run: Cli, docs: str) -> None:
    done = run("serve")
    assert (done.returncode, done.stdout) == (5, "")
    assert "an engine answers at " in done.stderr
    deadline = time.monotonic() + 10
    while run("version").stdout.count("\n") != 2:
        assert time.monotonic() < deadline


def test_receivers_are_made_tested_and_deleted(run: Cli) -> None:
    listed = run("notify list").stdout.splitlines()
    assert [line.split() for line in listed] == [
        ["NAME", "WAY", "FROM", "WAITING", "STATE"],
        ["default", "journal", "notice", "0", "ok"],
    ]
    with web_server() as web:
        refused = run(f"notify create office --webhook {web.url} --secret-stdin", stdin="s3cret\n")
        assert (refused.returncode, "without TLS everybody on the way could read the secret" in refused.stderr) == (
            2,
            True,
        )
        made = run(f"notify create office --webhook {web.url} --least critical")
        assert (made.returncode, made.stdout) == (0, "created receiver office\n")
        assert run("notify test office").stdout.split() == ["office", "told"]
        assert web.asked[0][2]["title"] == "test of pve-smbgateway on lab1"
    assert run("notify list").stdout.splitlines()[1].split() == ["office", "webhook", "critical", "0", "ok"]
    missing = run("notify test nobody")
    assert (missing.returncode, missing.stderr) == (4, "there is no receiver nobody\n  there is: office\n")
    assert run("notify delete office").stdout == "deleted receiver office\n"
    strange = run("notify create x --journal --server mail")
    assert (strange.returncode, strange.stderr) == (2, "--server is of mail only\n")
