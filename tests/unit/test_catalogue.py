"""Words of the pages in other languages: they are current and complete, and what is wrong with them is found."""

import importlib.util
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "www/catalogue"
ENTRY = '\n#: app/a.js\nmsgid "{0} of <b>{1}</b>"\nmsgstr "%s"\n'


@pytest.fixture
def catalogue(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader = SourceFileLoader("catalogue", str(SCRIPT))
    spec = importlib.util.spec_from_loader("catalogue", loader)
    assert spec
    made = importlib.util.module_from_spec(spec)
    loader.exec_module(made)
    return made


def test_all_that_pages_say_is_translated(catalogue: Any) -> None:
    assert catalogue.faults() == [], "make it anew: www/catalogue"


@pytest.mark.parametrize(
    ("other", "fault"),
    [
        ("", '"{0} of <b>{1}</b>" is not translated'),
        ("{0} von <b>{0}</b>", "has other values, tags or quotation marks"),
        ("{0} von <i>{1}</i>", "has other values, tags or quotation marks"),
        ('{0} \\"von\\" <b>{1}</b>', "has other values, tags or quotation marks"),
        ("{1} hat <b>{0}</b>", ""),
    ],
)
def test_faults_of_a_language(
    catalogue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str, fault: str
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "language").mkdir()
    (tmp_path / "app/a.js").write_text("say(gettext('{0} of <b>{1}</b>'))")
    monkeypatch.setattr(catalogue, "HERE", tmp_path)
    monkeypatch.setattr(catalogue, "LANGUAGES", tmp_path / "language")
    (tmp_path / "language/smb-gateway.pot").write_text(catalogue.HEAD.format("") + ENTRY % "")
    (tmp_path / "language/de.po").write_text(catalogue.HEAD.format("de") + ENTRY % other)
    found = catalogue.faults()
    assert len(found) == bool(fault)
    assert all(fault in line for line in found)


def test_a_new_text_waits_for_its_translation(catalogue: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "language").mkdir()
    (tmp_path / "app/a.js").write_text("gettext(\"the machine's own\") + gettext('Name')")
    monkeypatch.setattr(catalogue, "HERE", tmp_path)
    monkeypatch.setattr(catalogue, "LANGUAGES", tmp_path / "language")
    (tmp_path / "language/de.po").write_text('msgid "Name"\nmsgstr "Nome"\n\nmsgid "gone"\nmsgstr "weg"\n')
    monkeypatch.setattr(sys, "argv", ["catalogue"])
    catalogue.main()
    assert catalogue.read(tmp_path / "language/de.po") == {"Name": "Nome", "the machine's own": ""}
    assert catalogue.script() == 'const CATALOGUES = {"de":{"Name":"Nome"}};'
