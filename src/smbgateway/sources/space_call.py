"""A program, not a module of ours: says how full the file systems of many paths are, as far as they answer.

It reads paths with a NUL between them, and prints for each, as answers come in, one line of numbers:

    INDEX total used available size volume inside   bytes; the number of a btrfs subvolume, the bytes of an XFS, or 0
    INDEX error                                     errno(3)

Of a path with a `?` before it only the size is said, and that it is there.
A file system that hangs holds up a thread, not the others. What did not answer in time has no line. It is a process of
its own, because nothing else can be got rid of that waits for a dead disk. It starts with each round of the monitor, so
it does without json, queue and threading: to import them takes as long as all the rest.
"""

import _thread
import fcntl
import os
import stat
import struct
import sys
import time

PATIENCE = 2.0  # seconds without any answer
WORKERS = 8
SLOW = 0.5  # seconds, after which another thread takes over
MOST = 100  # threads
SUBVOLUME = 0xD0009412  # BTRFS_IOC_INO_LOOKUP, ioctl_btrfs(2): of object 256 it is the subvolume itself
GEOMETRY = 0x80705864  # XFS_IOC_FSGEOMETRY_V1, ioctl_xfs_fsgeometry(2)


def figures(path: str) -> tuple[int, ...]:
    """What is known of a path."""
    if path.startswith("?"):
        return 0, 0, 0, os.stat(path[1:]).st_size, 0, 0
    found = os.statvfs(path)
    block, here = found.f_frsize, os.stat(path)
    volume, inside = _ioctls(path) if stat.S_ISDIR(here.st_mode) else (0, 0)
    used = (found.f_blocks - found.f_bfree) * block
    return found.f_blocks * block, used, found.f_bavail * block, here.st_size, volume, inside


def _ioctls(path: str) -> tuple[int, int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        asked = _ask(descriptor, SUBVOLUME, struct.pack("=QQ4080x", 0, 256))
        geometry = _ask(descriptor, GEOMETRY, bytes(112))
    finally:
        os.close(descriptor)
    block, blocks = struct.unpack_from("=I28xQ", geometry) if geometry else (0, 0)
    return struct.unpack_from("=Q", asked)[0] if asked else 0, block * blocks


def _ask(descriptor: int, request: int, words: bytes) -> bytes:
    """The answer; none of a file system that does not know the request."""
    answer = bytearray(words)
    try:
        fcntl.ioctl(descriptor, request, answer)
    except OSError:
        return b""
    return bytes(answer)


def work(asked: list[tuple[int, str]], told: list[int], news: "_thread.LockType") -> None:
    """Answer until nothing is asked any more."""
    while asked:
        try:
            number, path = asked.pop()
        except IndexError:  # another was quicker
            return
        try:
            said: tuple[int, ...] = figures(path)
        except OSError as error:
            said = (error.errno or 5,)
        os.write(
            1, (" ".join(map(str, (number, *said))) + "\n").encode()
        )  # whole: it is shorter than PIPE_BUF, pipe(7)
        told.append(number)
        try:  # noqa: SIM105 - contextlib would have to be imported
            news.release()
        except RuntimeError:  # there was news already
            pass


def main() -> None:
    """Print what comes, until nothing has come for PATIENCE."""
    paths = sys.stdin.buffer.read().split(b"\0")
    asked = [(number, os.fsdecode(path)) for number, path in enumerate(paths)][::-1]
    told: list[int] = []
    news, threads = _thread.allocate_lock(), 0
    news.acquire()

    def start(wanted: int) -> int:
        for _ in range(wanted):
            _thread.start_new_thread(work, (asked, told, news))
        return wanted

    threads += start(min(WORKERS, len(paths)))
    end = time.monotonic() + PATIENCE
    while len(told) < len(paths) and time.monotonic() < end:
        if news.acquire(timeout=SLOW):
            end = time.monotonic() + PATIENCE
        else:  # whoever works hangs
            threads += start(min(WORKERS, MOST - threads))


if __name__ == "__main__":
    main()
    os._exit(0)  # threads may hang
