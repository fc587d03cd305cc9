"""The page itself: the way in and out, what it does while the engine is away, how much it is to load."""

from playwright.sync_api import Page, expect

from tests.real.world import PASSWORD

from .conftest import Gateway, Window, let_in, visit
from .test_quality import faults


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("User of this machine").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_a_user_of_the_machine_signs_in_and_out(window: Window, gateway: Gateway) -> None:
    with window() as page:
        page.goto(f"{gateway.url}#shares")
        sign_in(page, gateway.person, "wrong")
        expect(page.get_by_role("alert")).to_have_text("wrong name or password")
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("gridcell", name="docs", exact=True)).to_be_visible()
        page.get_by_role("button", name=gateway.person).click()
        page.get_by_role("menuitem", name="Sign out").click()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        page.reload()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_who_guesses_is_made_to_wait(window: Window, gateway: Gateway) -> None:
    with window() as page:
        visit(page, gateway.url)
        refusal = page.get_by_role("alert")
        page.get_by_label("User of this machine").fill("nobody-here")
        page.get_by_label("Password").fill("guess")
        for _ in range(5):
            with page.expect_response("**/v1/session"):
                page.get_by_role("button", name="Sign in").click()
        expect(refusal).to_contain_text("too many wrong passwords: try again in ")
    with window() as page:  # others come in all the same
        visit(page, gateway.url)
        sign_in(page, gateway.person, PASSWORD)
        expect(page.get_by_role("navigation")).to_be_visible()


def test_the_page_speaks_as_the_browser_asks_or_as_was_chosen(window: Window, gateway: Gateway, session: str) -> None:
    with window(locale="de-AT") as page:
        let_in(page.context, gateway, session)
        visit(page, f"{gateway.url}#settings")
        expect(page.get_by_role("navigation").get_by_role("button", name="Freigaben")).to_be_visible()
        assert page.evaluate("document.documentElement.lang") == "de"
        page.get_by_role("combobox", name="Sprache").click()
        page.get_by_role("option", name="English").click()
        expect(page.get_by_role("navigation").get_by_role("button", name="Shares")).to_be_visible()


def test_the_api_is_a_page(window: Window, gateway: Gateway) -> None:
    with window() as page:
        visit(page, f"{gateway.url}api.html")
        page.get_by_role("searchbox", name="Find").fill("get /v1/quota")
        page.get_by_text("What all shares use, and where it leads").click()
        page.get_by_role("link", name="QuotaRows").first.click()
        expect(page.get_by_text("what keeps the monitor from its work")).to_be_visible()
        assert faults(page) == []


def test_the_page_goes_on_by_itself_when_the_engine_is_back(page: Page, gateway: Gateway) -> None:
    gateway.stop_engine()
    lost = page.get_by_role("alert").filter(has_text="The engine does not answer. Shares go on being served")
    expect(lost).to_be_visible()
    gateway.start_engine()
    expect(lost).to_be_hidden()
    gateway.apply(gateway.site.share("later"))
    expect(page.get_by_role("gridcell", name="later", exact=True)).to_be_visible()
    gateway.remove("share", "later")
    expect(page.get_by_role("gridcell", name="later", exact=True)).to_be_hidden()


def test_a_session_that_has_ended_leads_back_to_the_way_in(window: Window, gateway: Gateway, session: str) -> None:
    with window() as page:
        let_in(page.context, gateway, session)
        visit(page, f"{gateway.url}#shares")
        docs = page.get_by_role("gridcell", name="docs", exact=True)
        expect(docs).to_be_visible()
        page.context.clear_cookies()
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        sign_in(page, gateway.person, PASSWORD)
        expect(docs).to_be_visible()


def test_the_page_is_small_and_quick(window: Window, gateway: Gateway, session: str) -> None:
    """At most 1 MB as it is sent, 2 s of the processor's time whatever else runs; loaded again, nearly nothing."""
    with window() as page:
        let_in(page.context, gateway, session)
        visit(page, f"{gateway.url}#shares")
        page.get_by_role("navigation").wait_for()
        performance = page.context.new_cdp_session(page)
        performance.send("Performance.enable")
        used = {each["name"]: each["value"] for each in performance.send("Performance.getMetrics")["metrics"]}
        assert used["ProcessTime"] < 2.0
        measured = """() => {
            const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
            return [all.length, all.reduce((sum, each) => sum + each.transferSize, 0)];
        }"""
        requests, sent = page.evaluate(measured)
        assert requests < 40
        assert sent <= 1_000_000
        page.reload()
        page.get_by_role("navigation").wait_for()
        assert page.evaluate(measured)[1] < 20_000
