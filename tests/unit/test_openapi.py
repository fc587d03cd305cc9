"""The OpenAPI document: it is current, and the routes keep to it whatever they are sent."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import checks

from smbgateway.api.app import make

from .machine import as_peer, new_engine

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/openapi.json"
ENDLESS = "/v1/quota/stream"
PATHS = json.loads(DOCUMENT.read_text())["paths"]
OPERATIONS = [(path, verb) for path, verbs in PATHS.items() if path != ENDLESS for verb in verbs]
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture(scope="module")
def described() -> Iterator[schemathesis.BaseSchema]:
    with tempfile.TemporaryDirectory(prefix="api-", dir="/tmp") as folder:  # short: paths of sockets lie below
        app = make(new_engine(folder))
        yield schemathesis.openapi.from_asgi("/openapi.json", as_peer(app, 0))
        app.state.monitor.history.close()


def test_the_document_is_current() -> None:
    made = subprocess.run([sys.executable, "-m", "smbgateway.api.schema"], capture_output=True, text=True, check=True)
    assert made.stdout == DOCUMENT.read_text(), "make it anew: python -m smbgateway.api.schema > docs/openapi.json"


@pytest.mark.parametrize(("path", "verb"), OPERATIONS)
def test_whatever_is_sent_the_answer_is_as_described(described: schemathesis.BaseSchema, path: str, verb: str) -> None:
    @settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(case=described[path][verb].as_strategy())
    def sent(case: schemathesis.Case) -> None:
        case.call_and_validate(checks=CHECKS)

    sent()
