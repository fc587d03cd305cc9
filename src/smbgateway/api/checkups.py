"""What `doctor` looks at, for those who have no shell: the machine, not the gateways, of which the status tells."""

from dataclasses import asdict
from typing import Literal

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import Field

from ..checkup import checkup
from ..installation import Installation
from .answers import Answer
from .bodies import Strict


class FindingView(Strict):
    """One thing that was looked at."""

    check: str
    state: Literal["ok", "warn", "fail"] = Field(description="warn: something will not work; fail: nothing will")
    text: str
    hint: str


class Findings(Strict):
    """What gateways need of this node."""

    findings: list[FindingView]


def add_checkup(app: FastAPI, site: Installation) -> None:
    """Add the route."""

    @app.get("/v1/checkup", response_model=Findings, summary="What gateways need of this node, and what is in the way")
    def look() -> Response:
        return Answer({"findings": [asdict(finding) for finding in checkup(site.paths, site.host, site.node)]})
