"""Debian 13 as it is: Python 3.13 with Debian's packages, Samba 4.22, and the package as it is installed."""

import shutil

import pytest

from lab.debian13 import Root
from lab.mounts import until

from .conftest import REPOSITORY, not_sources

PASSWORD = "Open-Sesame-1"
SOURCES = "/sources"
# What Debian has no package of: schemathesis. The document it checks is the same whatever Python makes it.
NOT_HERE = [f"--ignore={SOURCES}/tests/unit/test_openapi.py"]
PYTEST = ["/usr/bin/python3", "-m", "pytest", "-q", "-p", "no:cacheprovider"]


@pytest.fixture(scope="module")
def sources(installed: Root) -> Root:
    """A Debian 13 with the package installed and our tests beside it."""
    shutil.copytree(REPOSITORY, installed.file(SOURCES), ignore=not_sources)
    return installed


@pytest.fixture(scope="module")
def served(installed: Root) -> Root:
    """The engine of the package runs, as its unit starts it."""
    installed.start("/usr/sbin/pve-smbgateway", "serve")
    until(lambda: installed.attempt("pve-smbgateway", "list").returncode == 0, "the engine answers")
    return installed


def test_the_unit_ring_passes_with_the_packages_of_debian(sources: Root) -> None:
    done = sources.attempt("env", f"--chdir={SOURCES}", *PYTEST, *NOT_HERE, "tests/unit", "tests/cases", timeout=600)
    assert done.returncode == 0, done.stdout[-5000:]
    assert " passed" in done.stdout


def test_a_share_is_made_proved_and_used_on_samba_4_22(served: Root) -> None:
    served.file("/srv").mkdir(exist_ok=True)
    served.run("pve-smbgateway", "user", "create", "office", "--password-stdin", stdin=PASSWORD)
    made = served.run("pve-smbgateway", "create", "docs", "--source", "directory:/srv/docs", "--user", "office")
    assert "created share docs" in made
    assert "login as office" in made
    assert "Samba 4.22" in served.run("pve-smbgateway", "version")
    served.file("/login").write_text(f"username = office\npassword = {PASSWORD}\n")
    client = ["smbclient", "--configfile=/dev/null", "-A", "/login", "//127.0.0.1/docs", "-c"]
    assert "putting file" in served.run(*client, "put /etc/hostname there")
    assert served.file("/srv/docs/there").exists()
    served.run("pve-smbgateway", "delete", "docs")
    assert "NT_STATUS" in served.attempt(*client, "ls").stdout
    assert served.file("/srv/docs/there").exists()
