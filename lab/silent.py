"""A file system that says hello and then nothing any more: whoever asks it waits, and not even SIGKILL ends that."""

import ctypes
import os
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.mounts import run

_LIBC = ctypes.CDLL(None, use_errno=True)
INIT = 26  # fuse(4): opcode
HELLO = struct.Struct("=IiQ IIII HHIIHH 32x")  # fuse_out_header, fuse_init_out


class Silent:
    """A FUSE file system, mounted. `end` closes it: who waits gets an error."""

    def __init__(self, path: Path) -> None:
        self.path, self.device = path, os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        options = f"fd={self.device},rootmode=40755,user_id=0,group_id=0,allow_other".encode()
        if _LIBC.mount(b"silent", str(path).encode(), b"fuse", 0, options):
            raise OSError(ctypes.get_errno(), f"mount of a FUSE on {path}")
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        """Take all requests, answer the first."""
        while True:
            try:
                request = os.read(self.device, 1 << 20)
            except OSError:
                return
            _, opcode, unique = struct.unpack_from("=IIQ", request)
            if opcode == INIT:
                body = (7, 31, 65536, 0, 12, 9, 65536, 1, 16, 0)
                os.write(self.device, HELLO.pack(HELLO.size, 0, unique, *body))

    def end(self) -> None:
        """Unmount it by force, which ends all that waits."""
        if self._thread.is_alive():
            run("umount", "--force", "--lazy", self.path)
            self._thread.join(10)
            os.close(self.device)


@contextmanager
def silent(path: Path) -> Iterator[Silent]:
    """Mounted on a directory, and gone at the end."""
    made = Silent(path)
    try:
        yield made
    finally:
        made.end()
