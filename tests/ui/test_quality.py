"""Every view: for those who hear or touch it, in both lights, and with names that mean harm."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from .conftest import Gateway, Window, let_in, visit
from .test_wizard import press

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
# ExtJS's own: guards of the order of focus, rows in elements without a role, menus that are named before they are made.
KNOWN = {"aria-hidden-focus", "aria-required-children", "aria-valid-attr-value"}
HOSTILE = "<img src=x onerror=\"document.title='taken'\">"


def faults(page: Page) -> list[str]:
    dark = page.evaluate("document.documentElement.dataset.theme") == "dark"  # there only colours are others
    found = Axe().run(page, options={"runOnly": ["color-contrast"]} if dark else RULES).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in found if each["id"] not in KNOWN]


@pytest.fixture(params=["light", "dark"])
def seen(request: pytest.FixtureRequest, window: Window, gateway: Gateway, session: str) -> Iterator[Page]:
    with window(color_scheme=request.param) as page:
        let_in(page.context, gateway, session)
        visit(page, gateway.url)
        yield page


def test_each_step_of_the_wizard_is_accessible(seen: Page) -> None:
    found = {}
    press(seen, "Shares")
    press(seen, "Create share")
    expect(seen.get_by_role("radio", name="On this node")).to_have_attribute("aria-checked", "true")
    for step in ("Storage", "Share", "Access", "Network", "Review"):
        press(seen, "Next")
        expect(seen.get_by_role("tab", name=step)).to_have_attribute("aria-selected", "true")
        found[step] = faults(seen)
    assert {step: said for step, said in found.items() if said} == {}


def test_the_way_in_is_accessible(window: Window, gateway: Gateway) -> None:
    with window() as page:
        visit(page, gateway.url)
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        assert faults(page) == []


def test_names_that_mean_harm_are_shown_and_do_nothing(page: Page, gateway: Gateway) -> None:
    """The engine takes no such names; here an answer brings them all the same, to each view."""

    def spoil(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: HOSTILE if key in SPOILT else spoil(each) for key, each in value.items()}
        return [spoil(each) for each in value] if isinstance(value, list) else value

    def answer(route: Any) -> None:
        found = route.fetch()
        route.fulfill(response=found, json=spoil(found.json()))

    page.route("**/v1/**", lambda route: answer(route) if route.request.method == "GET" else route.fallback())
    page.reload()
    expect(page.get_by_role("gridcell", name=HOSTILE).first).to_be_visible()
    press(page, "Create share")
    expect(page.get_by_role("radio", name="On this node")).to_have_attribute("aria-checked", "true")
    for _ in range(4):
        press(page, "Next")
    expect(page.get_by_text("serves the share").or_(page.get_by_text("listens for clients"))).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "taken"
    page.unroute_all(behavior="ignoreErrors")


SPOILT = {"name", "address", "gateway", "state", "where", "full_name", "node"}
