"""Routes of those who are told."""

import time

from fastapi import FastAPI
from fastapi.responses import Response

from ..notify.courier import Courier
from ..notify.notice import Notice
from . import bodies
from .answers import Answer


def add_receivers(app: FastAPI, courier: Courier, node: str) -> None:
    """Show them, and tell them something to see whether it arrives."""

    @app.get("/v1/receivers", response_model=bodies.ReceiverRows, summary="Who is told, and what waits to be told")
    def receivers() -> Response:
        """Where no receiver is stated there is one, `default`: Proxmox VE's notifications, elsewhere the journal."""
        return Answer({"receivers": courier.show()})

    @app.post("/v1/receivers/test", response_model=bodies.TestRows, summary="Tell receivers that this is a test, now")
    def test(wanted: bodies.TestBody) -> Response:
        return Answer({"results": courier.test(wanted.name, test_notice(node))})


def test_notice(node: str) -> Notice:
    """What a receiver is told to see whether it arrives."""
    text = f"This is a test of pve-smbgateway on {node}. Where it arrives, notices of shares that fill arrive too."
    subject = f"test of pve-smbgateway on {node}"
    return Notice("notice", "info", "smbgateway-test", subject, text, time.time())
