"""Common to all rings: the source tree is importable, and a skipped test fails the run."""

import os
import signal
import sys
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from lab.proxmox_schema import folder  # noqa: E402

# The same examples in every run: a red run is red again; and no limit per example, machines differ.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

NOT_RUN = ("skipped", "xfailed", "xpassed")


def pytest_configure(config: pytest.Config) -> None:
    """What needs another kernel runs in ring `kernels` alone, which asks for it: -m uml."""
    config.option.markexpr = config.option.markexpr or "not uml"
    # ./test ends what hangs: say where, and clean up. Where workers run the tests, they do both.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if config.getoption("dist", "no") != "no":
        signal.signal(signal.SIGTERM, end_workers)
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Worker(config))


def end_workers(number: int, frame: FrameType | None) -> None:
    """Pass the signal on; when they have ended, so do we."""
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        os.kill(int(pid), number)


class Worker:
    """Says where it was interrupted: pytest-xdist does not."""

    def __init__(self, config: pytest.Config) -> None:
        self.capture = config.pluginmanager.get_plugin("capturemanager")

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[KeyboardInterrupt]) -> None:
        with self.capture.global_and_fixture_disabled():
            print(excinfo.getrepr(style="short"), file=sys.stderr)


def count(config: pytest.Config, *outcomes: str) -> int:
    """How many tests ended so."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return sum(len(reporter.stats.get(outcome, [])) for outcome in outcomes)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A required test that does not run is a failure; the counts go to ./test, where it asks for them."""
    not_run = count(session.config, *NOT_RUN)
    if not_run and exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if (file := os.environ.get("SMBGW_TEST_COUNT")) and not hasattr(session.config, "workerinput"):
        failed = count(session.config, "failed", "error") + not_run
        Path(file).write_text(f"{count(session.config, 'passed')} {failed}\n")


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter", config: pytest.Config) -> None:
    """Say why a run without a failed test is red, and what it could not check."""
    if not folder().is_dir():
        terminalreporter.write_line(f"calls of Proxmox VE's API: not checked here, {folder()} is not there")
    if not_run := count(config, *NOT_RUN):
        terminalreporter.write_line(f"{not_run} not run: a skipped or xfailed test fails the run", red=True)
