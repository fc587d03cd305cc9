"""Disks of a virtual machine of Proxmox VE: volumes that it alone has, each with an XFS that is made inside.

A disk is plugged in, grown and taken out while the machine runs. It is known by its serial number, on both sides.
"""

import time

from ..errors import Conflict, HoldsData, Unavailable
from ..proxmox.storages import GUESTS
from ..sources import cells, own_xfs
from ..sources.storage import GI, round_up
from ..step import Step
from .proxmox_volumes import UNSEEN, ProxmoxVolumes, member
from .vm import serial

FIRST, MOST = 2, 31  # scsi0 is its system, scsi1 what cloud-init reads
PLUG_WAIT = 30.0  # seconds until the guest sees a disk
FIND = 'grep -las -- "$0" /sys/block/*/device/vpd_pg80 || :'  # some drives refuse to be asked
RESCAN = 'echo 1 >"/sys/block/${0##*/}/device/rescan"'
BLANK = "no file system"


class ProxmoxDisks(ProxmoxVolumes):
    """Those of one machine."""

    content, of = GUESTS["vm"], "virtual machines"

    def kept(self) -> list[str]:
        """Their names in its storages."""
        return [value.partition(",")[0] for name, value in (self.config() or {}).items() if _is_volume(name, value)]

    def slot(self, share: str) -> str:
        """The disk with the serial number of a share."""
        wanted = serial(share)
        found = ((name, value) for name, value in (self.config() or {}).items() if _is_volume(name, value))
        return next((name for name, value in found if member(value, "serial") == wanted), "")

    def steps(self, share: str, storage: str, size: int) -> list[Step]:
        """Protection, disk with its file system, mount."""
        place = self.path(share)
        return [
            self.protected(),
            self._disk(share, storage, size),
            cells.mount_point(self.host, place),
            cells.mount(
                self.host, place, self.name(share), lambda: self._mounted(share), lambda: self._attach(share)
            ),
        ]  # fmt: skip

    def _disk(self, share: str, storage: str, size: int) -> Step:
        def read() -> str | None:
            if not (slot := self.slot(share)):
                return None
            there = (self.config() or {})[slot].partition(":")[0]
            if not self.runs():
                return there
            return self._content(share, there) if self._device(share) else UNSEEN

        def write(value: str | None) -> None:
            if value is None:
                self._remove_empty(share)
                return
            if (present := read()) is None:
                self._make(share, f"{value}:{size // GI}")
            elif present not in (UNSEEN, BLANK):
                cells.refuse_foreign(self.name(share), present, value)
            device = self._await(share)
            if self._content(share, value) == BLANK:
                own_xfs.make(self.host, device)

        return Step(self.name(share), storage, read, write, destroy=lambda: self._drop(share))

    def _content(self, share: str, storage: str) -> str:
        """The storage, where the disk holds what it shall."""
        found = own_xfs.signature(self.host, self._device(share))
        return storage if found == "xfs" else BLANK if found is None else f"{storage} with {found}"

    def _make(self, share: str, volume: str) -> None:
        config = self.config() or {}
        free = next((slot for number in range(FIRST, MOST) if (slot := f"scsi{number}") not in config), None)
        if free is None:
            raise Conflict(f"{self.title} has no room for another disk", hint="make another gateway for the share")
        value = f"{volume},serial={serial(share)},discard=on,backup=1"
        self.api.task("POST", f"{self.url}/config", {free: value})

    def _device(self, share: str) -> str:
        """Its name in the guest; empty where that does not see it."""
        found = self.host.run("sh", "-c", FIND, serial(share))
        return f"/dev/{found.split('/')[3]}" if found else ""

    def _await(self, share: str) -> str:
        deadline = time.monotonic() + PLUG_WAIT
        while not (device := self._device(share)):
            if time.monotonic() > deadline:
                hint = "gateway restart lets it see what could not be plugged in"
                raise Unavailable(f"{self.name(share)} is not seen inside", hint=hint)
            time.sleep(0.2)
        return device

    def _mounted(self, share: str) -> str | None:
        found = cells.mounted(self.host, self.path(share))
        if found is None:
            return None
        return self.name(share) if found["source"] == self._device(share) else found["source"]

    def _attach(self, share: str) -> None:
        own_xfs.attach(self.host, self._await(share), self.path(share))

    def size(self, share: str) -> str | None:
        """As Proxmox VE keeps it; less where the file system has not grown with it."""
        kept = super().size(share)
        if kept is None or not self.runs() or self._mounted(share) != self.name(share):
            return kept
        return str(min(int(kept), round_up(own_xfs.inside(self.host, self.path(share)))))

    def grow(self, share: str, size: int) -> None:
        """The disk, and what is inside."""
        if self._mounted(share) is None:
            raise Unavailable(f"{self.name(share)} is not mounted")
        if int(super().size(share) or 0) < size:
            super().grow(share, size)
        self.host.run("sh", "-c", RESCAN, self._device(share))
        self.host.run("xfs_growfs", "-d", self.path(share))

    def _remove_empty(self, share: str) -> None:
        """Remove a disk in which nobody has put anything. Raises HoldsData."""
        if not self.slot(share):
            return
        if not self.runs():
            raise HoldsData(f"{self.name(share)} stays", "the machine stands still: nobody can look inside")
        device = self._device(share)
        found = own_xfs.signature(self.host, device) if device else None
        if found and not (found == "xfs" and own_xfs.fresh(self.host, device)):
            raise HoldsData(f"{self.name(share)} stays", "files are in it")
        self._drop(share)

    def _drop(self, share: str) -> None:
        """Take it out of the machine, and destroy it."""
        if slot := self.slot(share):
            with self.unprotected():
                self.api.call("PUT", f"{self.url}/unlink", {"idlist": slot, "force": True})


def _is_volume(name: str, value: str) -> bool:
    """Whether it is a disk of a share."""
    return name.startswith("scsi") and member(value, "serial").startswith("smbgw-")
