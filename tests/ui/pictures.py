"""Makes the pictures of the documentation, of the pages of a real engine: `docs/screenshots`.

What is seen is real but for the chart's week of history, which an engine that was just started cannot have.
"""

import math
import os
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Route, expect

from tests.real.browsing import REPOSITORY

from .conftest import Gateway, Window, let_in, visit
from .test_wizard import cleaned as cleaned
from .test_wizard import press

PICTURES = REPOSITORY / "docs/pictures"
MEBI = 1 << 20
SHARES = {"projects": 264, "scans": 150, "music": 40}  # and how many of 300 MiB are used
STEPS, INTERVAL = 168, 3600


def week(route: Route) -> None:
    """A share that is filled on workdays, up to what it has now."""
    now, limit = int(time.time()), 300 * MEBI
    used = [MEBI * (150 + 114 * at / STEPS + 6 * math.sin(at * math.tau / 24)) for at in range(STEPS + 1)]
    points = [
        {"at": now - (STEPS - at) * INTERVAL, "used": int(each), "limit": limit, "low": int(each), "high": int(each)}
        for at, each in enumerate(used)
    ]
    route.fulfill(json={"interval": INTERVAL, "points": points})


def keep(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    page.wait_for_timeout(1000)  # colours and windows move into place
    page.screenshot(path=PICTURES / f"{name}.png")


def fill(gateway: Gateway, tmp_path: Path) -> None:
    for name, used in SHARES.items():
        gateway.apply(gateway.site.image(name))
        (tmp_path / name).write_bytes(os.urandom(MEBI) * used)
        assert "NT_STATUS_" not in gateway.site.smb(name, f"put {tmp_path / name} content")


def test_pictures(window: Window, gateway: Gateway, session: str, tmp_path: Path) -> None:
    fill(gateway, tmp_path)
    size: dict[str, Any] = {"width": 1100, "height": 640}
    with window(**size) as page:
        let_in(page.context, gateway, session)
        page.route("**/v1/quota/history**", week)
        visit(page, gateway.url)
        expect(page.get_by_text("Share projects is")).to_be_visible(timeout=150_000)
        keep(page, "overview")
        visit(page, f"{gateway.url}?share#share/files/projects")
        press(page, "7 days")
        expect(page.get_by_role("img", name="Usage: lowest")).to_be_visible()
        keep(page, "share")
        visit(page, f"{gateway.url}?wizard#shares")
        press(page, "Create share")
        expect(page.get_by_role("radio", name="On this node")).to_have_attribute("aria-checked", "true")
        press(page, "Review")
        expect(page.get_by_text("things will be done")).to_be_visible()
        keep(page, "wizard")
