"""Sizes: bytes inside, `10G` at the edges. Imports little: the CLI uses it too."""

import re
from decimal import Decimal

KI, UNITS = 1024, "KMGTP"


def parse_size(value: object) -> int:
    """Turn `10G`, `512 MiB`, `1.5T` or a number of bytes into bytes. Raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("write a size such as 10G, or a number of bytes")
    if isinstance(value, int) and abs(value) >= 10**50:
        raise ValueError("the size is out of range: it is more than 0 and less than 8E")
    text = str(value).strip()
    text = text if len(text) <= 50 else f"{text[:47]}..."
    match = re.fullmatch(r"(\d{1,20}(?:\.\d{1,20})?)\s*(?:([KMGTP])(?:i?B)?|B)?", text, re.ASCII | re.IGNORECASE)
    if not match:
        raise ValueError(f'"{text}" is not a size: write a number with K, M, G or T, such as 10G')
    unit = KI ** (UNITS.index(match[2].upper()) + 1) if match[2] else 1
    size = int(Decimal(match[1]) * unit)  # not float, which rounds above 8 PiB
    if not 0 < size < 2**63:
        raise ValueError(f'"{text}" is out of range: a size is more than 0 and less than 8E')
    return size


def show_size(size: float) -> str:
    """Bytes for a person: `10 GiB`, `1.5 TiB`, `200 B`."""
    for unit in ("B", *(f"{letter}iB" for letter in UNITS)):
        if round(size, 1) < KI or unit == "PiB":
            return f"{size:.0f} {unit}" if size == int(size) or unit == "B" else f"{size:.1f} {unit}"
        size /= KI
    raise AssertionError
