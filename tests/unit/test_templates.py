"""What containers are made of: on storages of Proxmox VE, how it ages, and gateways that get a newer one."""

import re
from pathlib import Path
from typing import Any

import pytest

from lab.proxmox import OLDER, OURS, TEMPLATE
from smbgateway import aging
from smbgateway.errors import Conflict, Invalid, NotProved
from smbgateway.guests.template import BARRED, MACHINE, NEEDLESS, PACKAGES, STOCK, Recipe, Template, Templates
from smbgateway.model import parse
from smbgateway.proxmox.client import Proxmox
from smbgateway.proxmox.templates import ProxmoxTemplates
from smbgateway.upgrade import APT, STAY, Upgrade

from .fakes import Call, FakeHost
from .machine import EmptyMachine, new_engine

STATUS = "Package: samba\nStatus: install ok installed\nVersion: 2:4.22.6+dfsg~1\n"
CACHE = "/var/lib/vz/template/cache"


class Building(EmptyMachine):
    """A node on which templates can be built."""

    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        self.done.append(argv)
        if argv[:2] == ("tar", "-tf"):
            return "./usr/sbin/smbd\n./usr/bin/smbclient\n"
        return {"tar": STATUS, "dpkg": "amd64\n"}.get(argv[0], "")


def test_templates_on_a_storage(api: Proxmox) -> None:
    found = ProxmoxTemplates(Building(), api)
    samba = "4.22.6+dfsg-0+deb13u1"
    assert found.all() == [Template(f"local:vztmpl/{OLDER}", samba, 1, ""), Template(TEMPLATE, samba, 2, "")]
    assert found.newest() == TEMPLATE


def test_one_is_built_as_a_machine_and_appears_when_it_is_whole(api: Proxmox) -> None:
    host = Building()
    made = ProxmoxTemplates(host, api).build(Recipe(), "/root/copy.tar.zst")
    assert made.samba == "4.22.6+dfsg-1"
    assert re.fullmatch(rf"local:vztmpl/{OURS}\d{{8}}-\d{{6}}_4\.22\.6\+dfsg-1_amd64\.tar\.zst", made.name)
    build = next(argv for argv in host.done if argv[0] == "mmdebstrap")
    assert f"--include={PACKAGES},{MACHINE}" in build
    assert f'--customize-hook=systemctl --root="$1" mask {STOCK} {BARRED} {NEEDLESS}' in build
    new = build[-2]
    assert new.startswith(f"{CACHE}/.new-")
    named = f"{CACHE}/{made.name.partition('vztmpl/')[2]}"
    words = [argv for argv in host.done if argv[0] in ("cp", "mv")]
    assert words == [("cp", "--", new, "/root/copy.tar.zst"), ("mv", "-n", "--", new, named)]


def test_a_file_that_lacks_something_is_no_template(api: Proxmox, tmp_path: Path) -> None:
    file = tmp_path / "root.tar"
    with pytest.raises(Invalid):
        ProxmoxTemplates(Building(), api).bring(str(file))
    file.touch()
    with pytest.raises(Invalid) as raised:
        ProxmoxTemplates(Building(), api).bring(str(file))
    assert raised.value.faults[0].message.startswith(
        "it lacks bin/tdbbackup, bin/python3, lib/libnss_extrausers.so.2, sbin/init: it wants the packages "
    )


LISTED = "Package: samba\nVersion: 2:4.22.8\n\nPackage: other\nVersion: 1\n\nPackage: libc6\nVersion: 2.41\n"
OURS_NOW = "Package: samba\nVersion: 2:4.22.6\n\nPackage: libc6\nStatus: ok\nVersion: 2.41\n"
TARGETS = ("apt-get", "indextargets", "--format", "$(RELEASE) $(FILENAME)", "Created-By: Packages")


def test_security_updates_that_a_template_lacks() -> None:
    template = Template("trixie-1", "4.22.6", 0, "/t")
    files = {"/t/var/lib/dpkg/status": OURS_NOW, "/t/etc/os-release": "ID=debian\nVERSION_CODENAME=trixie\n"}
    calls = [
        Call(TARGETS, "trixie /l/main\ntrixie-security /l/security\n"),
        Call(("/usr/lib/apt/apt-helper", "cat-file", "/l/security"), LISTED),
        Call(("dpkg", "--compare-versions", "2:4.22.6", "lt", "2:4.22.8")),
    ]
    assert aging.outdated(FakeHost(calls, files), template) == ["samba"]
    assert aging.outdated(FakeHost([], {}), template) == []


def test_old_templates_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aging, "outdated", lambda host, template: [])
    (host,) = [FakeHost([])]
    told = aging._one(host, Template("trixie-1", "4.22.6", 0, ""))
    assert (told.state, told.hint) == ("warn", "template build, then: gateway upgrade")
    monkeypatch.setattr(aging, "outdated", lambda host, template: list("abcdefg"))
    told = aging._one(host, Template("trixie-1", "4.22.6", 0, ""))
    assert told.text == "template trixie-1 lacks security updates of a, b, c, d, e and 2 more"


def gateway(**more: Any) -> dict[str, Any]:
    lxc = {"kind": "lxc", "node": "one", "bridge": "vmbr0", "address": "10.0.0.5/24", "vmid": 105, "template": "t"}
    return {"kind": "gateway", "name": "files", "mode": lxc, **more}


def test_the_samba_of_a_template_is_that_of_its_package(tmp_path: Path) -> None:
    (tmp_path / "trixie-1/root").mkdir(parents=True)
    status = "Package: samba\nVersion: 2:4.22.6+dfsg-0+deb13u1\n"
    host = FakeHost(files={f"{tmp_path}/trixie-1/root/var/lib/dpkg/status": status})
    assert Templates(host, str(tmp_path)).samba("trixie-1") == "4.22.6"


def test_what_cannot_be_upgraded(tmp_path: Path) -> None:
    engine = new_engine(str(tmp_path))
    for mode, told in (
        ({"kind": "native", "node": "one"}, "gateway files runs on the node itself, with the node's own packages"),
        (gateway()["mode"], "gateway files is stopped, so nothing could be proved"),
    ):
        (record,) = parse([{**gateway(), "mode": mode, "enabled": False}])
        engine.site.store.save(record.sealed("ready"))
        with pytest.raises(Conflict) as raised:
            Upgrade(engine).check("files")
        assert raised.value.what == told


def test_on_the_nodes_a_member_is_upgraded_by_a_reboot(tmp_path: Path) -> None:
    engine = new_engine(str(tmp_path))
    members = [{"node": node, "address": f"10.1.1.{number}"} for number, node in enumerate(("one", "two"), 1)]
    public = [{"address": "10.1.0.100/24", "interface": "vmbr0"}]
    cluster = {"members": members, "addresses": public, "lock": "file:/x/y"}
    (record,) = parse([{"kind": "gateway", "name": "files", "cluster": cluster}])
    engine.site.store.save(record.sealed("ready"))
    with pytest.raises(Conflict) as raised:
        Upgrade(engine).check("files")
    assert raised.value.hint == "apt upgrade, then: reboot the node, drained before"


def test_on_proxmox_ve_packages_are_upgraded_and_the_way_back_is_told(
    tmp_path: Path, api: Proxmox, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = new_engine(str(tmp_path))
    vars(engine.site).update(host=api.host, proxmox=api)
    (record,) = parse([gateway()])
    engine.site.store.save(record.sealed("ready"))
    with pytest.raises(Conflict, match="upgraded by packages, not by a template"):
        Upgrade(engine).run("files", "other")

    def refuses(*arguments: Any, **more: Any) -> None:
        assert more == {"anew": True}
        raise NotProved("share docs is not proved")

    monkeypatch.setattr(engine.convergence, "forward", refuses)
    told: list[str] = []
    with pytest.raises(NotProved) as raised:
        Upgrade(engine).run("files", tell=lambda name, outcome, seconds: told.append(f"{name}: {outcome}"))
    assert raised.value.left == ["Samba 4.17.12-Debian in its machine"]
    assert raised.value.hint == STAY
    assert told[-1] == "packages of gateway files: upgraded, Samba 4.17.12-Debian to 4.17.12-Debian"
    assert isinstance(api.host, EmptyMachine)
    assert [argv[-1] for argv in api.host.done if argv[: len(APT)] == APT] == ["update", "upgrade"]
