"""serve, web and version."""

from __future__ import annotations

from .. import __version__
from .problem import UNAVAILABLE, Problem
from .session import Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Any

BRIEF = 2.0  # seconds: a hanging engine must not keep the version from being told


def serve(session: Session, arguments: Namespace) -> int:
    """Run the engine until it is told to end."""
    from ..api.serve import mounts
    from ..api.serve import serve as run
    from ..errors import GatewayError

    if arguments.mounts:
        said = mounts(session.root, arguments.node)
        return session.answer({"said": said}, said, UNAVAILABLE if said else 0)
    try:
        run(root=session.root, node=arguments.node, textfile=arguments.metrics_file)
    except GatewayError as error:
        raise Problem(error.to_json()) from error
    return 0


def web(session: Session, arguments: Namespace) -> int:
    """Run the relay until it is told to end."""
    from ..api.relay import relay
    from ..errors import GatewayError

    try:
        relay(session.root, arguments.listen, arguments.port)
    except GatewayError as error:
        raise Problem(error.to_json()) from error
    return 0


def version(session: Session, arguments: Namespace) -> int:
    """Print the version of this command, and of the engine if one answers."""
    try:
        engine: dict[str, Any] | None = session.client.get("/v1/version", BRIEF)
    except Problem as error:
        session.note(str(error))
        engine = None
    lines = [f"pve-smbgateway {__version__}"]
    if engine:
        samba = f"Samba {engine['samba']}" if engine.get("samba") else "without Samba"
        lines.append(f"engine {engine['version']} on node {engine['node']}, {samba}")
    else:
        lines.append("engine not running")
    return session.answer({"version": __version__, "engine": engine}, lines)
