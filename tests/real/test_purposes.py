"""What clients get of every purpose and option: real smbd, real clients, in a network of its own."""

import os
import re
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import smbclient
from smbprotocol.connection import Connection, Dialects
from smbprotocol.create_contexts import (
    SMB2CreateContextRequest,
    SMB2CreateDurableHandleReconnectV2,
    SMB2CreateDurableHandleRequestV2,
    SMB2CreateDurableHandleResponseV2,
)
from smbprotocol.exceptions import SMBException, SMBResponseException
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    SMB2LockElement,
    SMB2LockRequest,
    SMB2QueryInfoRequest,
    SMB2QueryInfoResponse,
)
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from lab import mounts
from smbgateway.convergence import Result
from smbgateway.engine import Engine
from smbgateway.errors import Invalid
from smbgateway.host import Node
from smbgateway.intake import Options
from smbgateway.paths import Paths
from smbgateway.store import FileStore
from tests.unit.test_samba_config import CASES, rendered

CLONE_NEWNET = 0x40000000
MI = 1024 * 1024
FILES, MACS, OPEN, HARD = ADDRESSES = ("127.0.0.11", "127.0.0.12", "127.0.0.13", "127.0.0.14")
NAMES = dict(zip(ADDRESSES, ("files", "macs", "open", "hard"), strict=True))
PASSWORDS = {"alice": "Alice's secret", "bob": "Bob's secret 2", "carol": "Carol's secret", "eve": "Eve's secret 5"}
GRACE = 5
Record = dict[str, Any]


@dataclass
class Site:
    """An installation with four gateways, each on port 445 of an address of its own."""

    engine: Engine
    root: Path

    def apply(self, *records: Record) -> Result:
        return self.engine.apply(records, Options(allow_paths=(str(self.root.parent),)))

    def own(self, address: str) -> str:
        return self.engine.site.paths.instance(NAMES[address])

    def data(self, share: str) -> Path:
        return self.root / "srv" / share

    def said(self, where: str, user: str, commands: str, *options: str, password: str | None = None) -> str:
        """What smbclient says on ADDRESS/SHARE; an empty user is anonymous."""
        login = ["-U", f"{user}%{PASSWORDS[user] if password is None else password}"] if user else ["-N"]
        conf = f"--configfile={self.own(where.split('/')[0])}/client.conf"
        return said("smbclient", conf, *login, f"//{where}", "-c", commands, *options)

    def do(self, where: str, user: str, commands: str, *options: str, password: str | None = None) -> str:
        """The same, and all of it works."""
        answer = self.said(where, user, commands, *options, password=password)
        assert "NT_STATUS" not in answer, answer
        return answer

    def acl(self, where: str, user: str, path: str, *change: str) -> str:
        conf = f"--configfile={self.own(where.split('/')[0])}/client.conf"
        return said("smbcacls", conf, "-U", f"{user}%{PASSWORDS[user]}", f"//{where}", path, *change)


def said(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60)
    return done.stdout + done.stderr


def user(name: str, **more: object) -> Record:
    return {"kind": "user", "name": name, **({"password": PASSWORDS[name]} if name in PASSWORDS else {}), **more}


def share(root: Path, gateway: str, name: str, purpose: str = "general", **more: Any) -> Record:
    source = more.pop("source", {"kind": "directory", "path": str(root / "srv" / name)})
    kind = {"kind": purpose, **more.pop("options", {})}
    return {"kind": "share", "name": name, "gateway": gateway, "source": source, "purpose": kind, **more}


def gateway(address: str, **more: object) -> Record:
    return {"kind": "gateway", "name": NAMES[address], "mode": {"kind": "native", "addresses": [address]}, **more}


def resources(root: Path, btrfs: mounts.Disk) -> list[Record]:
    both, all_three = {"alice": "write", "@staff": "write"}, {"alice": "write", "@staff": "write", "carol": "read"}
    tight = {"quota": 100 * MI, "access": {"alice": "write"}}
    return [
        gateway(FILES),
        gateway(MACS),
        gateway(OPEN, allow_guests=True, minimum_protocol="SMB2_10"),
        gateway(HARD, hardened=True),
        *(user(name) for name in PASSWORDS),
        user("dan"),
        {"kind": "group", "name": "staff", "members": ["bob"]},
        share(root, "files", "docs", access=all_three),
        share(root, "files", "sealed", access=both, encryption="required"),
        share(root, "files", "secret", access=both, hidden=True),
        share(root, "files", "vault", "archive", access=both, options={"grace": GRACE}),
        share(root, "files", "homes of all", "homes", access=both),
        share(root, "files", "nobody's", access={"dan": "write"}) | {"name": "nobodys"},
        share(root, "files", "tight one", source={"kind": "btrfs", "path": f"{btrfs.path}/tight"}, **tight),
        share(root, "macs", "backups", "timemachine", source={"kind": "btrfs", "path": f"{btrfs.path}/tm"}, **tight),
        share(root, "macs", "films", "media", access=both),
        share(root, "macs", "letters", access=both),
        share(root, "open", "pub", access={"alice": "write"}, guest="read"),
        share(root, "open", "drop", guest="write"),
        share(root, "open", "closed", access={"alice": "write"}),
        share(root, "hard", "safe", access=both),
    ]


@pytest.fixture(scope="module")
def network() -> Iterator[None]:
    """A network of our own, so that all have port 445, as clients want it (smbcacls knows no other)."""
    before = os.open("/proc/self/ns/net", os.O_RDONLY)
    assert mounts._LIBC.unshare(CLONE_NEWNET) == 0
    try:
        mounts.run("ip", "link", "set", "lo", "up")
        for address in ADDRESSES:
            mounts.run("ip", "address", "add", f"{address}/8", "dev", "lo")
        yield
    finally:
        assert mounts._LIBC.setns(before, CLONE_NEWNET) == 0
        os.close(before)


@pytest.fixture(scope="module")
def crowded(area: Path) -> Iterator[None]:
    """The node has an alice of its own, who may do much. Its group `staff` comes with Debian."""
    lines = {"passwd": "alice:x:61234:61234::/home/alice:/bin/bash\n", "group": "strong:x:61235:alice\n"}
    for name, line in lines.items():
        copy = area / f"node-{name}"
        copy.write_text(Path(f"/etc/{name}").read_text() + line)
        mounts.run("mount", "--bind", copy, f"/etc/{name}")
    yield
    for name in lines:
        mounts.run("umount", f"/etc/{name}")


@pytest.fixture(scope="module")
def first(area: Path, btrfs: mounts.Disk, network: None, crowded: None) -> Iterator[tuple[Site, Result]]:
    """The installation, and what the first request said. All ends with the module."""
    area.chmod(0o755)
    root = area / "purposes"
    (root / "srv").mkdir(parents=True)
    paths = Paths(str(root))
    site = Site(Engine(FileStore(paths), paths, Node(), "n1"), root)
    assert site.engine.start() == []
    try:
        yield site, site.apply(*resources(root, btrfs))
    finally:
        world = site.engine.site.world()
        for found in world.gateways.values():
            site.engine.site.blueprint(world).instance(found).stop()
        mounts.run("sh", "-c", f"btrfs subvolume delete {btrfs.path}/tight {btrfs.path}/tm || true")


@pytest.fixture
def site(first: tuple[Site, Result]) -> Site:
    return first[0]


@contextmanager
def tree(where: str, user: str = "alice", **options: Any) -> Iterator[TreeConnect]:
    """A connection of smbprotocol's to ADDRESS/SHARE: for what smbclient cannot say."""
    address, name = where.split("/")
    connection = Connection(uuid.uuid4(), address, 445, require_signing=False)
    connection.connect(options.pop("dialect", None))
    try:
        session = Session(connection, user, PASSWORDS[user], require_encryption=False, auth_protocol="ntlm")
        session.connect()
        made = TreeConnect(session, f"\\\\{address}\\{name}")
        made.connect()
        yield made
    finally:
        connection.disconnect(close=False)


def opened(at: TreeConnect, path: str = "", access: int = 0, contexts: Any = None, **more: Any) -> tuple[Open, Any]:
    """Open a file of a tree, and what the server answered to the create contexts."""
    handle = Open(at, path)
    answers = handle.create(
        ImpersonationLevel.Impersonation,
        access or FilePipePrinterAccessMask.FILE_READ_ATTRIBUTES,
        0,
        7,  # shared with all
        more.pop("disposition", CreateDisposition.FILE_OPEN),
        more.pop("kind", 0),
        contexts,
        **more,
    )
    return handle, answers


# What is published


def test_all_is_published_as_it_is_rendered(site: Site) -> None:
    world = site.engine.site.world()
    for found in world.gateways.values():
        assert site.engine.drift(found, world.shares_of(found.name)) == []


def test_all_is_proved_and_what_is_odd_is_said(first: tuple[Site, Result]) -> None:
    result = first[1]
    said = {proof.share: proof.text for proof in result.proofs}
    assert said.pop("nobodys") == "served; nobody can log in"
    assert said.pop("drop") == "as guest, wrote and read 1 MiB"
    assert set(said.values()) <= {f"login as {name}, wrote and read 1 MiB" for name in ("alice", "bob")}
    assert sorted(result.warnings) == [
        "gateway open: guests are allowed, so sessions are signed only where the client asks for it",
        "share drop: anybody on the network can read and change it without a password",
        "share nobodys: nobody can log in: give a user with a password access",
        "share pub: anybody on the network can read it without a password",
        "user dan: cannot log in: it has no password",
    ]


@pytest.mark.parametrize("case", CASES)
def test_samba_knows_every_parameter(case: str, tmp_path: Path) -> None:
    text = rendered(case, str(tmp_path))
    for name in re.findall(rf"= ({tmp_path}/\w+)$", text, re.MULTILINE):
        Path(name).mkdir(mode=0o755, exist_ok=True)
    (tmp_path / "smb.conf").write_text(text)
    done = subprocess.run(["testparm", "-s", tmp_path / "smb.conf"], capture_output=True, text=True)
    quiet = ("Load smb config files", "Loaded services file OK.", "Weak crypto is allowed", "Server role:", "")
    # It does not know that a proof of ours never fills that: 30 s is more than a request takes.
    assert [line for line in done.stderr.splitlines() if not line.startswith(quiet[:-1]) and line] == []
    assert done.returncode == 0


def test_samba_knows_every_parametric_option() -> None:
    """testparm knows none of them: each must stand in the module that reads it, or in Samba's own library."""
    modules = Path(said("smbd", "-b").split("MODULESDIR: ")[1].split("\n")[0]) / "vfs"
    base, core = [*modules.parent.glob("libsmbd-base*.so*")], [*modules.parent.parent.glob("libsmbconf.so*")]
    homes = {
        "shadow": [modules / "shadow_copy2.so"],
        "acl_xattr": [modules / "acl_xattr.so", *base],
        "dbwrap_tdb_mutexes": core,
    }
    options = {tuple(name.split(":")) for case in CASES for name in re.findall(r"\t(\w+:[^=]+) =", rendered(case))}
    for prefix, option in options:
        # `*` stands for every database: the library holds the prefix and asks with the name of each.
        word = prefix if option == "*" else option
        parts = homes.get(prefix, [modules / f"{prefix}.so"])
        assert any(word.encode() + b"\0" in part.read_bytes() for part in parts), f"{prefix}:{option}"


def test_accounts_of_the_node_are_not_ours(site: Site) -> None:
    world = site.engine.site.world()
    pid = site.engine.site.blueprint(world).instance(world.gateways["files"]).pid()
    inside = ("nsenter", f"--mount=/proc/{pid}/ns/mnt", "--")
    alice, bob = world.users["alice"].uid, world.users["bob"].uid
    assert said("id", "alice") == "uid=61234(alice) gid=61234 groups=61234,61235(strong)\n"
    assert said(*inside, "id", "alice") == f"uid={alice}(alice) gid=20000(smbgw) groups=20000(smbgw)\n"
    staff = world.groups["staff"].gid
    assert said(*inside, "id", "bob") == f"uid={bob}(bob) gid=20000(smbgw) groups=20000(smbgw),{staff}(staff)\n"
    assert said(*inside, "getent", "passwd", "0", "nobody", "daemon", "61234").splitlines() == [
        "root:x:0:0::/nonexistent:/usr/sbin/nologin",
        "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin",
    ]


# General


def test_users_of_a_share_work_on_each_others_files(site: Site, tmp_path: Path) -> None:
    docs = f"{FILES}/docs"
    (tmp_path / "letter").write_text("Dear")
    site.do(docs, "alice", f"mkdir plan; cd plan; mkdir sub; lcd {tmp_path}; put letter a; put letter b")
    site.do(docs, "bob", f"lcd {tmp_path}; cd plan; put letter a; rename b c; put letter sub\\d; del a; mkdir new")
    site.do(docs, "alice", f"lcd {tmp_path}; cd plan; put letter sub\\d; del sub\\d; rmdir sub; rmdir new; del c")
    site.do(docs, "bob", "rename plan done; rmdir done")
    assert list(site.data("docs").iterdir()) == []


def test_a_directory_that_was_there_is_shared_as_it_is(site: Site, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear")
    there = site.data("there")
    (there / "old").mkdir(parents=True)
    (there / "old" / "note").write_text("of the node")
    for path in (there, there / "old", there / "old" / "note"):
        os.chown(path, 61234, 61234)
    site.apply(share(site.root, "files", "there", access={"alice": "write", "bob": "write"}))
    assert site.engine.site.world().shares["files/there"].foreign
    where, put = f"{FILES}/there", f"lcd {tmp_path}"
    site.do(where, "alice", f"{put}; mkdir new; cd new; put letter; cd ..; get old\\note got")
    site.do(where, "bob", f"{put}; cd new; put letter; rename letter memo; mkdir sub; cd sub; put letter")
    site.do(where, "alice", "cd new; del sub\\letter; rmdir sub; put /etc/hostname memo; del memo; cd ..; rmdir new")
    for command in ("put letter old\\note", "del old\\note", "put letter old\\mine"):
        assert "NT_STATUS_ACCESS_DENIED" in site.said(where, "alice", f"{put}; {command}"), command
    status = (there / "old" / "note").stat()
    assert (status.st_uid, status.st_gid, oct(status.st_mode)) == (61234, 61234, "0o100644")


def test_a_share_made_again_serves_its_data_as_before(site: Site, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear")
    made, put = share(site.root, "files", "again", access={"alice": "write", "bob": "write"}), f"lcd {tmp_path}"
    site.apply(made)
    where = f"{FILES}/again"
    site.do(where, "alice", f"{put}; mkdir old; put letter old\\a; put letter diary")
    site.acl(where, "alice", "diary", "-a", r"ACL:FILES\bob:DENIED/0x0/FULL")
    assert site.engine.remove([("share", "files/again")]).kept
    site.apply(made)
    record = site.engine.site.world().shares["files/again"]
    assert (record.adopted, record.foreign) == (True, False)
    site.do(where, "bob", f"{put}; put letter old\\a; put letter old\\b")
    site.do(where, "alice", f"{put}; put letter old\\b; del old\\b; get diary got")
    assert "NT_STATUS_ACCESS_DENIED" in site.said(where, "bob", f"{put}; get diary got")


def test_who_may_only_read_reads(site: Site, tmp_path: Path) -> None:
    docs = f"{FILES}/docs"
    (tmp_path / "letter").write_text("Dear")
    site.do(docs, "alice", f"lcd {tmp_path}; put letter; mkdir kept")
    site.do(docs, "carol", f"lcd {tmp_path}; get letter got; ls")
    assert (tmp_path / "got").read_text() == "Dear"
    denied = "put got letter; put got new; del letter; rename letter x; mkdir d; rmdir kept; setmode letter +h"
    for command in denied.split("; "):
        answer = site.said(docs, "carol", f"lcd {tmp_path}; {command}")
        assert re.search("NT_STATUS_(ACCESS_DENIED|MEDIA_WRITE_PROTECTED)", answer), (command, answer)
    site.do(docs, "bob", "del letter; rmdir kept")


@pytest.mark.parametrize("name", ["docs", "sealed", "secret", "vault", "homes of all", "nobodys"])
def test_strangers_stay_out(site: Site, name: str) -> None:
    for who in ("eve", ""):
        assert site.said(f"{FILES}/{name}", who, "ls").strip().endswith("tree connect failed: NT_STATUS_ACCESS_DENIED")


def test_a_wrong_name_or_password_is_refused(site: Site) -> None:
    for who in ("alice", "mallory"):
        answer = site.said(f"{FILES}/docs", who, "ls", password="guess")
        assert answer.strip() == "session setup failed: NT_STATUS_LOGON_FAILURE"


def test_shares_are_listed_for_users_alone(site: Site) -> None:
    conf = f"--configfile={site.own(FILES)}/client.conf"
    listed = said("smbclient", conf, "-U", f"alice%{PASSWORDS['alice']}", "-gL", f"//{FILES}")
    names = {line.split("|")[1] for line in listed.splitlines() if line.startswith("Disk|")}
    assert {"docs", "vault", "tight one"} < names
    assert "secret" not in names
    anonymous = said("smbclient", conf, "-N", "-gL", f"//{FILES}")
    assert "Disk|" not in anonymous
    assert "NT_STATUS_ACCESS_DENIED" in anonymous


def test_rights_that_a_client_sets_hold(site: Site, tmp_path: Path) -> None:
    docs = f"{FILES}/docs"
    (tmp_path / "letter").write_text("Dear")
    site.do(docs, "alice", f"lcd {tmp_path}; mkdir ours; cd ours; put letter plan; put letter diary")
    site.acl(docs, "alice", "ours/diary", "-a", r"ACL:FILES\bob:DENIED/0x0/FULL")
    world = site.engine.site.world()
    site.engine.site.blueprint(world).instance(world.gateways["files"]).stop()
    assert site.engine.bring_up("files") == []
    # Names come from samba-dcerpcd, a little after smbd.
    mounts.until(lambda: r"ACL:FILES\bob:DENIED/0x0/FULL" in site.acl(docs, "alice", "ours/diary"), "bob is denied")
    assert "OWNER:FILES\\alice\n" in site.acl(docs, "alice", "ours/diary")
    assert "NT_STATUS_ACCESS_DENIED" in site.said(docs, "bob", f"lcd {tmp_path}; cd ours; get diary got")
    assert "NT_STATUS_ACCESS_DENIED" in site.said(docs, "bob", f"lcd {tmp_path}; cd ours; put letter diary")
    site.do(docs, "bob", f"lcd {tmp_path}; cd ours; put letter plan")
    site.do(docs, "alice", f"lcd {tmp_path}; cd ours; get diary got; del diary; del plan; cd ..; rmdir ours")


def test_rights_are_inherited_by_new_files(site: Site, tmp_path: Path) -> None:
    docs = f"{FILES}/docs"
    (tmp_path / "letter").write_text("Dear")
    site.do(docs, "alice", "mkdir board")
    site.acl(
        docs, "alice", "board", "-S", r"ACL:FILES\alice:ALLOWED/OI|CI/FULL,ACL:Unix Group\staff:ALLOWED/OI|CI/READ"
    )
    site.do(docs, "alice", f"lcd {tmp_path}; cd board; mkdir deep; put letter deep\\minutes")
    site.do(docs, "bob", f"lcd {tmp_path}; get board\\deep\\minutes got")
    for command in ("put letter board\\deep\\minutes", "del board\\deep\\minutes", "put letter board\\mine"):
        assert "NT_STATUS_ACCESS_DENIED" in site.said(docs, "bob", f"lcd {tmp_path}; {command}"), command
    site.do(docs, "alice", "del board\\deep\\minutes; rmdir board\\deep; rmdir board")


def test_streams_attributes_and_ea(site: Site, tmp_path: Path) -> None:
    docs = f"{FILES}/docs"
    (tmp_path / "letter").write_text("Dear")
    (tmp_path / "mark").write_text("[ZoneTransfer]\nZoneId=3\n")
    site.do(docs, "alice", f"lcd {tmp_path}; put letter; put mark letter:Zone.Identifier; setmode letter +rhs")
    shown = site.said(docs, "bob", "allinfo letter")  # also asks for snapshots, and of some versions says NT_STATUS
    site.do(docs, "bob", f"lcd {tmp_path}; get letter:Zone.Identifier got")
    assert "attributes: RHSA (27)" in shown
    assert "stream: [:Zone.Identifier:$DATA], 24 bytes" in shown
    assert (tmp_path / "got").read_bytes() == (tmp_path / "mark").read_bytes()
    assert "NT_STATUS_CANNOT_DELETE" in site.said(docs, "bob", "del letter")
    site.do(docs, "bob", "setmode letter -rhs")
    cache: dict[str, Connection] = {}
    login = {"username": "alice", "password": PASSWORDS["alice"], "connection_cache": cache, "auth_protocol": "ntlm"}
    path = rf"\\{FILES}\docs\letter"
    smbclient.setxattr(path, b"ORIGIN", b"scanner 3", **login)
    assert smbclient.listxattr(path, **login) == [b"ORIGIN"]
    assert smbclient.getxattr(path, b"ORIGIN", **login) == b"scanner 3"
    smbclient.reset_connection_cache(connection_cache=cache)
    site.do(docs, "alice", "del letter")


NAMES_OF_FILES = [
    "späce 日本 Ω.txt",
    "e\u0301 is two letters.txt",
    "😀 emoji.txt",
    "semi;colon, 'quote' & $(echo no) `id` %U %H",
    ".hidden",
    "[brackets] {and} ~$lock.docx",
    "x" * 250,
    "CON.txt",
    "-rf",
]


def test_names_of_files(site: Site) -> None:
    with tree(f"{FILES}/docs") as at:
        kind = CreateOptions.FILE_NON_DIRECTORY_FILE
        for name in NAMES_OF_FILES:
            handle, _ = opened(at, name, 2, disposition=CreateDisposition.FILE_CREATE, kind=kind)
            handle.write(b"Dear")
            handle.close()
    found = {entry.name for entry in site.data("docs").iterdir()}
    assert found == set(NAMES_OF_FILES)
    with tree(f"{FILES}/docs", "bob") as at:
        for name in NAMES_OF_FILES:
            handle, _ = opened(at, name, 0x10001, kind=kind | CreateOptions.FILE_DELETE_ON_CLOSE)
            assert handle.read(0, 10) == b"Dear"
            handle.close()
        for name in ("..\\..\\up", "..", "a/../../up"):
            with pytest.raises(SMBResponseException, match=r"STATUS_(OBJECT_(NAME|PATH)_|ACCESS_|INVALID_)"):
                opened(at, name, 2, disposition=CreateDisposition.FILE_OPEN_IF, kind=kind)
    assert list(site.data("docs").iterdir()) == []
    assert not (site.root / "srv" / "up").exists()


def test_a_program_can_be_run_from_a_share(site: Site, tmp_path: Path) -> None:
    (tmp_path / "setup.exe").write_text("MZ")
    site.do(f"{FILES}/docs", "alice", f"lcd {tmp_path}; put setup.exe")
    with tree(f"{FILES}/docs", "carol") as at:
        handle, _ = opened(at, "setup.exe", FilePipePrinterAccessMask.FILE_EXECUTE | 1)
        handle.close()
    site.do(f"{FILES}/docs", "alice", "del setup.exe")


def test_a_client_that_lost_its_connection_comes_back_to_its_file(site: Site) -> None:
    ask = SMB2CreateDurableHandleRequestV2()
    ask["timeout"], ask["create_guid"] = 60000, uuid.uuid4()
    make = {"disposition": CreateDisposition.FILE_CREATE, "oplock_level": 9}  # batch
    client = uuid.uuid4()
    with tree(f"{FILES}/docs") as at:
        at.session.connection.client_guid = client
        handle, answers = opened(at, "draft", 0x10003, [ask], **make)
        assert any(isinstance(answer, SMB2CreateDurableHandleResponseV2) for answer in answers or [])
        handle.write(b"unsaved")
        lock(handle)
        at.session.connection.transport._sock.shutdown(socket.SHUT_RDWR)
    with tree(f"{FILES}/docs") as at:
        again = SMB2CreateDurableHandleReconnectV2()
        again["file_id"], again["create_guid"] = handle.file_id, ask["create_guid"].get_value()
        handle, _ = opened(at, "draft", 0x10003, [again], oplock_level=9)
        assert handle.read(0, 20) == b"unsaved"
        handle.close()
    site.do(f"{FILES}/docs", "alice", "del draft")


def lock(handle: Open) -> None:
    """Lock the first 100 bytes of a file, for this handle alone."""
    element = SMB2LockElement()
    element["offset"], element["length"], element["flags"] = 0, 100, 0x12  # exclusive, fail at once
    ask = SMB2LockRequest()
    ask["file_id"], ask["locks"] = handle.file_id, [element]
    at = handle.tree_connect
    handle.connection.receive(handle.connection.send(ask, at.session.session_id, at.tree_connect_id))


# Protection


NOT_NEGOTIATED = re.compile("rotocol negotiation .*failed: NT_STATUS_(NOT_SUPPORTED|INVALID_NETWORK_RESPONSE)")


@pytest.mark.parametrize("dialect", ["NT1", "SMB2_02", "SMB2_10"])
def test_old_dialects_are_refused(site: Site, dialect: str) -> None:
    options = (f"--option=client min protocol={dialect}", f"--option=client max protocol={dialect}")
    assert NOT_NEGOTIATED.search(site.said(f"{FILES}/docs", "alice", "ls", *options))


def test_an_older_dialect_on_request(site: Site) -> None:
    options = ("--option=client min protocol=SMB2_10", "--option=client max protocol=SMB2_10")
    site.do(f"{OPEN}/closed", "alice", "ls", *options)


@pytest.mark.parametrize("address", [FILES, MACS, HARD])
def test_what_is_not_signed_is_refused(site: Site, address: str) -> None:
    names = {FILES: "docs", MACS: "films", HARD: "safe"}
    with tree(f"{address}/{names[address]}") as at:
        assert at.session.connection.server_security_mode & 2  # SMB2_NEGOTIATE_SIGNING_REQUIRED
        opened(at)[0].close()
        at.session.signing_required = at.session.encrypt_data = at.encrypt_data = False
        with pytest.raises(SMBException):
            opened(at)


def test_a_share_that_requires_encryption(site: Site) -> None:
    site.do(f"{FILES}/sealed", "alice", "ls")
    with tree(f"{FILES}/sealed") as at:
        assert at.encrypt_data
        opened(at)[0].close()
        at.encrypt_data = False
        with pytest.raises(SMBException, match="ACCESS_DENIED"):
            opened(at)
    with tree(f"{FILES}/docs") as at:
        assert not at.encrypt_data


def test_a_hardened_gateway(site: Site) -> None:
    site.do(f"{HARD}/safe", "alice", "ls")
    with tree(f"{HARD}/safe") as at:
        assert at.session.encrypt_data
        assert at.session.connection.dialect == Dialects.SMB_3_1_1
    assert NOT_NEGOTIATED.search(site.said(f"{HARD}/safe", "alice", "ls", "--option=client max protocol=SMB3_02"))


# Macs


def greeting(at: TreeConnect) -> tuple[int, int, str] | None:
    """Server's and volume's capabilities and the model, as a Mac asks for them first (create context AAPL)."""
    ask = SMB2CreateContextRequest()
    ask["buffer_name"] = b"AAPL"
    ask["buffer_data"] = struct.pack("<IIQQ", 1, 0, 7, 7)
    handle, answers = opened(at, contexts=[ask])
    handle.close()
    for answer in answers or []:
        if isinstance(answer, bytes):
            _, _, _, server, volume, _, length = struct.unpack_from("<IIQQQII", answer)
            return server, volume, answer[40 : 40 + length].decode("utf-16-le")
    return None


def test_a_mac_is_greeted(site: Site) -> None:
    answers = {}
    for name in ("backups", "films", "letters"):
        with tree(f"{MACS}/{name}") as at:
            answers[name] = greeting(at)
    # Server: extended attributes in listings (1), Unix (4: always said). Volume: F_FULLFSYNC (4), for backups alone.
    assert answers == {"backups": (5, 4, "MacSamba"), "films": (5, 0, "MacSamba"), "letters": (5, 0, "MacSamba")}
    with tree(f"{FILES}/docs") as at:
        assert greeting(at) is None


def test_a_mac_is_shown_no_unix_modes(site: Site) -> None:
    """It would set them (fruit:nfs_aces), and so lock others out behind the rights of the share."""
    modes = bytes.fromhex("0103000000000005 58000000")  # S-1-5-88-x
    for name in ("films", "letters"):
        with tree(f"{MACS}/{name}") as at:
            greeting(at)
            handle, _ = opened(at, access=0x20080)  # READ_CONTROL, FILE_READ_ATTRIBUTES
            ask = SMB2QueryInfoRequest()
            ask["info_type"], ask["output_buffer_length"], ask["additional_information"] = 3, 65536, 7
            ask["file_id"] = handle.file_id
            asked = at.session.connection.send(ask, at.session.session_id, at.tree_connect_id)
            answer = SMB2QueryInfoResponse()
            answer.unpack(at.session.connection.receive(asked)["data"].get_value())
            answer = answer["buffer"].get_value()
            assert bytes.fromhex("010100000000000100000000") in answer  # Everyone
            assert modes not in answer


@pytest.mark.parametrize("name", ["backups", "films", "letters"])
def test_forks_of_a_mac(site: Site, name: str) -> None:
    info = b"TEXTttxt" + bytes(24)
    afp = struct.pack(">IIIi", 0x41465000, 0x100, 0, -(2**31)) + info + bytes(12)
    fork = os.urandom(200_000)  # more than an xattr holds
    both = FilePipePrinterAccessMask.FILE_READ_DATA | FilePipePrinterAccessMask.FILE_WRITE_DATA
    with tree(f"{MACS}/{name}") as at:
        greeting(at)
        for stream, content in {"": b"Dear", ":AFP_AfpInfo": afp, ":AFP_Resource": fork}.items():
            handle, _ = opened(at, f"letter{stream}", both, disposition=CreateDisposition.FILE_OPEN_IF)
            for offset in range(0, len(content), 50_000):
                handle.write(content[offset : offset + 50_000], offset)
            handle.close()
    shown = site.said(f"{MACS}/{name}", "alice", "allinfo letter")
    site.do(f"{MACS}/{name}", "alice", "rename letter memo")
    assert "stream: [:AFP_AfpInfo:$DATA], 60 bytes" in shown
    assert "stream: [:AFP_Resource:$DATA], 200000 bytes" in shown
    with tree(f"{MACS}/{name}") as at:
        greeting(at)
        handle, _ = opened(at, "memo:AFP_AfpInfo", both)
        assert handle.read(0, 60)[16:48] == info
        handle, _ = opened(at, "memo:AFP_Resource", both)
        assert b"".join(handle.read(offset, 50_000) for offset in range(0, 200_000, 50_000)) == fork
    site.do(f"{MACS}/{name}", "alice", "del memo")
    world = site.engine.site.world()
    folder = site.engine.site.blueprint(world).source(world.shares[f"macs/{name}"]).path
    assert os.listdir(folder) == []


def test_a_mac_knows_how_much_it_may_back_up(site: Site) -> None:
    assert size(site.do(f"{MACS}/backups", "alice", "du")) == 95 * 1024


def size(listing: str) -> int:
    """The size of a share in KiB, by what smbclient shows below a listing."""
    found = re.search(r"(\d+) blocks of size (\d+)", listing)
    assert found, listing
    return int(found[1]) * int(found[2]) // 1024


# Archive


def test_what_is_archived_stays(site: Site, tmp_path: Path) -> None:
    vault, put = f"{FILES}/vault", f"lcd {tmp_path}"
    (tmp_path / "one").write_text("first")
    (tmp_path / "two").write_text("second")
    assert list(site.data("vault").iterdir()) == []  # nothing of the proof
    site.do(vault, "alice", f"{put}; put one draft; put two draft; rename draft kept; put one gone; mkdir year")
    site.do(vault, "bob", f"{put}; put two year\\report; del gone")
    kept = site.data("vault") / "kept"
    newest = max(path.stat().st_ctime for path in (kept, site.data("vault") / "year" / "report"))
    mounts.until(lambda: time.time() - newest > GRACE + 1.5, "the grace is over")
    changes = "put one kept; del kept; rename kept other; setmode kept +h; put one kept:stream; hardlink kept link"
    for command in [
        *changes.split("; "),
        "utimes kept -1 -1 2020:01:01-00:00:00 -1",
        "del year\\report",
        "rmdir year",
        "rename year past",
    ]:
        for who in ("alice", "bob"):
            assert "NT_STATUS_ACCESS_DENIED" in site.said(vault, who, f"{put}; {command}"), command
    answer = site.said(vault, "bob", f"{put}; put one new; rename new kept -f")
    assert "NT_STATUS_ACCESS_DENIED renaming files" in answer
    assert "NT_STATUS_ACCESS_DENIED" in site.acl(vault, "alice", "kept", "-a", r"ACL:FILES\bob:DENIED/0x0/FULL")
    assert kept.read_text() == "second"
    site.do(vault, "bob", f"{put}; get kept got; put two year\\more")
    assert (tmp_path / "got").read_text() == "second"


# Homes


def test_each_has_a_home_of_their_own(site: Site, tmp_path: Path) -> None:
    homes, data = f"{FILES}/homes of all", site.data("homes of all")
    world = site.engine.site.world()
    assert {path.name for path in data.iterdir()} == {"alice", "bob"}
    for name in ("alice", "bob"):
        found = (data / name).stat()
        assert (found.st_uid, found.st_gid, oct(found.st_mode)) == (world.users[name].uid, 20000, "0o42700")
        (tmp_path / name).write_text(name)
        site.do(homes, name, f"lcd {tmp_path}; put {name}; mkdir of-{name}")
    site.do(homes, "ALICE", f"lcd {tmp_path}; put bob from-ALICE", password=PASSWORDS["alice"])
    listed = site.do(homes, "bob", "ls; cd ..; ls")
    assert "of-bob" in listed
    assert "alice" not in listed.lower()
    for path in ("..\\alice\\alice", "\\..\\alice\\alice"):
        assert "NT_STATUS" in site.said(homes, "bob", f"get {path} {tmp_path}/stolen")
    assert {path.name for path in (data / "alice").iterdir()} == {"alice", "of-alice", "from-ALICE"}
    assert "NT_STATUS_ACCESS_DENIED" in site.said(homes, "eve", "ls")


def test_who_joins_a_group_gets_a_home(site: Site) -> None:
    homes, group = f"{FILES}/homes of all", {"kind": "group", "name": "staff"}
    site.apply({**group, "members": ["bob", "carol"]})
    site.do(homes, "carol", "mkdir mine")
    site.do(f"{FILES}/docs", "carol", "mkdir by-carol; rmdir by-carol")
    site.apply({**group, "members": ["bob"]})
    assert "NT_STATUS_ACCESS_DENIED" in site.said(homes, "carol", "ls")
    assert (site.data("homes of all") / "carol" / "mine").is_dir()  # data stays


# Guests


def test_guests_open_what_is_open_to_them(site: Site, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear")
    put = f"lcd {tmp_path}; put letter"
    site.do(f"{OPEN}/pub", "alice", put)
    for who in ("", "unknown", "eve"):
        password = "whatever" if who == "unknown" else None
        site.do(f"{OPEN}/pub", who, f"lcd {tmp_path}; get letter got", password=password)
        for command in ("put letter mine", "del letter"):
            answer = site.said(f"{OPEN}/pub", who, f"lcd {tmp_path}; {command}", password=password)
            assert re.search("NT_STATUS_(ACCESS_DENIED|MEDIA_WRITE_PROTECTED)", answer), answer
        site.do(f"{OPEN}/drop", who, f"{put} by-{who}; rename by-{who} x; del x", password=password)
        answer = site.said(f"{OPEN}/closed", who, "ls", password=password)
        assert answer.strip().endswith("tree connect failed: NT_STATUS_ACCESS_DENIED")
    assert "NT_STATUS_LOGON_FAILURE" in site.said(f"{OPEN}/pub", "alice", "ls", password="wrong")
    site.do(f"{OPEN}/closed", "alice", "ls")
    site.do(f"{OPEN}/pub", "alice", "del letter")


def test_a_gateway_without_guests_takes_no_share_for_them(site: Site) -> None:
    with pytest.raises(Invalid) as caught:
        site.apply(share(site.root, "files", "party", guest="read"))
    (fault,) = caught.value.faults
    assert (fault.field, fault.message) == ("share.party.guest", "gateway files allows no guests")


# Users

ODD = {
    "unicode": "Grüße aus 日本 😀",
    "blanks": "  blank at both ends  ",
    "shell": "a'b\"c\\d$e`f;g|h*i=j,k",
    "percent": "%U%m 100% of it#",
    "longest": "ä" * 127,
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_passwords(site: Site, kind: str) -> None:
    name, password = f"odd-{kind}", ODD[kind]
    made = share(site.root, "files", name, access={name: "write"})
    result = site.apply(user(name, password=password), made)
    assert [proof.text for proof in result.proofs] == [f"login as {name}, wrote and read 1 MiB"]
    site.do(f"{FILES}/{name}", name.upper(), "ls", password=password)
    with pytest.raises(AssertionError, match="NT_STATUS_LOGON_FAILURE"):
        site.do(f"{FILES}/{name}", name, "ls", password=password[:-1])


def test_the_life_of_a_user(site: Site) -> None:
    docs = f"{FILES}/docs"
    refused = "session setup failed: NT_STATUS_LOGON_FAILURE"
    world = site.engine.site.world()
    before = world.shares["files/docs"].access
    access = share(site.root, "files", "docs", access={**before, "fred": "read"})
    result = site.apply(user("fred"), access)
    assert result.warnings == ["user fred: cannot log in: it has no password"]
    assert site.said(docs, "fred", "ls", password="").strip() == refused
    assert site.apply(user("fred", password="first secret")).warnings == []
    site.do(docs, "fred", "ls", password="first secret")
    site.apply(user("fred", password="second secret"))
    assert site.said(docs, "fred", "ls", password="first secret").strip() == refused
    site.do(docs, "Fred", "ls", password="second secret")
    site.apply(user("fred", enabled=False))
    answer = site.said(docs, "fred", "ls", password="second secret").strip()
    assert answer == "session setup failed: NT_STATUS_ACCOUNT_DISABLED"
    site.apply(user("fred", enabled=True))
    site.do(docs, "fred", "ls", password="second secret")
    with pytest.raises(Invalid, match="share docs still needs it"):
        site.engine.remove([("user", "fred")])
    site.apply(share(site.root, "files", "docs", access=before))
    site.engine.remove([("user", "fred")])
    assert site.said(docs, "fred", "ls", password="second secret").strip() == refused
    assert site.engine.site.store.secret("users/fred") is None


def test_a_group_that_loses_its_last_member_is_told(site: Site) -> None:
    site.apply({"kind": "group", "name": "club", "members": ["bob"]})
    assert site.apply(share(site.root, "files", "clubhouse", access={"@club": "write"})).warnings == []
    site.do(f"{FILES}/clubhouse", "bob", "mkdir d; rmdir d")
    told = "share clubhouse: nobody can log in: give a user with a password access"
    assert site.apply({"kind": "group", "name": "club", "members": []}).warnings == [told]
    assert "NT_STATUS_ACCESS_DENIED" in site.said(f"{FILES}/clubhouse", "bob", "ls")


# Size


def test_the_quota_is_the_size_of_a_share(site: Site) -> None:
    shown = site.do(f"{FILES}/tight one", "alice", "du")
    assert size(shown) == 100 * 1024
    free = re.search(r"(\d+) blocks available", shown)
    assert free
    assert 90 * 1024 < int(free[1]) <= 100 * 1024
    assert size(site.do(f"{FILES}/tight one", "alice", "mkdir 'a b'; cd 'a b'; du")) == 100 * 1024
