"""The pages of the browser: files as they are, for strangers too; all they show comes by way of /v1."""

import mimetypes
import os
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import Headers
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PLACES = (Path(__file__).resolve().parents[3] / "build/www", Path("/usr/share/pve-smbgateway/www"))
# ExtJS makes functions of text ('unsafe-eval'), and elements with styles of their own.
POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Accept-Encoding",
}
YET_TO_COME = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>SMB</title>'
    "<p>The pages are not there yet: <code>www/build</code> makes them. This looks again every 3 seconds."
)


class Pages(StaticFiles):
    """Files with the headers that keep other sites out, compressed where that was done beforehand."""

    def __init__(self) -> None:
        super().__init__(html=True, check_dir=False)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        """Where a file is: they may be made while the engine runs, or made anew."""
        there: list[str | os.PathLike[str]] = [place for place in PLACES if place.is_dir()]
        self.all_directories = there[:1]
        return super().lookup_path(path)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """ExtJS never changes below its version; the rest is asked for again, and mostly answered by 304."""
        small = f"{full_path}.gz"
        compressed = "gzip" in Headers(scope=scope).get("accept-encoding", "") and os.path.exists(small)
        found = (small, os.stat(small)) if compressed else (full_path, stat_result)
        answer = super().file_response(*found, scope, status_code)
        if compressed and answer.status_code == status_code:
            kind = mimetypes.guess_type(full_path)[0]
            answer.headers.update({"Content-Type": f"{kind}; charset=utf-8", "Content-Encoding": "gzip"})
        kept = "/ext-" in str(full_path)
        answer.headers.update({**HEADERS, "Cache-Control": "max-age=31536000, immutable" if kept else "no-cache"})
        return answer


def add_pages(app: FastAPI) -> None:
    """Serve them below /ui, where they are installed."""
    app.mount("/ui", Pages())

    @app.get("/", include_in_schema=False)
    def start() -> Response:
        there = any(place.is_dir() for place in PLACES)
        return RedirectResponse("/ui/") if there else HTMLResponse(YET_TO_COME, headers=HEADERS)
