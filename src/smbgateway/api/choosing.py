"""What a wizard asks before it asks for anything."""

from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import Field

from ..choices import choices
from ..engine import Engine
from .answers import Answer
from .bodies import PlaceRow, Strict


class ModeRow(Strict):
    """How a gateway could run."""

    kind: str
    reason: str = Field(description="why not here; empty where it can")
    hint: str = Field(description="what to do about it")


class RootRow(Strict):
    """A directory below which paths of shares may lie."""

    path: str
    free: int | None = Field(description="bytes; null where it is yet to be made")


class Choices(Strict):
    """What a new share can be made of on this node."""

    node: str
    modes: list[ModeRow]
    places: list[PlaceRow]
    roots: list[RootRow]
    addresses: list[str] = Field(description="of the node, for clients")
    bridges: list[str]


def add_choices(app: FastAPI, engine: Engine) -> None:
    """The route."""

    @app.get("/v1/choices", response_model=Choices, summary="What a new share can be made of here")
    def choices_here(name: str) -> Response:
        """Modes and what is missing for them, places for a share of that name, addresses, bridges."""
        return Answer(choices(engine.site, name))
