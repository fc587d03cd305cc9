"""Routes of the door: signing in and out, and tokens."""

from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.responses import Response

from ..installation import Installation
from . import bodies
from .answers import Answer
from .guard import COOKIE, Door, Guard
from .people import Caller, NotSignedIn, People, Session, form
from .relay import relay_ids
from .tokens import Tokens


def _asked(request: Request) -> Caller:
    """Who asks, as the guard found out."""
    caller: Caller = request.scope["caller"]
    return caller


Asked = Annotated[Caller, Depends(_asked)]


def add_door(app: FastAPI, site: Installation) -> None:
    """The guard, and the routes of who may pass it."""
    people, tokens, relay = People(site.host, f"{site.paths.run}/sessions.json"), Tokens(site.store), relay_ids()
    app.add_middleware(Guard, door=Door(people, tokens, relay[0] if relay else None))
    _sessions(app, people)
    _tokens(app, tokens)


def _sessions(app: FastAPI, people: People) -> None:
    @app.get("/v1/session", response_model=bodies.SessionInfo, summary="Who is signed in")
    def session(request: Request) -> Response:
        caller: Caller | None = request.scope["caller"]
        if caller is None:
            raise NotSignedIn("not signed in")
        token = request.cookies.get(COOKIE, "")
        return Answer({"name": caller.name, "role": caller.role, "form": form(token) if token else ""})

    @app.post("/v1/session", response_model=bodies.SessionInfo, summary="Sign in; the session is a cookie")
    def sign_in(credentials: bodies.Credentials) -> Response:
        """For users of the system in the group smbgw-admin, or smbgw-viewer who may look."""
        token, made = people.sign_in(credentials.name, credentials.password.get_secret_value())
        return _signed_in(token, made)

    @app.delete("/v1/session", status_code=204, summary="Sign out")
    def sign_out(request: Request) -> Response:
        people.sign_out(request.cookies.get(COOKIE, ""))
        answer = Response(status_code=204)
        answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="strict")
        return answer


def _signed_in(token: str, made: Session) -> Response:
    answer = Answer({"name": made.name, "role": made.role, "form": form(token)})
    answer.set_cookie(COOKIE, token, path="/", secure=True, httponly=True, samesite="strict")
    return answer


def _tokens(app: FastAPI, tokens: Tokens) -> None:
    @app.get("/v1/tokens", response_model=bodies.TokenRows, summary="Tokens for programs")
    def tokens_all() -> Response:
        return Answer({"tokens": [{"name": t.name, "role": t.role, "made": t.made} for t in tokens.all()]})

    @app.post("/v1/tokens", response_model=bodies.MadeToken, summary="Make a token for a program")
    def create_token(body: bodies.TokenBody) -> Response:
        return Answer({"name": body.name, "role": body.role, "token": tokens.create(body.name, body.role)})

    @app.post("/v1/tokens/delete", response_model=bodies.TokenRows, summary="Delete a token")
    def delete_token(body: bodies.TokenName) -> Response:
        """Answers with those that are left."""
        tokens.delete(body.name)
        return tokens_all()
