"""One SMB session by smbclient that uses a share as a client would, and words for what it met."""

import contextlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import CommandFailed, NotProved
from ..host import Host

PROOF_FILE = ".smbgw-proof-"
PROOF_SIZE = 1024 * 1024
WORDS = {
    "NT_STATUS_ACCESS_DENIED": "access denied",
    "NT_STATUS_BAD_NETWORK_NAME": "the share does not exist, or its directory is not there",
    "NT_STATUS_LOGON_FAILURE": "user or password is wrong",
    "NT_STATUS_ACCOUNT_DISABLED": "the account is disabled",
    "NT_STATUS_CONNECTION_REFUSED": "nothing listens there",
    "NT_STATUS_IO_TIMEOUT": "no answer",
}


@dataclass(frozen=True)
class Session:
    """A client at one address. `credentials` is a file of keep_credentials, or empty for an anonymous session."""

    host: Host
    conf: str
    address: str
    port: int
    credentials: str = ""

    def _do(self, share: str, commands: str) -> str:
        """Run smbclient commands on a share. Raises CommandFailed: smbclient's exit code does not tell all failures."""
        login = ["-A", self.credentials, "--pw-nt-hash"] if self.credentials else ["-N"]
        argv = ["smbclient", f"--configfile={self.conf}", f"--port={self.port}", *login]
        output = self.host.run(*argv, f"//{self.address}/{share}", "-c", commands, timeout=60)
        if "NT_STATUS_" in output:
            raise CommandFailed(argv, 1, output)
        return output

    def list(self, share: str) -> str:
        """Log in and list the root. Returns no warning. Raises NotProved."""
        try:
            self._do(share, "ls")
        except CommandFailed as error:
            raise NotProved(f"cannot list share {share}", explain(error.output)) from error
        return ""

    def write_all(self, shares: Sequence[str], folder: str) -> bool:
        """As `write`, for many shares in one session; False where anything at all was not as it should be."""
        name = PROOF_FILE + secrets.token_hex(6)
        content = secrets.token_hex(PROOF_SIZE // 2)
        self.host.write(f"{folder}/{name}", content, 0o600)
        use = f"put {folder}/{name} {name}; get {name} {folder}/{name}.%d; del {name}"
        commands = [f'tcon "{share}"; {use % number}' for number, share in enumerate(shares)]
        files = [f"{folder}/{name}.{number}" for number in range(len(shares))]
        try:
            self._do(shares[0], "; ".join(commands))
            return all(self.host.read(file) == content for file in files)
        except CommandFailed:
            return False
        finally:
            self.host.run("rm", "-f", "--", f"{folder}/{name}", *files)

    def write(self, share: str, folder: str) -> str:
        """Write 1 MiB, read it back, delete it, by way of files in `folder`. Returns a warning, empty when all is well.

        Raises NotProved. A full disk counts as service: the login and the create worked.
        """
        name = PROOF_FILE + secrets.token_hex(6)
        sent, got = f"{folder}/{name}", f"{folder}/{name}.back"
        content = secrets.token_hex(PROOF_SIZE // 2)
        self.host.write(sent, content, 0o600)
        try:
            self._do(share, f"put {sent} {name}; get {name} {got}; del {name}")
            if self.host.read(got) != content:
                raise NotProved(f"share {share} gives back other bytes than were written")
        except CommandFailed as error:
            return self._forgive(share, name, error)
        finally:
            self.host.run("rm", "-f", "--", sent, got)
        return ""

    def _forgive(self, share: str, name: str, error: CommandFailed) -> str:
        with contextlib.suppress(CommandFailed):
            self._do(share, f"del {name}")  # what a failed write may have left
        if "NT_STATUS_DISK_FULL" in error.output:
            return "the storage is full: a login works, a write does not"
        if "NT_STATUS_ACCESS_DENIED opening remote file" in error.output:
            self.list(share)
            return "a login works, but the directory's own permissions do not let the user write at its root"
        raise NotProved(f"cannot write to share {share}", explain(error.output)) from error

    def exists(self, share: str) -> None:
        """Ask without a login whether the running smbd publishes a share. Raises NotProved."""
        try:
            self._do(share, "exit")
        except CommandFailed as error:
            if "NT_STATUS_ACCESS_DENIED" not in error.output:
                raise NotProved(f"share {share} is not served at {self.address}", explain(error.output)) from error


def explain(output: str) -> str:
    """The first NT status in words, with the status itself."""
    match = re.search(r"NT_STATUS_[A-Z_]+", output)
    if not match:
        return output.strip() or "no answer"
    return f"{WORDS[match[0]]} ({match[0]})" if match[0] in WORDS else match[0]
