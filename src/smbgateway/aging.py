"""Templates that have aged: what of them has security updates, as the package lists of this node tell."""

import re
import time
from collections.abc import Iterator

from .errors import GatewayError
from .finding import Finding
from .guests.template import Template
from .host import Host
from .installation import Installation
from .model import LxcMode

OLD = 60 * 86400.0  # seconds
FEW = 5  # packages that are named
RENEW = "template build, then: gateway upgrade"


def look(site: Installation) -> Iterator[Finding]:
    """The templates that gateways are made of, and the newest."""
    templates = site.templates.all()
    modes = [gateway.mode for gateway in site.world().gateways.values() if site.owns(gateway)]
    used = {mode.template for mode in modes if isinstance(mode, LxcMode)}
    for template in templates:
        if template.name in used or template is templates[-1]:
            yield _one(site.host, template)


def _one(host: Host, template: Template) -> Finding:
    age = time.time() - template.made
    lacking = outdated(host, template)
    if lacking:
        names = ", ".join(lacking[:FEW]) + (f" and {len(lacking) - FEW} more" if len(lacking) > FEW else "")
        return Finding("templates", "warn", f"template {template.name} lacks security updates of {names}", RENEW)
    if age > OLD:
        return Finding("templates", "warn", f"template {template.name} is {age / 86400:.0f} days old", RENEW)
    return Finding("templates", "ok", f"template {template.name}, Samba {template.samba}")


def outdated(host: Host, template: Template) -> list[str]:
    """Packages of an unpacked template for which this node knows newer versions of the security archive."""
    status = host.read(f"{template.root}/var/lib/dpkg/status") if template.root else None
    release = re.search(r"^VERSION_CODENAME=(\w+)", host.read(f"{template.root}/etc/os-release") or "", re.MULTILINE)
    if status is None or release is None:
        return []
    installed = versions(status)
    offers = [versions(text) for text in _lists(host, f"{release[1]}-security")]
    return sorted({name for offered in offers for name in _newer(host, installed, offered)})


def _lists(host: Host, suite: str) -> Iterator[str]:
    """The package lists of a suite that apt of this node has."""
    told = host.run("apt-get", "indextargets", "--format", "$(RELEASE) $(FILENAME)", "Created-By: Packages")
    for line in told.splitlines():
        release, _, file = line.partition(" ")
        if release == suite:
            try:
                yield host.run("/usr/lib/apt/apt-helper", "cat-file", file)
            except GatewayError:  # not downloaded yet
                continue


def _newer(host: Host, installed: dict[str, str], offered: dict[str, str]) -> Iterator[str]:
    for name, version in offered.items():
        here = installed.get(name)
        if here is not None and here != version:
            try:
                host.run("dpkg", "--compare-versions", here, "lt", version)
            except GatewayError:
                continue
            yield name


def versions(text: str) -> dict[str, str]:
    """Version by package of a file of paragraphs (deb-control(5)); the last one counts."""
    return dict(re.findall(r"^Package: (\S+)\n(?:.+\n)*?Version: (\S+)$", text, re.MULTILINE))
