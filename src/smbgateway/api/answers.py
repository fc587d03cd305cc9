"""What the API answers with, errors too: all have one form."""

import json
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from ..errors import Failed, Fault, GatewayError, Invalid, NotFound
from ..model import explained
from .bodies import Problem

PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "description": text}
    for code, text in {
        400: "the body is not JSON",
        401: "nobody is signed in",
        403: "the caller may not do that",
        404: "no such resource",
        409: "the world is not as the request assumes",
        413: "the request is too large",
        422: "faults in the request, all at once, each with its field",
        429: "too many wrong passwords",
        500: "it failed and was set back",
        503: "something needed is away: a program, the store",
    }.items()
}


class Answer(JSONResponse):
    """JSON in ASCII: what came in as half a character goes out as the same."""

    def render(self, content: Any) -> bytes:
        """The bytes of a body."""
        return json.dumps(content).encode("ascii")


def problem(error: GatewayError, status: int | None = None, headers: Any = None) -> Answer:
    """An error as an answer."""
    return Answer(error.to_json(), status or error.status, headers)


def add_problems(app: FastAPI) -> None:
    """Give every error the one form."""

    @app.exception_handler(GatewayError)
    def known(request: Request, error: GatewayError) -> Response:
        return problem(error)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: RequestValidationError) -> Response:
        details = error.errors()
        if details and details[0]["type"] == "json_invalid":
            fault = Fault("body", f"{details[0]['ctx']['error']} at character {details[0]['loc'][1] + 1}")
            return problem(Invalid("the body is not JSON", faults=[fault]), 400)
        body = getattr(request.scope.get("route"), "body_field", None)
        inside = body.field_info.annotation if body else None
        return problem(Invalid.of([_fault(detail, inside) for detail in details]))

    @app.exception_handler(HTTPException)
    def of_the_framework(request: Request, error: HTTPException) -> Response:
        return problem(_words(request, error), error.status_code, error.headers)

    @app.exception_handler(Exception)
    def unknown(request: Request, error: Exception) -> Response:
        return problem(Failed("the engine failed", type(error).__name__, hint="its log says where"))


def _fault(detail: Any, inside: Any) -> Fault:
    where, *location = detail["loc"]
    return explained(detail, inside if where == "body" else None, tuple(location), "" if location else str(where))


def _words(request: Request, error: HTTPException) -> GatewayError:
    if error.status_code == 404:
        return NotFound(f"there is no {request.url.path[:200]}", hint="GET /openapi.json names what there is")
    if error.status_code == 405:
        return Invalid(f"{request.url.path[:200]} has no {request.method}")
    return Invalid("the body is not JSON", "it is not UTF-8, nested too deep, or has a number that is too long")
