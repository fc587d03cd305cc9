"""The wizard: a share made with the mouse serves a real client, and every fault lands where it belongs."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.real.world import PASSWORD

from .conftest import Gateway, Window, let_in, visit


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def write(field: Locator, text: str) -> None:
    """Type it over what is there, as people do."""
    field.click()
    field.press("Control+a")
    field.press("Delete")
    field.press_sequentially(text)


@pytest.fixture(autouse=True)
def cleaned(gateway: Gateway) -> Iterator[None]:
    """What a test made goes with it, also when it fails."""
    yield
    for share in gateway.client.get("/v1/shares")["shares"]:
        if share["name"] != "docs":
            gateway.remove("share", share["key"])
    for each in gateway.client.get("/v1/resources?kind=user")["resources"]:
        if each["name"] != "alice":
            gateway.remove("user", each["name"])


@pytest.fixture
def wizard(page: Page) -> Page:
    press(page, "Create share")
    expect(page.get_by_role("radio", name="On this node")).to_have_attribute("aria-checked", "true")
    return page


def test_five_clicks_make_a_share_that_a_client_uses(page: Page, gateway: Gateway) -> None:
    press(page, "Create share")
    expect(page.get_by_role("radio", name="On this node")).to_have_attribute("aria-checked", "true")
    press(page, "Next")
    page.get_by_role("radio", name="A directory below").click()
    press(page, "Review")
    expect(page.get_by_text("things will be done")).to_be_visible()
    command = f"pve-smbgateway create share --gateway files --source directory:{gateway.site.srv}/share --user alice"
    expect(page.get_by_text(command)).to_be_visible()
    press(page, "Create")
    expect(page.get_by_text("Done.")).to_be_visible()
    expect(page.get_by_text("login as alice")).to_be_visible()
    expect(page.get_by_role("code").filter(has_text="\\\\127.0.0.1\\share")).to_be_visible()
    assert gateway.site.works("share")
    press(page, "Close")
    expect(page.get_by_role("gridcell", name="share", exact=True)).to_be_visible()


def test_a_share_on_an_image_with_a_new_user_and_what_may_be_chosen(wizard: Page, gateway: Gateway) -> None:
    lxc = wizard.get_by_role("radio", name="In a container")
    expect(lxc).to_have_attribute("aria-disabled", "true")
    expect(lxc).to_contain_text("template build")
    expect(wizard.get_by_role("radio", name="In a virtual machine")).to_have_attribute("aria-disabled", "true")
    press(wizard, "Next")
    expect(wizard.get_by_role("radio", name="An image file below")).to_have_attribute("aria-checked", "true")
    press(wizard, "Next")
    write(wizard.get_by_label("Name:"), "plans")
    write(wizard.get_by_role("textbox", name="Quota"), "400M")
    write(wizard.get_by_label("Comment:"), "drawings & <b>plans</b>")
    press(wizard, "Next")
    press(wizard, "alice: No")
    expect(wizard.get_by_text("Nobody can open the share yet.")).to_be_visible()
    press(wizard, "Create user")
    dialog = wizard.get_by_role("dialog", name="Create user")
    write(dialog.get_by_label("Name:", exact=True), "Bob")
    write(dialog.get_by_label("Password:"), PASSWORD)
    press(wizard, "Create")
    expect(dialog.get_by_role("listitem").filter(has_text='"Bob" is not a name: small letters')).to_be_visible()
    write(dialog.get_by_label("Name:", exact=True), "bob")
    expect(dialog.get_by_role("listitem")).to_have_count(0)
    press(wizard, "Create")
    expect(wizard.get_by_role("button", name="bob: Read and write")).to_have_attribute("aria-pressed", "true")
    press(wizard, "Next")
    expect(wizard.get_by_text("Gateway files serves the share at the addresses that it has")).to_be_visible()
    press(wizard, "Next")
    expect(wizard.get_by_role("cell", name="400 MiB")).to_be_visible()
    press(wizard, "Create")
    expect(wizard.get_by_text("login as bob")).to_be_visible()
    assert gateway.site.works("plans", user="bob")
    assert "NT_STATUS_ACCESS_DENIED" in gateway.site.smb("plans")
    press(wizard, "Close")


def test_a_machine_is_asked_for_what_it_needs(page: Page) -> None:
    """As where there is an image of one; that it is made is for ring `vm`."""

    def answer(route: Route) -> None:
        found = route.fetch()
        body = found.json()
        for mode in body["modes"]:
            mode |= {"reason": "", "hint": ""} if mode["kind"] == "vm" else {}
        route.fulfill(response=found, json=body)

    page.route("**/v1/choices*", answer)
    press(page, "Create share")
    page.get_by_role("radio", name="In a virtual machine").click()
    press(page, "Next")
    expect(page.get_by_role("radio", name="A directory below")).to_contain_text("Not for mode vm")
    expect(page.get_by_role("radio", name="An image file below")).to_have_attribute("aria-checked", "true")
    for _ in range(3):
        press(page, "Next")
    expect(page.get_by_label("Bridge:")).to_have_value("none: at the address of the node")
    expect(page.get_by_label("Address:").locator("visible=true")).to_have_count(0)
    write(page.get_by_label("Port:").locator("visible=true"), "4450")
    write(page.get_by_label("Memory:"), "1G")
    write(page.get_by_label("Processors:"), "2")
    with page.expect_request("**/v1/plan") as asked:
        press(page, "Next")
    wanted = {"mode": "vm", "port": 4450, "memory": "1G", "cores": 2}
    assert {name: asked.value.post_data_json["create"].get(name) for name in wanted} == wanted
    assert "bridge" not in asked.value.post_data_json["create"]
    page.unroute_all(behavior="ignoreErrors")


def test_faults_come_to_their_fields_and_steps(wizard: Page, gateway: Gateway) -> None:
    press(wizard, "Next")
    wizard.get_by_role("radio", name="Another place").click()
    write(wizard.get_by_label("Place:"), "pony:docs")
    press(wizard, "Next")
    write(wizard.get_by_label("Name:"), "homes")
    press(wizard, "Review")
    place = wizard.get_by_label("Place:")
    expect(place).to_have_attribute("aria-invalid", "true")
    expect(wizard.get_by_role("listitem").filter(has_text="pony")).to_be_visible()
    wizard.get_by_role("tab", name="Share").click()
    expect(wizard.get_by_role("listitem").filter(has_text='"homes" is a reserved name')).to_be_visible()
    write(wizard.get_by_label("Name:"), "<img src=x onerror=alert(1)>")
    press(wizard, "Review")
    wizard.get_by_role("tab", name="Share").click()
    expect(wizard.get_by_role("listitem").filter(has_text="is not a share name: letters")).to_be_visible()
    write(wizard.get_by_label("Name:"), "docs")
    wizard.get_by_role("tab", name="Storage").click()
    wizard.get_by_role("radio", name="A directory below").click()
    press(wizard, "Review")
    taken = wizard.get_by_role("listitem").filter(has_text="share docs is there already (change it with update)")
    expect(taken).to_be_visible()
    assert [share["name"] for share in gateway.client.get("/v1/shares")["shares"]] == ["docs"]


def test_the_keyboard_alone_makes_a_share(page: Page, gateway: Gateway) -> None:
    page.get_by_role("button", name="Create share").focus()
    page.keyboard.press("Enter")
    card = page.get_by_role("radio", name="On this node")
    expect(card).to_have_attribute("aria-checked", "true")
    page.get_by_role("tab", name="Mode").focus()
    page.keyboard.press("Tab")
    expect(card).to_be_focused()
    page.get_by_role("button", name="Next").focus()
    page.keyboard.press("Enter")
    page.get_by_role("radio", name="An image file").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("radio", name="A directory below")).to_have_attribute("aria-checked", "true")
    expect(page.get_by_role("radio", name="A directory below")).to_be_focused()
    page.get_by_role("button", name="Review").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("things will be done")).to_be_visible()
    page.get_by_role("button", name="Create", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Done.")).to_be_visible()
    expect(page.get_by_role("button", name="Close")).to_be_focused()
    page.keyboard.press("Enter")


def test_a_phone_shows_the_wizard_whole(window: Window, gateway: Gateway, session: str) -> None:
    with window(width=390, height=844) as page:
        let_in(page.context, gateway, session)
        visit(page, f"{gateway.url}#shares")
        press(page, "Create share")
        expect(page.get_by_role("radio", name="On this node")).to_have_attribute("aria-checked", "true")
        box = page.get_by_role("dialog", name="Create SMB share").bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        press(page, "Review")
        expect(page.get_by_text("things will be done")).to_be_visible()
