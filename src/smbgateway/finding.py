"""What a look at a machine finds."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: `ok`, `warn` (something will not work) or `fail` (nothing will)."""

    check: str
    state: Literal["ok", "warn", "fail"]
    text: str
    hint: str = ""
