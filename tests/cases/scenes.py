"""Scenes: what happens to a directory on a host. The real ring plays them with real tools and compares what these said
with `recordings/`; the unit ring plays the same scenes with the recordings.

Each takes the host and an existing directory. New recordings: `RECORD=1 ./test real -k recording`.
"""

from collections.abc import Callable

from smbgateway.errors import Fault
from smbgateway.host import Host
from smbgateway.model import DirectorySource
from smbgateway.sources import Place, cells
from smbgateway.sources.directory import Directory
from smbgateway.step import Ledger

GROUP = 20001


def directory(host: Host, folder: str, name: str = "docs", adopted: bool = False) -> Directory:
    place = Place("files", "docs", mount="", roots=(folder,), group=GROUP, adopted=adopted)
    return Directory(host, place, DirectorySource(path=f"{folder}/{name}"))


def converge(source: Directory) -> Ledger:
    ledger = Ledger()
    ledger.converge(source.steps())
    return ledger


def new_directory(host: Host, folder: str) -> None:
    source = directory(host, folder)
    assert source.look() == ([], False)
    ledger = converge(source)
    assert source.look() == ([], True)
    assert cells.stat(host, source.path, "%u:%g %a") == "0:20001 2770"
    assert cells.read_earmark(host, source.path) == "gateway=files share=docs ntacl=user.NTACL idmap=0"
    assert converge(source).changes == []
    assert ledger.undo() == ([f"earmark of {source.path}", f"directory {source.path}"], [])
    assert source.look() == ([], False)


def directory_with_files(host: Host, folder: str) -> None:
    source = directory(host, folder)
    ledger = converge(source)
    host.run("touch", f"{source.path}/letter.odt", f"{source.path}/.smbgw-proof-1")
    left = [f"directory {source.path} (files of clients are in it)"]
    assert ledger.undo() == ([f"earmark of {source.path}"], left)
    assert host.run("ls", "-A", source.path) == "letter.odt\n"


def directory_with_a_proof_left(host: Host, folder: str) -> None:
    source = directory(host, folder)
    ledger = converge(source)
    host.run("touch", f"{source.path}/.smbgw-proof-1")
    assert ledger.undo()[1] == []
    assert cells.stat(host, source.path, "%F") is None


def directory_removed(host: Host, folder: str) -> None:
    source = directory(host, folder)
    converge(source)
    host.run("touch", f"{source.path}/letter.odt")
    assert Ledger().remove(source.steps()) == [f"directory {source.path}"]
    assert source.look() == ([], True)
    assert cells.read_earmark(host, source.path) is None
    assert Ledger().remove(source.steps(), destroy=True) == []
    assert source.look() == ([], False)
    assert Ledger().remove(source.steps(), destroy=True) == []


def directory_changed_by_hand(host: Host, folder: str) -> None:
    source = directory(host, folder)
    host.run("mkdir", "-m", "755", source.path)
    ledger = converge(source)
    assert cells.stat(host, source.path, "%u:%g %a") == "0:20001 2770"
    assert ledger.undo()[1] == []
    assert cells.stat(host, source.path, "%u:%g %a") == "0:0 755"


def adopted_directory(host: Host, folder: str) -> None:
    source = directory(host, folder, adopted=True)
    host.run("mkdir", "-m", "750", source.path)
    host.run("chown", "1000:1000", source.path)
    host.run("setfacl", "-m", "user:1001:r-x", source.path)
    before = host.run("getfacl", "-n", "-p", source.path)
    ledger = converge(source)
    assert cells.stat(host, source.path, "%u:%g") == "1000:1000"
    entries = host.run("getfacl", "-n", "-p", source.path).splitlines()
    assert {"user:1001:r-x", "group:20001:rwx", "default:group:20001:rwx", "default:mask::rwx"} < set(entries)
    assert converge(source).changes == []
    assert ledger.undo() == ([f"earmark of {source.path}", f"access to {source.path}"], [])
    assert host.run("getfacl", "-n", "-p", source.path) == before
    assert Ledger().remove(source.steps(), destroy=True) == []
    assert source.look() == ([], True)


def directory_of_another(host: Host, folder: str) -> None:
    source = directory(host, folder)
    host.run("mkdir", source.path)
    host.run("setfattr", "-n", cells.EARMARK, "-v", "gateway=other share=letters ntacl=x idmap=0", source.path)
    text, hint = "it belongs to share letters of gateway other", "delete that share first, or choose another source"
    assert source.look() == ([Fault("source.path", text, hint)], True)


def bad_places(host: Host, folder: str) -> None:
    def fault(name: str) -> tuple[str, str]:
        faults, _ = directory(host, folder, name).look()
        (found,) = faults
        assert found.field == "source.path"
        return found.message, found.hint

    host.run("touch", f"{folder}/file")
    host.run("mkdir", f"{folder}/real")
    host.run("ln", "-s", f"{folder}/real", f"{folder}/link")
    assert fault("file") == (f"{folder}/file is a regular empty file, not a directory", "")
    assert fault("file/x") == (f"the directory {folder}/file does not exist", f"mkdir -p {folder}/file")
    assert fault("none/x") == (f"the directory {folder}/none does not exist", f"mkdir -p {folder}/none")
    for name in ("link", "link/x"):
        real = name.replace("link", "real")
        text = f"{folder}/{name} leads through a symbolic link to {folder}/{real}"
        assert fault(name) == (text, "name the real path")


def usage(host: Host, folder: str) -> None:
    found = directory(host, folder, "").usage()
    assert found.limit is None
    assert found.used > 0
    assert found.available > 0


SCENES: dict[str, Callable[[Host, str], None]] = {
    scene.__name__: scene
    for scene in (
        new_directory,
        directory_with_files,
        directory_with_a_proof_left,
        directory_removed,
        directory_changed_by_hand,
        adopted_directory,
        directory_of_another,
        bad_places,
        usage,
    )
}
