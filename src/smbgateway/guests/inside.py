"""Files of a guest, by commands that run in it."""

from abc import ABC, abstractmethod

from ..errors import CommandFailed

WRITE = (
    'umask 077; new=$(mktemp "${1%/*}/.new-XXXXXXXX") && { cat >"$new" && chmod "$2" "$new" && sync "$new" && '
    'mv -fT -- "$new" "$1" || { rm -f "$new"; exit 1; }; }'
)


class Inside(ABC):
    """What a guest has in which commands run."""

    @abstractmethod
    def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
        """Run a command inside. Raises CommandFailed."""

    def read(self, path: str) -> str | None:
        """Return the text of a file; None if there is none."""
        try:
            return self.run("cat", "--", path)
        except CommandFailed as error:
            if "No such file" in error.output or "Not a directory" in error.output:
                return None
            raise

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Replace a file in one step: new file beside it, fsync, rename."""
        self.run("sh", "-c", WRITE, "write", path, f"{mode:o}", stdin=text)
