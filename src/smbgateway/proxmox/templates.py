"""What containers of Proxmox VE are made of: templates of ours on its storages, as STORAGE:vztmpl/FILE."""

import contextlib
import os
import re
import time
from collections.abc import Iterator

from ..errors import CommandFailed, Fault, Invalid, Unavailable
from ..guests.template import BUILD_WAIT, MACHINE, NEEDED, PACKAGES, Recipe, Template, debootstrap, package_version
from ..host import Host
from .choices import OURS, Choices
from .client import Proxmox

STATUS = "./var/lib/dpkg/status"
FILE = re.compile(rf"{OURS}[a-z]+-[0-9]{{8}}-[0-9]{{6}}_([^_]+)_[a-z0-9]+\.tar\.zst")


class ProxmoxTemplates:
    """Those of this node. They have systemd, which starts what Proxmox VE sets up of a container's network."""

    def __init__(self, host: Host, api: Proxmox) -> None:
        self.host, self.api = host, api

    def all(self) -> list[Template]:
        """All of ours, oldest first. Raises ProxmoxFailed."""
        found = []
        for each in Choices(self.api).storages("vztmpl"):
            path = f"{self.api.here}/storage/{each['storage']}/content"
            for row in self.api.get(path, {"content": "vztmpl"}):
                name = str(row["volid"])
                if named := FILE.fullmatch(name.partition(":vztmpl/")[2]):
                    found.append(Template(name, named[1], int(row.get("ctime", 0)), ""))
        return sorted(found, key=lambda template: (template.made, template.name))

    def newest(self) -> str:
        """The name of the newest, empty where there is none."""
        return next((template.name for template in reversed(self.all())), "")

    def build(self, recipe: Recipe, output: str = "") -> Template:
        """Build one on the storage with most space; a copy goes to `output`. Raises CommandMissing, Failed."""
        with self._place() as (storage, new):
            debootstrap(self.host, recipe, new, machine=True)
            if output:
                self.host.run("cp", "--", new, output, timeout=BUILD_WAIT)
            return self._keep(storage, new, recipe.suite)

    def bring(self, file: str) -> Template:
        """Copy one to the storage with most space. Raises Invalid, Failed."""
        if not os.path.isfile(file):
            raise Invalid.of([Fault("file", f"there is no file {file}")])
        self._check(file)
        with self._place() as (storage, new):
            self.host.run("cp", "--", file, new, timeout=BUILD_WAIT)
            return self._keep(storage, new, "imported")

    def _check(self, file: str) -> None:
        try:
            names = set(self.host.run("tar", "-tf", file, timeout=BUILD_WAIT).splitlines())
        except CommandFailed as error:
            raise Invalid.of([Fault("file", f"it is no tar file: {error.output.strip()}")]) from error
        missing = [name for name in (*NEEDED, "sbin/init") if f"./usr/{name}" not in names]
        if missing:
            told = f"it lacks {', '.join(missing)}: it wants the packages {PACKAGES},{MACHINE}"
            raise Invalid.of([Fault("file", told, "make one on a node of Proxmox VE: template build --output FILE")])

    @contextlib.contextmanager
    def _place(self) -> Iterator[tuple[str, str]]:
        """A storage, and a file to be there, which no list shows yet."""
        storage, folder = self._folder()
        self.host.run("mkdir", "-p", "--", folder)
        new = f"{folder}/.new-{time.monotonic_ns()}.tar.zst"
        try:
            yield storage, new
        finally:
            self.host.run("rm", "-f", "--", new)

    def _folder(self) -> tuple[str, str]:
        """The storage of templates with most space that is a directory, and where templates lie in it."""
        rows = Choices(self.api).storages("vztmpl")
        for each in sorted(rows, key=lambda row: -int(row.get("avail", 0))):
            config = self.api.get(f"/storage/{each['storage']}")
            places = dict(word.split("=", 1) for word in str(config.get("content-dirs", "")).split(",") if "=" in word)
            if path := config.get("path"):
                return str(each["storage"]), f"{path}/{places.get('vztmpl', 'template/cache').strip('/')}"
        hint = "pvesm set local --content iso,vztmpl,backup makes one of it"
        raise Unavailable("no storage of this node takes templates of containers", hint=hint)

    def _keep(self, storage: str, new: str, word: str) -> Template:
        status = self.host.run("tar", "-xOf", new, STATUS, timeout=BUILD_WAIT)
        samba = re.sub("[^0-9A-Za-z.+-]", "-", package_version(status, "samba"))
        architecture = self.host.run("dpkg", "--print-architecture").strip()
        name = f"{OURS}{word}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}_{samba}_{architecture}.tar.zst"
        self.host.run("mv", "-n", "--", new, f"{os.path.dirname(new)}/{name}")
        return Template(f"{storage}:vztmpl/{name}", samba, int(time.time()), "")
