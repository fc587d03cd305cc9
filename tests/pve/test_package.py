"""The package: what it is made of, and its life on a Debian 13 that had nothing of ours."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.debian13 import Root

from .conftest import REPOSITORY, not_sources

DEB = "/pve-smbgateway.deb"
STOCK = ["smbd.service", "nmbd.service", "samba-ad-dc.service", "winbind.service", "ctdb.service", "wsdd2.service"]
KEY_FILES = [
    "/etc/pam.d/pve-smbgateway",
    "/usr/lib/systemd/system/pve-smbgateway-smbd@.service",
    "/usr/lib/systemd/system/pve-smbgateway-mounts.service",
    "/usr/lib/systemd/system/pve-smbgateway-web.service",
    "/usr/lib/systemd/system/pve-smbgateway.service",
    "/usr/lib/tmpfiles.d/pve-smbgateway.conf",
    "/usr/sbin/pve-smbgateway",
    "/usr/share/bash-completion/completions/pve-smbgateway",
    "/usr/share/man/man8/pve-smbgateway.8.gz",
    "/usr/share/perl5/PVE/API2/SMBGateway.pm",
    "/usr/share/perl5/PVE/Storage/Custom/SMBGateway.pm",
    "/usr/share/pve-manager/js/smb-gateway.css",
    "/usr/share/pve-manager/js/smb-gateway.js",
    "/usr/share/pve-manager/templates/default/smbgateway-body.txt.hbs",
    "/usr/share/pve-manager/templates/default/smbgateway-subject.txt.hbs",
    "/usr/share/pve-smbgateway/scripts/dfree",
    "/usr/share/pve-smbgateway/scripts/fence",
    "/usr/share/pve-smbgateway/scripts/preflight",
    "/usr/share/pve-smbgateway/scripts/template",
    "/usr/share/pve-smbgateway/scripts/ui-line",
    "/usr/share/pve-smbgateway/www/ext-6.2.0/SOURCE",
    "/usr/share/pve-smbgateway/www/index.html",
]
PAGE = """\
<script type="text/javascript" src="/pve2/js/pvemanagerlib.js?ver=9.2"></script>
<script type="text/javascript">Ext.onReady(function() {});</script>
"""


def names_of(deb: Path) -> list[str]:
    listed = subprocess.run(["dpkg-deb", "--contents", deb], capture_output=True, text=True, check=True).stdout
    return [line.split()[5].removeprefix(".") for line in listed.splitlines()]


def test_the_same_sources_give_the_same_package(deb: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(REPOSITORY, copy, ignore=not_sources)
    shutil.copytree(REPOSITORY / "build/www-parts", copy / "build/www-parts")
    environment = {**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "C", "SOURCE_DATE_EPOCH": "1"}
    command = ["sh", "-c", f'umask 077; exec "{copy}/build-deb" "{tmp_path}/out"']
    subprocess.run(command, check=True, capture_output=True, env=environment)
    again = tmp_path / "out" / deb.name
    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(deb.read_bytes()).digest()


def test_the_package_has_no_fault_that_lintian_knows(deb: Path) -> None:
    command = ["lintian", "--pedantic", "--display-info", "--fail-on", "error,warning,info,pedantic", "--allow-root"]
    done = subprocess.run([*command, deb], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_key_files_lie_where_the_documentation_says(deb: Path) -> None:
    assert set(KEY_FILES) <= set(names_of(deb))
    others = re.compile("/lib/|/etc/(?!$|pam.d/)")
    assert not [name for name in names_of(deb) if others.match(name) or "__pycache__" in name]


@pytest.mark.parametrize("unit", ["service", "pve-smbgateway-mounts.service"])
def test_what_mounts_has_no_mount_namespace_of_its_own(unit: str) -> None:
    """With any of these systemd gives a unit its own mounts, and containers would never see ours (systemd.exec(5))."""
    text = (REPOSITORY / f"debian/pve-smbgateway.{unit}").read_text()
    options = re.findall(r"^(\w+)=", text, re.M)
    own = re.compile(
        "Private|Protect|ReadOnly|ReadWrite|Inaccessible|ExecPaths|NoExec|Bind|Temporary|Root|Mount|Dynamic"
    )
    assert "ExecStart" in options
    assert not [option for option in options if own.match(option)]


def test_the_version_is_everywhere_the_same() -> None:
    told = subprocess.run(
        ["dpkg-parsechangelog", "-l", REPOSITORY / "debian/changelog", "-S", "Version"], capture_output=True, text=True
    )
    init = (REPOSITORY / "src/smbgateway/__init__.py").read_text()
    assert f'__version__ = "{told.stdout.strip()}"' in init


def test_install_upgrade_remove_purge(clean: Root, deb: Path, tmp_path: Path) -> None:
    before = files_of(clean)
    clean.install(DEB)
    assert clean.run("pve-smbgateway", "--version").startswith("pve-smbgateway 0.1.0\nengine not running")
    assert [unit_state(clean, unit) for unit in ("pve-smbgateway", "smbd", "ctdb")] == ["enabled", "masked", "masked"]
    assert unit_state(clean, "pve-smbgateway-web") == "enabled"
    assert clean.run("getent", "passwd", "smbgw-web").endswith(":/nonexistent:/usr/sbin/nologin\n")
    assert "0 upgraded" not in clean.install(newer(deb, clean, tmp_path))
    assert clean.run("dpkg-query", "-W", "-f", "${Version}", "pve-smbgateway") == "0.1.1"
    clean.run("apt-get", "remove", "-y", "-q", "pve-smbgateway")
    assert not clean.file("/usr/sbin/pve-smbgateway").exists()
    left = clean.file("/usr/lib/python3/dist-packages/smbgateway")
    assert not list(left.rglob("*"))
    assert clean.file("/var/lib/pve-smbgateway/masked-units").read_text().split() == STOCK
    clean.run("apt-get", "purge", "-y", "-q", "pve-smbgateway")
    clean.run("apt-get", "autoremove", "--purge", "-y", "-q")
    assert sorted(files_of(clean) - before) == []


def unit_state(root: Root, name: str) -> str:
    return root.attempt("systemctl", "is-enabled", f"{name}.service").stdout.strip()


def files_of(root: Root) -> set[str]:
    """What could be ours. Not looked at is what the packages we depend on leave."""
    found = root.run("find", "/", "-xdev", "(", "-iname", "*smbgateway*", "-o", "-lname", "/dev/null", ")", "-print")
    return {line for line in found.splitlines() if line != DEB}


def newer(deb: Path, root: Root, tmp_path: Path) -> str:
    """The package as its next version."""
    subprocess.run(["dpkg-deb", "--raw-extract", deb, tmp_path / "next"], check=True)
    control = tmp_path / "next/DEBIAN/control"
    control.write_text(control.read_text().replace("Version: 0.1.0", "Version: 0.1.1"))
    subprocess.run(["dpkg-deb", "--build", "-z1", tmp_path / "next", root.file("/next.deb")], check=True)
    return "/next.deb"


@pytest.mark.parametrize(
    ("path", "text", "named"),
    [
        ("/var/lib/pve-smbgateway/config/shares/files/docs.json", "{}", "config/shares/files/docs.json"),
        ("/etc/pve/smbgateway/shares/files/docs.json", "{}", "/etc/pve/smbgateway/shares/files/docs.json"),
        ("/etc/pve/storage.cfg", "dir: local\n\tpath /a\n\nsmbgateway: docs\n\tcontent none\n", "smbgateway: docs"),
    ],
)
def test_removal_is_refused_while_shares_exist(clean: Root, path: str, text: str, named: str) -> None:
    clean.install(DEB)
    clean.file(path).parent.mkdir(parents=True)
    clean.file(path).write_text(text)
    refused = clean.attempt("apt-get", "remove", "-y", "-q", "pve-smbgateway")
    assert refused.returncode != 0
    assert "pve-smbgateway is in use:" in refused.stdout
    assert named in refused.stdout
    assert "PVE_SMBGATEWAY_REMOVE=yes apt remove pve-smbgateway" in refused.stdout
    assert clean.run("dpkg-query", "-W", "-f", "${Status}", "pve-smbgateway") == "install ok installed"
    clean.run("apt-get", "remove", "-y", "-q", "pve-smbgateway", PVE_SMBGATEWAY_REMOVE="yes")
    assert clean.file(path).exists()


def test_the_alpha_goes_and_what_it_left_too(clean: Root, tmp_path: Path) -> None:
    """Its package is taken over; files that its guide had copied by hand go, those of others stay."""
    plugin, stray = "/usr/share/perl5/PVE/Storage/Custom/SMBGateway.pm", "/usr/sbin/pve-smbgateway-enhanced"
    alpha = {plugin: "old", "/usr/share/perl5/PVE/SMBGateway/CLI.pm": "old"}
    clean.run("dpkg", "-i", packed(clean, tmp_path, "pve-plugin-smbgateway", alpha))
    strays = [stray, "/usr/share/pve-manager/ext6/pvemanager6/smb-gateway-dashboard.js"]
    for path in strays:
        clean.file(path).parent.mkdir(parents=True, exist_ok=True)
        clean.file(path).write_text("stray")
    said = clean.install(DEB)
    assert f"removed {stray} of the earlier pve-plugin-smbgateway" in said
    assert not [path for path in (*strays, "/usr/share/perl5/PVE/SMBGateway") if clean.file(path).exists()]
    status = clean.run("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", "pve-*smbgateway").splitlines()
    assert [line for line in status if line.endswith(" installed")] == ["pve-smbgateway installed"]


def packed(root: Root, tmp_path: Path, name: str, files: dict[str, str], version: str = "0.1.0-1") -> str:
    """A package with these files, made for this test."""
    tree = tmp_path / f"{name}-{version}"
    for path, text in files.items():
        (tree / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (tree / path.lstrip("/")).write_text(text)
    (tree / "DEBIAN").mkdir()
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: stand-in\n"
    (tree / "DEBIAN/control").write_text(control)
    subprocess.run(["dpkg-deb", "--build", "-z1", tree, root.file(f"/{name}.deb")], check=True, capture_output=True)
    return f"/{name}.deb"


def test_a_samba_that_is_there_stays_as_it_is(clean: Root) -> None:
    clean.install("samba")
    assert unit_state(clean, "smbd") == "enabled"
    clean.install(DEB)
    assert [unit_state(clean, name) for name in ("smbd", "ctdb")] == ["enabled", "masked"]


def test_a_samba_that_comes_later_stays_down(clean: Root) -> None:
    clean.install(DEB, "samba")
    assert unit_state(clean, "smbd") == "masked"
    clean.run("apt-get", "purge", "-y", "-q", "pve-smbgateway")
    assert unit_state(clean, "smbd") == "disabled"


def test_the_line_in_the_page_of_proxmox_comes_stays_and_goes(clean: Root, tmp_path: Path) -> None:
    page = clean.file("/usr/share/pve-manager/index.html.tpl")
    manager = {"/usr/share/pve-manager/index.html.tpl": PAGE}
    clean.run("dpkg", "-i", packed(clean, tmp_path, "pve-manager", manager))
    clean.install(DEB)
    lines = page.read_text().splitlines()
    assert [bool(re.search("smb-gateway.js", line)) for line in lines] == [False, True, False]
    clean.run("dpkg", "-i", packed(clean, tmp_path, "pve-manager", manager, "9.9"))
    assert page.read_text().splitlines() == lines  # the upgrade brought a page without it
    clean.run("apt-get", "remove", "-y", "-q", "pve-smbgateway")
    assert page.read_text() == PAGE
    assert not clean.file("/usr/share/pve-manager/js/smb-gateway.js").exists()


def test_a_page_without_a_place_for_the_line_stays_as_it_is(tmp_path: Path) -> None:
    page, script = tmp_path / "page", tmp_path / "script"
    page.write_text("<html></html>\n")
    script.write_text("1;")
    environment = {**os.environ, "PVE_SMBGATEWAY_PAGE": str(page), "PVE_SMBGATEWAY_SCRIPT": str(script)}
    command = [REPOSITORY / "scripts/ui-line", "add"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "the SMB Gateway panels do not show" in done.stderr
    assert page.read_text() == "<html></html>\n"


def test_the_scripts_say_how_they_are_used(clean: Root, tmp_path: Path) -> None:
    clean.install(DEB)
    scripts = "/usr/share/pve-smbgateway/scripts"
    for name in ("dfree", "fence", "ui-line"):
        told = clean.attempt(f"{scripts}/{name}")
        assert (told.returncode, told.stdout.startswith(f"usage: {name} ")) == (2, True)
    assert "--suite" in clean.run(f"{scripts}/template", "--help")
    clean.file("/live").write_text('{"shares": {"files/docs": [10485760, 1048576, 9437184]}}')
    known = {"PVE_SMBGATEWAY_LIVE": "/live"}
    assert clean.run(f"{scripts}/dfree", "files/docs", **known) == "10240 1024 1024\n"
    told = clean.attempt(f"{scripts}/dfree", "files/other", **known)
    assert (told.returncode, "files/other is not served by this node" in told.stdout) == (1, True)


def test_preflight_names_what_is_missing(clean: Root) -> None:
    clean.install(DEB)
    told = clean.attempt("/usr/share/pve-smbgateway/scripts/preflight", "--json")
    texts = [each["text"] for each in json.loads(told.stdout)["findings"] if each["state"] == "fail"]
    assert told.returncode == 3
    assert "smbd, samba-vfs-modules are not installed" in texts
    assert not [text for text in texts if text.startswith(("smbclient", "setfacl", "libnss-extrausers"))]
