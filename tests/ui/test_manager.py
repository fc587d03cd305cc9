"""Inside Proxmox VE's manager: our entries, our wizard on its classes, our calls through its API to a real engine."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from .conftest import Gateway, Window
from .manager import manager, sent
from .test_wizard import press


@pytest.fixture
def bare(window: Window) -> Iterator[Page]:
    with window(width=1500) as page:
        yield page


def add(page: Page) -> None:
    press(page, "Storage")
    press(page, "Add")
    page.get_by_role("menuitem", name="SMB Gateway").click()


def test_add_storage_opens_the_wizard_which_makes_a_share_that_a_client_uses(bare: Page, gateway: Gateway) -> None:
    made = manager(gateway)
    made.open(bare)
    add(bare)
    expect(bare.get_by_role("radio", name="On this node")).to_have_attribute("aria-checked", "true")
    assert bare.evaluate("Ext.WindowManager.getActive() instanceof PVE.window.Wizard")
    press(bare, "Next")
    bare.get_by_role("radio", name="A directory below").click()
    press(bare, "Review")
    storage = bare.get_by_role("checkbox", name="Proxmox VE shows how full it is")
    expect(storage).to_have_attribute("aria-invalid", "true")
    expect(bare.get_by_role("listitem").filter(has_text="this node is not one of Proxmox VE")).to_be_visible()
    storage.uncheck()
    press(bare, "Review")
    expect(bare.get_by_text("things will be done")).to_be_visible()
    press(bare, "Create")
    expect(bare.get_by_text("login as alice")).to_be_visible()
    source = f"directory:{gateway.site.srv}/share"
    assert [plan.get("storage") for plan in sent(made, "POST", "plan")] == ["1", None]
    (request,) = sent(made, "POST", "shares")
    assert request == {"name": "share", "gateway": "files", "source": source, "access": {"alice": "write"}}
    assert gateway.site.works("share")
    press(bare, "Close")
    assert bare.evaluate("window.reloaded") == 1
    assert bare.evaluate("Proxmox.Utils.task_desc_table.smbcreate") == ["SMB", "Create"]
    gateway.remove("share", "share")


def test_our_words_are_in_the_language_of_proxmox_ve(bare: Page, gateway: Gateway) -> None:
    bare.context.add_cookies([{"name": "PVELangCookie", "value": "de", "url": gateway.browser.url}])
    manager(gateway).open(bare)
    add(bare)
    expect(bare.get_by_role("radio", name="Auf diesem Knoten")).to_have_attribute("aria-checked", "true")


def test_faults_of_the_api_come_to_their_fields(bare: Page, gateway: Gateway) -> None:
    manager(gateway).open(bare)
    add(bare)
    expect(bare.get_by_role("radio", name="On this node")).to_have_attribute("aria-checked", "true")
    press(bare, "Next")
    bare.get_by_role("radio", name="Another place").click()
    bare.get_by_label("Place:").click()
    bare.get_by_label("Place:").press("Control+a")
    bare.get_by_label("Place:").press_sequentially("pony:docs")
    press(bare, "Review")
    expect(bare.get_by_label("Place:")).to_have_attribute("aria-invalid", "true")


def test_panels_of_datacenter_and_node_show_shares(bare: Page, gateway: Gateway) -> None:
    manager(gateway).open(bare)
    bare.get_by_role("button", name="SMB Gateway").last.click()
    bare.get_by_role("link", name="docs", exact=True).click()
    expect(bare.get_by_role("img", name="Usage: lowest")).to_be_visible()
    bare.get_by_role("button", name="SMB Gateway").first.click()
    expect(bare.get_by_role("combobox", name="Node")).to_have_value("one")
    datacenter = bare.get_by_role("navigation").first
    datacenter.get_by_role("button", name="Shares").click()
    expect(bare.get_by_role("gridcell", name="docs", exact=True)).to_be_visible()
    for panel in ("Users", "Alerts", "Tasks", "Settings"):
        datacenter.get_by_role("button", name=panel).click()
    expect(bare.get_by_role("gridcell", name="samba", exact=True)).to_be_visible()


def test_a_storage_of_ours_is_edited_in_their_form(bare: Page, gateway: Gateway) -> None:
    manager(gateway).open(bare)
    press(bare, "Storage")
    press(bare, "Edit")
    expect(bare.get_by_text("Edit: PVE.storage.SMBGatewayInputPanel")).to_be_visible()


def test_a_manager_that_has_changed_falls_back_to_its_own_form(bare: Page, gateway: Gateway) -> None:
    said: list[str] = []
    bare.on("console", lambda message: said.append(message.text))
    manager(gateway, createStorageEditWindow="openEditor", override_task_descriptions="describe").open(bare)
    add(bare)
    expect(bare.get_by_text("Edit: PVE.storage.SMBGatewayInputPanel")).to_be_visible()
    wanted = "SMB Gateway: wizard does not fit this manager: PVE.dc.StorageView has no createStorageEditWindow"
    assert wanted in said
    assert any(text.startswith("SMB Gateway: tasks does not fit this manager") for text in said)
