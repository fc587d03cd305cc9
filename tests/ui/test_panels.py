"""What the panels show and do: on a real engine, with real clients of the shares."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from lab import mounts
from tests.real.browsing import member
from tests.real.world import PASSWORD, PROMPT, client, until

from .conftest import Gateway, Window, let_in, visit

HOSTILE = "<img src=x onerror='window.hacked = 1'>&amp;\"<b>"
SLOW = 150_000  # milliseconds: the engine looks every 15 s, and a level must last
SPOILT = {"name", "full_name", "comment", "title", "subject", "text", "hint", "forecast"}
VISITS = count()
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
CONTRAST = ("color-contrast",)
FRESH = (
    "Ext.ComponentQuery.query('component').filter((each) => each.isLive && each.rendered && each.isVisible(true))"
    ".every((each) => each.said !== undefined && !each.asking)"
)
PANELS = ["overview", "shares", "share/files/docs", "gateway/files", "people", "alerts", "tasks", "settings"]


@pytest.fixture(scope="module")
def vault(gateway: Gateway, area: Path) -> Iterator[Path]:
    """A share on btrfs, nearly full: the directory of its data. That it is full is told after a minute."""
    place = gateway.site.srv / "pool"
    with mounts.btrfs(area, "uipool") as disk:
        place.mkdir()
        mounts.run("mount", "--bind", disk.path, place)
        source = {"kind": "btrfs", "path": str(place / "vault")}
        gateway.apply(gateway.site.share("vault", source=source, quota="64M"))
        big = place / "vault/data/big"
        mounts.run("dd", "if=/dev/urandom", f"of={big}", "bs=1M", "count=60", "conv=fsync")
        yield big.parent
        gateway.remove("share", "files/vault", destroy_data=True)
        mounts.run("umount", place)


def at(page: Page, gateway: Gateway, address: str) -> Page:
    visit(page, f"{gateway.url}?{next(VISITS)}#{address}")  # another address, so that all is loaded anew
    page.get_by_role("navigation").wait_for()
    return page


def go(page: Page, address: str) -> None:
    """To another panel, which then shows what the engine says now."""
    page.evaluate("address => { location.hash = address; }", address)
    page.wait_for_function(f"() => SMBGateway.page.down('smbgwWorkspace').at === '{address}' && {FRESH}")


def row(page: Page, name: str) -> Locator:
    """Of the first table that has such a one: a user is also named in the table of groups."""
    return page.get_by_role("row").filter(has=page.get_by_role("gridcell", name=name, exact=True)).first


def violations(page: Page, rules: Sequence[str] = WCAG) -> list[str]:
    """What readers and eyes stumble over, but what is ExtJS's own.

    A grid's rows lie in tables without a role; a button names its menu, which is not there before it was opened once.
    """
    options = {"runOnly": rules, "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    known = {"aria-required-children", "aria-valid-attr-value"}
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found if each["id"] not in known]


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).locator("visible=true").first.click()


def fault(page: Page, words: str) -> Locator:
    """What stands below a field."""
    return page.get_by_role("dialog").get_by_role("listitem").filter(has_text=words)


def confirm(page: Page, name: str) -> None:
    """The button of the window in front; it closes when all is done."""
    expect(page.locator(".x-form-invalid-under li")).to_have_count(0)
    window = page.get_by_role("dialog").locator("visible=true").last
    window.get_by_role("button", name=name, exact=True).click()
    windows = page.get_by_role("dialog").locator("visible=true")
    try:
        expect(windows).to_have_count(0)
    except AssertionError as error:
        raise AssertionError(windows.all_inner_texts()) from error


def test_what_differs_is_seen_in_the_overview_and_mended(page: Page, gateway: Gateway) -> None:
    at(page, gateway, "overview")
    expect(page.get_by_text("All is well.")).to_be_visible(timeout=SLOW)
    gateway.site.instance().tool("net", "conf", "setparm", "docs", "comment", HOSTILE)
    page.evaluate("SMBGateway.refreshAll(SMBGateway.page)")  # it looks by itself each ten seconds
    page.get_by_role("link", name="Gateway files is not as it should be").click(timeout=SLOW)
    page.get_by_role("tab", name="Differences (1)").click()
    expect(page.get_by_text(HOSTILE)).to_be_visible()
    press(page, "Mend")
    expect(page.get_by_text("All is as it should be.")).to_be_visible()
    page.get_by_role("tab", name="Summary").click()
    page.get_by_role("link", name="docs").click()
    expect(page.get_by_role("heading", name="docs served")).to_be_visible()


def test_snapshots_are_taken_restored_and_deleted(page: Page, gateway: Gateway, vault: Path) -> None:
    (vault / "kept").write_text("first")
    at(page, gateway, "share/files/vault")
    page.get_by_role("tab", name="Snapshots").click()
    expect(page.get_by_text("No snapshots yet.")).to_be_visible()
    press(page, "Take a snapshot")
    taken = page.get_by_role("gridcell", name="hand")
    expect(taken).to_have_count(1)
    (vault / "kept").write_text("second")
    taken.click()
    press(page, "Restore")
    confirm(page, "Restore")
    until(lambda: (vault / "kept").read_text() == "first", "the share is as it was")
    expect(taken).to_have_count(2)
    taken.first.click()
    press(page, "Delete snapshot")
    page.get_by_role("dialog").get_by_text("What only the snapshot of").wait_for()
    confirm(page, "Delete")
    expect(taken).to_have_count(1)


def test_who_has_a_share_open_is_shut_out(page: Page, gateway: Gateway) -> None:
    command = client(gateway.site, "files", "docs", "alice", PASSWORD)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as smb:
        assert smb.stdin
        smb.stdin.write("put /etc/hostname one\n")
        smb.stdin.flush()
        at(page, gateway, "share/files/docs")
        page.get_by_role("tab", name="Sessions (1)").click(timeout=SLOW)
        page.get_by_role("gridcell", name="alice").click()
        press(page, "Disconnect")
        page.get_by_text("alice at 127.0.0.1 loses the share").wait_for()
        confirm(page, "Disconnect")
        expect(page.get_by_text("Nobody has it open.")).to_be_visible()
        said, _ = smb.communicate("ls\n", timeout=60)
        assert "NT_STATUS_" in said, said.replace(PROMPT, "")


def test_a_share_is_edited_and_its_faults_land_on_their_fields(page: Page, gateway: Gateway) -> None:
    gateway.apply({"kind": "user", "name": "reader", "password": PASSWORD})
    at(page, gateway, "share/files/docs")
    press(page, "Edit")
    window = page.get_by_role("dialog")
    window.get_by_label("Quota, such as 10G").fill("10G")
    window.get_by_label("Comment").fill(HOSTILE)
    window.get_by_role("button", name="Save").click()
    expect(fault(page, "a directory source has no quota")).to_be_visible()
    window.get_by_label("Quota, such as 10G").fill("ten")
    expect(fault(page, "a number with K, M, G or T, such as 10G")).to_be_visible()
    window.get_by_label("Quota, such as 10G").fill("")
    expect(fault(page, "a number with K, M, G or T")).to_have_count(0)  # what is below moves up
    window.get_by_role("combobox", name="Add a user or group").click()
    page.get_by_role("option", name="reader").click()
    window.get_by_role("combobox", name="reader", exact=True).click()
    page.get_by_role("option", name="reads").click()
    confirm(page, "Save")
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    page.get_by_role("tab", name="Configuration").click()
    expect(page.get_by_text("alice writes, reader reads")).to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert "NT_STATUS_ACCESS_DENIED" in gateway.site.smb("docs", "put /etc/hostname x", user="reader")
    gateway.apply(gateway.site.share("docs"))
    gateway.remove("user", "reader")


def test_data_is_destroyed_only_where_the_name_is_typed(page: Page, gateway: Gateway) -> None:
    for name in ("staying", "going"):
        gateway.apply(gateway.site.share(name))
        (gateway.site.srv / name / "file").write_text("data")
        at(page, gateway, f"share/files/{name}")
        expect(page.get_by_role("heading", name=f"{name} served")).to_be_visible()
        press(page, "Delete")
        if name == "going":
            page.get_by_label("Destroy the data too").check()
            typed = page.get_by_label("Type going to destroy")
            typed.fill("gone")
            page.get_by_role("dialog").get_by_role("button", name="Delete").click()
            expect(fault(page, "This is not going")).to_be_visible()
            typed.focus()  # apart: ExtJS puts the caret to the end a moment after
            typed.fill("going")
        confirm(page, "Delete")
        expect(page.get_by_role("gridcell", name=name, exact=True)).to_have_count(0)
        assert (gateway.site.srv / name).exists() == (name == "staying")


def test_a_user_is_made_let_in_shut_out_and_deleted(page: Page, gateway: Gateway) -> None:
    at(page, gateway, "people")
    press(page, "Create group")
    page.get_by_label("Name").fill("office")
    confirm(page, "Create")
    gateway.apply(gateway.site.share("docs", access={"alice": "write", "@office": "write"}))
    press(page, "Create user")
    window = page.get_by_role("dialog")
    window.get_by_label("Name, as it is typed to sign in").fill("Dora")
    window.get_by_label("Full name").fill(HOSTILE)
    window.get_by_label("Password").fill(PASSWORD)
    window.get_by_label("Again").fill("else")
    expect(fault(page, "These differ")).to_be_visible()
    window.get_by_label("Again").fill(PASSWORD)
    window.get_by_role("textbox", name="Groups").click()
    page.get_by_role("option", name="office").click()
    window.get_by_role("button", name="Create").click()
    expect(fault(page, "is not a name: small letters")).to_be_visible()
    expect(window.get_by_label("Name, as it is typed to sign in")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("dora")
    confirm(page, "Create")
    expect(row(page, "dora").get_by_text(HOSTILE)).to_be_visible()
    expect(row(page, "dora").get_by_role("gridcell", name="office")).to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert gateway.site.works("docs", user="dora")
    row(page, "dora").click()
    press(page, "Password")
    for label in ("Password", "Again"):
        page.get_by_role("dialog").get_by_label(label).fill("Another-Word-2")
    confirm(page, "Save")
    assert gateway.site.works("docs", user="dora", password="Another-Word-2")
    press(page, "Disable")
    confirm(page, "Disable")
    expect(row(page, "dora").get_by_text("disabled")).to_be_visible()
    assert "NT_STATUS_ACCOUNT_DISABLED" in gateway.site.smb("docs", user="dora", password="Another-Word-2")
    gateway.apply({"kind": "group", "name": "office"})  # who is in a group is not deleted
    row(page, "dora").click()
    press(page, "Delete")
    confirm(page, "Delete")
    expect(row(page, "dora")).to_have_count(0)
    gateway.apply(gateway.site.share("docs"))
    gateway.remove("group", "office")


def test_receivers_are_added_tested_and_deleted(page: Page, gateway: Gateway) -> None:
    at(page, gateway, "alerts")
    press(page, "Add receiver")
    window = page.get_by_role("dialog")
    window.get_by_label("Name").fill("hook")
    window.get_by_role("combobox", name="Way").click()
    page.get_by_role("option", name="Webhook").click()
    window.get_by_label("Address").fill("ftp://nowhere")
    window.get_by_role("button", name="Save").click()
    expect(fault(page, "is not a URL: write https://HOST/PATH")).to_be_visible()
    window.get_by_label("Address").fill("http://127.0.0.1:9/hook")
    confirm(page, "Save")
    row(page, "hook").click()
    press(page, "Test")
    expect(page.get_by_text("hook was not told:")).to_be_visible()
    press(page, "OK")
    press(page, "Delete")
    confirm(page, "Delete")
    expect(row(page, "hook")).to_have_count(0)


def test_tasks_tell_what_they_did(page: Page, gateway: Gateway) -> None:
    gateway.apply(gateway.site.share("docs", comment="told"))
    at(page, gateway, "tasks")
    page.get_by_role("gridcell", name="apply share docs").first.dblclick()
    expect(page.get_by_role("log").get_by_text("proved: ").first).to_be_visible()
    press(page, "Close")


def test_a_token_is_shown_once_and_works(page: Page, gateway: Gateway) -> None:
    at(page, gateway, "settings")
    expect(page.get_by_role("gridcell", name="samba", exact=True)).to_be_visible()
    press(page, "Create token")
    page.get_by_label("Name").fill("backup")
    page.get_by_role("dialog").get_by_role("button", name="Create").click()
    token = page.get_by_role("dialog").locator("code").inner_text()
    status, body = gateway.browser.ask("GET", "/v1/session", Authorization=f"Bearer {token}")
    assert (status, body["role"]) == (200, "viewer")
    press(page, "Close")
    row(page, "backup").click()
    press(page, "Delete")
    confirm(page, "Delete")
    expect(row(page, "backup")).to_have_count(0)


def test_how_full_a_share_is(page: Page, gateway: Gateway, vault: Path) -> None:
    at(page, gateway, "overview")
    page.get_by_role("link", name="Share vault is 9").click(timeout=SLOW)
    expect(page.get_by_text("of 64 MiB, 9")).to_be_visible()
    chart = page.get_by_role("img", name="Usage: lowest")
    expect(chart).to_be_visible()
    expect(chart.locator(".smbgw-chart-limit")).to_have_attribute("d", re.compile("^M"))
    for span in ("7 days", "30 days"):
        press(page, span)
        expect(chart).to_be_visible()
    page.get_by_role("navigation").get_by_role("button", name="Shares").click()
    expect(row(page, "vault").locator(".smbgw-meter.smbgw-warning, .smbgw-meter.smbgw-critical")).to_be_visible()


def test_names_that_mean_harm_do_nothing_in_any_panel(page: Page, gateway: Gateway) -> None:
    """The engine takes no such names; here an answer brings them all the same."""

    def spoil(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: HOSTILE if k in SPOILT and isinstance(v, str) else spoil(v) for k, v in value.items()}
        return [spoil(each) for each in value] if isinstance(value, list) else value

    def answer(route: Any) -> None:
        found = route.fetch()
        route.fulfill(response=found, json=spoil(found.json()))

    page.route("**/v1/**", lambda route: answer(route) if route.request.method == "GET" else route.fallback())
    at(page, gateway, "people")
    for address in PANELS:
        go(page, address)
        expect(page.get_by_text(HOSTILE).locator("visible=true").first).to_be_visible()
        assert page.evaluate("window.hacked") is None, address
        assert page.locator("img[src=x]").count() == 0, address
    page.unroute_all(behavior="ignoreErrors")


def test_who_may_only_look_is_offered_no_change(window: Window, gateway: Gateway) -> None:
    with member("smbgw-viewer") as person, window() as page:
        browser = replace(gateway.browser, cookie="")
        assert browser.sign_in(person, PASSWORD) == 200
        let_in(page.context, gateway, browser.cookie)
        at(page, gateway, "people")
        for address in PANELS:
            go(page, address)
            offered = page.get_by_role("button", name="Create").or_(page.get_by_role("button", name="Edit"))
            expect(offered.or_(page.get_by_role("button", name="Delete")).locator("visible=true")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_panel_fits_a_phone_and_a_screen_and_is_accessible(
    window: Window, gateway: Gateway, session: str, scheme: Any
) -> None:
    with window(390, 844, color_scheme=scheme) as page:
        let_in(page.context, gateway, session)
        at(page, gateway, "people")
        for width, height in ((390, 844), (1280, 800)):
            page.set_viewport_size({"width": width, "height": height})
            for address in PANELS:
                go(page, address)
                assert page.evaluate("document.documentElement.scrollWidth") <= width, address
                # In the dark only colours are others.
                assert violations(page, WCAG if scheme == "light" else CONTRAST) == [], (address, width)
