"""What sources compute, and what they ask of tools that this machine does not have."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbgateway.errors import CommandFailed, Fault
from smbgateway.model import ImageSource, ZfsSource
from smbgateway.sources import Place, cells, make
from smbgateway.sources.btrfs import Qgroup, parse_qgroup
from smbgateway.sources.image import MI, MINIMUM, file_size, quota_of, round_up
from smbgateway.step import Ledger, StepFailed
from tests.unit.fakes import Call, FakeHost

PLACE = Place("files", "docs", "/mounts/docs", ("/srv",), 20001, quota=10 * 2**30)
QGROUP = """\
Qgroupid    Referenced    Exclusive  Max referenced  Max exclusive   Path{space}
--------    ----------    ---------  --------------  -------------   ----{space}
0/256         20955136     20938752        {limit}           none   par/s1
"""  # btrfs-progs 6.2
MOUNTINFO = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
65 27 7:0 / /mounts/my\\040docs rw,nosuid,nodev,noexec,relatime shared:1 - xfs /dev/loop0 rw,attr2
"""


TYPE = "zfs get -Hp -o property,value,source type tank/docs"
ACLTYPE = "zfs get -Hp -o value acltype"


def said(words: str, output: str = "", code: int = 0) -> Call:
    return Call(tuple(words.split()), output, code)


@given(st.integers(min_value=MINIMUM, max_value=2**50))
def test_the_size_of_an_image_and_its_quota_are_inverse(quota: int) -> None:
    size = file_size(quota)
    assert quota_of(size) == round_up(quota) >= quota
    assert quota_of(size - 1) < quota
    assert size % MI == 0


def test_an_image_is_a_little_larger_than_its_quota() -> None:
    assert file_size(300 * MI) == 386 * MI
    assert file_size(10 * 2**30) == (10240 + 64 + 32 + 80) * MI
    assert quota_of(0) == quota_of(50 * MI) == 0


@pytest.mark.parametrize(("text", "limit"), [("20971521", 20971521), ("    none", None)])
def test_a_qgroup_is_read_from_its_row(text: str, limit: int | None) -> None:
    assert parse_qgroup(QGROUP.format(limit=text, space=" ")) == Qgroup("0/256", 20955136, limit)
    assert parse_qgroup("") is None


def test_mounts_are_read_by_their_exact_place() -> None:
    host = FakeHost(files={"/proc/self/mountinfo": MOUNTINFO})
    found = cells.mounted(host, "/mounts/my docs")
    assert found == {"type": "xfs", "source": "/dev/loop0", "options": "rw,nosuid,nodev,noexec,relatime,rw,attr2"}
    assert cells.mounted(host, "/mounts/my") is None


MODERN = "-o acltype=posixacl -o xattr=sa -o compression=lz4"
FUSE = ("bad property list: invalid property 'acltype'", 2)


@pytest.mark.parametrize(
    ("acltype", "record", "options"),
    [
        (("posix\n", 0), 4 * MI, f"{MODERN} -o quota=10737418240 -o recordsize=1048576"),
        (("off\n", 0), None, f"{MODERN} -o quota=10737418240"),
        (FUSE, MI, "-o quota=10737418240 -o recordsize=131072"),
    ],
    ids=["OpenZFS", "OpenZFS without ACLs at the parent", "zfs-fuse"],
)
def test_a_dataset_is_made_with_what_this_zfs_has(acltype: tuple[str, int], record: int | None, options: str) -> None:
    create = f"zfs create -o mountpoint=/mounts/docs {options} tank/docs"
    absent = said(TYPE, "cannot open 'tank/docs': dataset does not exist", 1)
    host = FakeHost([absent, said(f"{ACLTYPE} tank", *acltype), said(create)])
    source = make(host, replace(PLACE, recordsize=record), ZfsSource(dataset="tank/docs"))
    Ledger().converge([source.steps()[1]])
    assert " ".join(host.done[-1]) == create


def test_when_zfs_does_not_answer_nothing_is_made() -> None:
    host = FakeHost([said(TYPE, "internal error: failed to initialize ZFS library", 1)])
    with pytest.raises(StepFailed) as caught:
        Ledger().converge([make(host, PLACE, ZfsSource(dataset="tank/docs")).steps()[1]])
    assert str(caught.value).startswith("cannot read dataset tank/docs: ")
    assert str(caught.value).endswith("internal error: failed to initialize ZFS library")
    assert [" ".join(words) for words in host.done] == [TYPE]


def test_a_dataset_without_acls_is_refused_with_the_way_out() -> None:
    asked = TYPE.replace("type", "type,mountpoint,used,org.pve-smbgateway:earmark")
    rows = "type\tfilesystem\t-\nmountpoint\t/tank/docs\tdefault\nused\t98304\t-\norg.pve-smbgateway:earmark\t-\t-\n"
    host = FakeHost([said(asked, rows), said(f"{ACLTYPE} tank/docs", "off\n")])
    hint = "zfs set acltype=posixacl xattr=sa tank/docs"
    fault = Fault("source.dataset", "tank/docs has acltype=off: access rights need ACLs", hint)
    assert make(host, PLACE, ZfsSource(dataset="tank/docs")).look() == ([fault], True)


@pytest.mark.parametrize(
    ("complaint", "tolerated"), [("set direct io failed: Invalid argument", True), ("Input/output error", False)]
)
def test_an_image_is_mounted_also_where_direct_io_is_not_to_be_had(complaint: str, tolerated: bool) -> None:
    mount = "mount -t xfs -o loop,nodev,nosuid,noexec,discard -- /srv/docs.img /mounts/docs"
    direct = said("losetup --direct-io=on /dev/loop0", f"losetup: /dev/loop0: {complaint}", 1)

    class Mounting(FakeHost):
        def run(self, *argv: str, stdin: str = "", timeout: float = 60) -> str:
            if argv[0] == "mount":
                self.files["/proc/self/mountinfo"] = MOUNTINFO.replace("my\\040docs", "docs")
            return super().run(*argv, stdin=stdin, timeout=timeout)

    host = Mounting([said(mount), direct])
    step = make(host, PLACE, ImageSource(path="/srv/docs.img", thin=True)).steps()[3]
    with nullcontext() if tolerated else pytest.raises(CommandFailed, match=complaint):
        step.write(step.want)
    assert [" ".join(words) for words in host.done] == [mount, " ".join(direct.argv)]
