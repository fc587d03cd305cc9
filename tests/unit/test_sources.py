"""What sources compute, and what they ask of tools that this machine does not have."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbgateway.errors import CommandFailed, Fault
from smbgateway.model import ImageSource, ZfsSource
from smbgateway.sources import Place, cells, make
from smbgateway.sources.btrfs import Qgroup, parse_qgroups
from smbgateway.sources.own_xfs import MI, MINIMUM, file_size, quota_of, round_up
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
    assert parse_qgroups(QGROUP.format(limit=text, space=" ")) == [Qgroup("0/256", 20955136, limit)]
    assert parse_qgroups("") == []


def test_mounts_are_read_by_their_exact_place() -> None:
    host = FakeHost(files={"/proc/self/mountinfo": MOUNTINFO})
    found = cells.mounted(host, "/mounts/my docs")
    options = "rw,nosuid,nodev,noexec,relatime,rw,attr2"
    assert found == {"type": "xfs", "source": "/dev/loop0", "root": "/", "options": options}
    assert cells.mounted(host, "/mounts/my") is None


ACLS = "-o acltype=posixacl -o xattr=sa"
FUSE = ("bad property list: invalid property 'acltype'", 2)
FEATURES = "zpool get -H -o property,value feature@lz4_compress,feature@large_blocks tank"
LIMIT = "-o refquota=10737418240"


@pytest.mark.parametrize(
    ("acltype", "features", "record", "options"),
    [
        (("posix\n", 0), ("active", "enabled"), 4 * MI, f"{ACLS} -o compression=lz4 {LIMIT} -o recordsize=1048576"),
        (("off\n", 0), ("active", "active"), None, f"{ACLS} -o compression=lz4 {LIMIT}"),
        (("posix\n", 0), ("disabled", "disabled"), MI, f"{ACLS} -o compression=on {LIMIT} -o recordsize=131072"),
        (FUSE, None, MI, f"-o compression=on {LIMIT} -o recordsize=131072"),
    ],
    ids=["OpenZFS", "OpenZFS without ACLs at the parent", "an old pool", "zfs-fuse"],
)
def test_a_dataset_is_made_with_what_this_zfs_has(
    acltype: tuple[str, int], features: tuple[str, str] | None, record: int | None, options: str
) -> None:
    create = f"zfs create -o mountpoint=/mounts/docs {options} tank/docs"
    answers = [said(TYPE, "cannot open 'tank/docs': dataset does not exist", 1), said(f"{ACLTYPE} tank", *acltype)]
    if features:
        rows = f"feature@lz4_compress\t{features[0]}\nfeature@large_blocks\t{features[1]}\n"
        answers.append(said(FEATURES, rows))
    host = FakeHost([*answers, said(create)])
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


@pytest.mark.parametrize(
    ("acltype", "row", "message", "remedy"),
    [
        ("off", "", "acltype=off: access rights need ACLs", "acltype=posixacl xattr=sa"),
        ("posix", "xattr\toff\tlocal", "xattr=off: rights that Windows sets are kept in those", "xattr=on"),
        ("posix", "readonly\ton\treceived", "readonly=on, as a replica has", "readonly=off"),
        ("posix", "mountpoint\tlegacy\tlocal", "the mountpoint legacy", "mountpoint=/tank/docs"),
    ],
)
def test_a_dataset_that_cannot_be_served_is_refused_with_the_way_out(
    acltype: str, row: str, message: str, remedy: str
) -> None:
    asked = TYPE.replace("type", "type,mountpoint,referenced,xattr,readonly,org.pve-smbgateway:earmark")
    rows = {"type": "filesystem\t-", "mountpoint": "/tank/docs\tdefault", "referenced": "98304\t-"}
    rows |= {"xattr": "sa\tdefault", "readonly": "off\tdefault", "org.pve-smbgateway:earmark": "-\t-"}
    rows |= {name: rest for name, _, rest in [row.partition("\t")] if name}
    text = "".join(f"{name}\t{rest}\n" for name, rest in rows.items())
    host = FakeHost([said(asked, text), said(f"{ACLTYPE} tank/docs", f"{acltype}\n")])
    fault = Fault("source.dataset", f"tank/docs has {message}", f"zfs set {remedy} tank/docs")
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
