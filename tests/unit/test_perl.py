"""The parameters of the API of Proxmox VE are those of the model."""

from pathlib import Path

from smbgateway.api.perl import fields, text

MODULE = Path(__file__).resolve().parents[2] / "perl/PVE/API2/SMBGateway/Fields.pm"


def test_the_fields_are_current() -> None:
    assert text() == MODULE.read_text(), f"make it anew: python -m smbgateway.api.perl > {MODULE.name}"


def test_what_the_engine_chooses_is_no_parameter() -> None:
    made = fields()
    assert not {"state", "kind", "uid", "password-set"} & set(made["user"])
    assert made["user"]["password"] == ("text", {"type": "string", "optional": 1})
    assert made["group"]["members"][1] == {"type": "string", "format": "string-list", "optional": 1}
