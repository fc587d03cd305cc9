"""What virtual machines of gateways need: the disk that they start from, built once and kept; and their end."""

import contextlib
import os
from pathlib import Path

from smbgateway.guests.image import Images
from smbgateway.guests.machine import Machine
from smbgateway.host import Node

from . import mounts
from .containers import CACHE, building, recipe


def disk_file() -> Path:
    """A disk, built where there is none of this recipe yet."""
    file = CACHE / f"machine-{recipe().suite}-{Images.version()}.qcow2"
    with building(file) as absent:
        if absent:
            scratch = CACHE / f"images-{os.getpid()}"
            try:
                Images(Node(), str(scratch)).build(recipe(), f"{file}.new")
            finally:
                mounts.run("rm", "-rf", "--one-file-system", scratch)
            os.rename(f"{file}.new", file)
    return file


def end_all(folder: Path) -> None:
    """End every machine below a directory."""
    for each in folder.glob("*/pid"):
        with contextlib.suppress(ProcessLookupError):
            Machine(Node(), str(each.parent), f"virtual machine {each.parent.name}").kill()
