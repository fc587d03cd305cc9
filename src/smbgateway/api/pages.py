"""The pages of the browser: files as they are, for strangers too; all they show comes by way of /v1."""

import os
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import RedirectResponse, Response
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

PLACES = (Path(__file__).resolve().parents[3] / "www", Path("/usr/share/pve-smbgateway/www"))
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
}


class Pages(StaticFiles):
    """Files with the headers that keep other sites out."""

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """ExtJS never changes below its version; the rest is asked for again, and mostly answered by 304."""
        answer = super().file_response(full_path, stat_result, scope, status_code)
        kept = "/ext/" in str(full_path)
        cache = {"Cache-Control": "max-age=31536000, immutable" if kept else "no-cache"}
        answer.headers.update({**HEADERS, **cache})
        return answer


def add_pages(app: FastAPI) -> None:
    """Serve them below /ui, where they are installed."""
    folder = next((place for place in PLACES if place.is_dir()), None)
    if folder is None:
        return
    app.mount("/ui", GZipMiddleware(Pages(directory=folder, html=True), compresslevel=6))

    @app.get("/", include_in_schema=False)
    def start() -> Response:
        return RedirectResponse("/ui/")
