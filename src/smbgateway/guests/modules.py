"""What of us runs inside of a virtual machine, supervisor and proof: put there, so that it is of our version."""

import base64
import hashlib
import io
import tarfile
from pathlib import Path

from ..host import Host
from ..step import Step

OURS = Path(__file__).resolve().parents[1]
FILES = ("__init__.py", "errors.py", "host.py", "samba/__init__.py", "samba/session.py", "samba/shadow.py",
         "samba/announce.sh", "samba/supervise.sh")  # fmt: skip
UNPACK = 'rm -rf -- "$1" && mkdir -p -- "$1" && base64 -d | tar -xzC "$1" && echo "$2" >"$1/version"'


def placed(guest: Host, folder: str, title: str) -> Step:
    """Our modules in `folder` of a guest; the value is their digest."""
    contents = {name: (OURS / name).read_bytes() for name in FILES}
    want = hashlib.sha256(repr(contents).encode()).hexdigest()[:16]

    def write(value: str | None) -> None:
        if value is None:
            guest.run("rm", "-rf", "--", folder)
        else:
            guest.run("sh", "-c", UNPACK, "unpack", folder, value, stdin=_packed(contents))

    return Step(f"modules in {title}", want, lambda: (guest.read(f"{folder}/version") or "").strip() or None, write)


def _packed(contents: dict[str, bytes]) -> str:
    """A tar file, as letters."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return base64.encodebytes(made.getvalue()).decode()
