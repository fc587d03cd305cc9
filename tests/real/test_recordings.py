"""Real tools still answer as they did when the scenes of tests/cases were recorded."""

import os
from pathlib import Path

import pytest

from tests.cases.scenes import SCENES
from tests.unit.fakes import FOLDER, Call, RecordingHost, load, save


@pytest.mark.parametrize("scene", SCENES)
def test_a_recording_is_what_real_tools_say(scene: str, tmp_path: Path) -> None:
    host = RecordingHost()
    SCENES[scene](host, str(tmp_path))
    calls = [call.replaced(str(tmp_path), FOLDER) for call in host.calls]
    if os.environ.get("RECORD") and shapes(calls) != shapes(load(scene)):
        save(scene, calls)
    assert shapes(calls) == shapes(load(scene))


def shapes(calls: list[Call]) -> list[Call]:
    return [call.shape for call in calls]
