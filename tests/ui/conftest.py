"""The ui ring: Debian's Chromium at the pages of a real engine, by way of a real relay.

A test asks for `page` (signed in, may change all) and `pages.gateway`; elements are found as people find them, by role
and name. Whatever the page reports as an error fails the test.
"""

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser as Chromium
from playwright.sync_api import BrowserContext, Error, Page, expect, sync_playwright

from smbgateway.cli.client import Client
from tests.real.browsing import REPOSITORY, Browser, member, quick_refusals, relay_user, relaying, serving
from tests.real.conftest import area as area
from tests.real.world import PASSWORD, Site, free_port, site, user

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
]  # fmt: skip
PATIENCE = 60_000  # milliseconds: machines are loaded
expect.set_options(timeout=PATIENCE)


@dataclass
class Gateway:
    """An installation as the ring uses it: engine and relay are processes, the engine can be ended and started."""

    site: Site
    person: str
    browser: Browser
    engine: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    @property
    def client(self) -> Client:
        """The engine, as root asks it."""
        return Client(self.site.paths.socket)

    @property
    def url(self) -> str:
        return f"{self.browser.url}/ui/"

    def start_engine(self) -> None:
        self.engine.enter_context(serving(self.site))

    def stop_engine(self) -> None:
        self.engine.close()

    def apply(self, *items: dict[str, Any]) -> None:
        """Make resources, and wait until they are there."""
        job = self.client.post("/v1/apply", {"resources": list(items)})["job"]
        for _, kind, body in self.client.events(job):
            assert kind != "failed", body

    def remove(self, kind: str, name: str, **options: bool) -> None:
        body = {"targets": [{"kind": kind, "name": name}], "options": options}
        job = self.client.post("/v1/remove", body)["job"]
        for _, event, body in self.client.events(job):
            assert event != "failed", body


@pytest.fixture(scope="session")
def built() -> None:
    """The pages, made of these sources."""
    subprocess.run([REPOSITORY / "www/build"], check=True, capture_output=True, timeout=600)


@pytest.fixture(scope="session")
def gateway(area: Path, built: None) -> Iterator[Gateway]:
    """A native gateway `files` with a share `docs` that user `alice` may write to, and whom to sign in as."""
    with quick_refusals(), relay_user(), member("smbgw-admin") as person, site(area, "ui") as made:
        port = free_port()
        made.apply(made.gateway(port=port), user(), made.share("docs"))
        with relaying(made) as (browser, _):
            one = Gateway(made, person, browser)
            one.start_engine()
            try:
                yield one
            finally:
                one.stop_engine()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        try:
            yield made
        finally:
            made.close()


def is_violation(text: str) -> bool:
    """Of the content security policy; not ExtJS's own question whether there are such events as it asks for."""
    return "Content Security Policy" in text and "inline event handler" not in text


Window = Callable[..., contextlib.AbstractContextManager[Page]]


@contextlib.contextmanager
def watched(context: BrowserContext, errors: bool = True) -> Iterator[Page]:
    """A page of a context. What it reports as an error fails the test, and is said where that fails anyway."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    seen: list[str] = []
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.on("console", lambda said: seen.append(said.text) if is_violation(said.text) else None)
    try:
        yield page
    except BaseException as error:
        error.add_note(f"the page reported: {seen}")
        raise
    finally:
        page.close()
    assert not errors or seen == []


@pytest.fixture(scope="session")
def window(chromium: Chromium, gateway: Gateway) -> Window:
    """Makes windows of a browser that was never here: `with window(width=390, height=844) as page`."""

    @contextlib.contextmanager
    def make(width: int = 1280, height: int = 800, errors: bool = True, **options: Any) -> Iterator[Page]:
        size: Any = {"width": width, "height": height}
        context = chromium.new_context(ignore_https_errors=True, viewport=size, **options)
        try:
            with watched(context, errors) as page:
                yield page
        finally:
            context.close()

    return make


@pytest.fixture(scope="session")
def session(gateway: Gateway) -> str:
    """The cookie of a session."""
    assert gateway.browser.sign_in(gateway.person, PASSWORD) == 200
    return gateway.browser.cookie


def let_in(context: BrowserContext, gateway: Gateway, session: str) -> None:
    """As after a sign-in."""
    name, _, value = session.partition("=")
    context.add_cookies([{"name": name, "value": value, "url": f"{gateway.browser.url}/", "secure": True}])


def visit(page: Page, address: str) -> None:
    """Chromium gives up what it loads while another test of this machine makes or removes a network."""
    for again in (True, True, False):
        try:
            page.goto(address)
        except Error as error:
            if not again or "ERR_NETWORK_CHANGED" not in error.message:
                raise
        else:
            return


@pytest.fixture(scope="session")
def known(chromium: Chromium, gateway: Gateway, session: str) -> Iterator[BrowserContext]:
    """A browser that is signed in and has loaded all there is once, 1280 by 800."""
    context = chromium.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
    try:
        let_in(context, gateway, session)
        yield context
    finally:
        context.close()


@pytest.fixture
def page(known: BrowserContext, gateway: Gateway) -> Iterator[Page]:
    """The pages, signed in, at the list of shares."""
    with watched(known) as made:
        visit(made, f"{gateway.url}#shares")
        made.get_by_role("navigation").wait_for()
        yield made
