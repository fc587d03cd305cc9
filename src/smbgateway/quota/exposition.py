"""What Prometheus is told (text format 0.0.4). Pure.

A share that cannot be read has no figures but `known` 0 and when it was read last: what is old is not told as new.
"""

from collections.abc import Iterable, Mapping, Sequence

from .levels import RANKS
from .rows import Row
from .trend import DAY

Labels = Mapping[str, str]
Samples = list[tuple[Labels, float]]
BOUNDS = {"likely": "full_in", "earliest": "full_earliest", "latest": "full_latest"}
TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(
    node: str, version: str, shares: Sequence[Row], users: Mapping[str, Sequence[Row]], seconds: float, troubles: int
) -> str:
    """All metrics of one node."""
    fresh = [row for row in shares if not row["unknown"]]
    people = [
        ({**_labels(share), "user": row["name"]}, row)
        for share in shares for row in users.get(share["key"], ()) if not row["unknown"]
    ]  # fmt: skip
    families: list[tuple[str, str, Samples]] = [
        ("build_info", "versions", [({"version": version, "node": node}, 1.0)]),
        ("quota_known", "1 where the other figures of a share are of now", [
            (_labels(row), float(not row["unknown"])) for row in shares
        ]),
        ("quota_read_timestamp_seconds", "when a share was read last", _of([row for row in shares if row["at"]], "at")),
        ("quota_level", "0 ok, 1 notice, 2 warning, 3 critical", [
            (_labels(row), float(RANKS.index(row["level"]))) for row in shares
        ]),
        ("quota_used_bytes", "what a share uses", _of(fresh, "used")),
        ("quota_limit_bytes", "its quota", _of(fresh, "limit")),
        ("quota_available_bytes", "what may still be written", _of(fresh, "available")),
        ("quota_percent", "how full it is", _of(fresh, "percent")),
        ("quota_rate_bytes_per_second", "growth over the last day", _of(fresh, "rate", 1 / DAY)),
        ("quota_full_seconds", "forecast until it is full", [
            ({**labels, "bound": bound}, value)
            for bound, name in BOUNDS.items() for labels, value in _of(fresh, name, DAY)
        ]),
        ("user_quota_used_bytes", "what a user of a share uses", _values(people, "used")),
        ("user_quota_limit_bytes", "the quota of a user", _values(people, "limit")),
        ("monitor_round_seconds", "what the last look at all shares took", [({}, seconds)]),
        ("monitor_troubles", "what keeps the monitor from its work", [({}, float(troubles))]),
    ]  # fmt: skip
    return "".join(line for family in families for line in _lines(*family))


def _labels(row: Row) -> dict[str, str]:
    return {"gateway": row["gateway"], "share": row["name"]}


def _of(rows: Iterable[Row], name: str, factor: float = 1.0) -> Samples:
    return [(_labels(row), row[name] * factor) for row in rows if row[name] is not None]


def _values(people: Iterable[tuple[Labels, Row]], name: str) -> Samples:
    return [(labels, row[name]) for labels, row in people if row[name] is not None]


def _lines(name: str, meaning: str, samples: Samples) -> Iterable[str]:
    if samples:
        yield f"# HELP smbgateway_{name} {meaning}\n# TYPE smbgateway_{name} gauge\n"
    for labels, value in samples:
        inside = ",".join(f'{label}="{_escape(text)}"' for label, text in labels.items())
        yield f"smbgateway_{name}{{{inside}}} {value:.17g}\n" if inside else f"smbgateway_{name} {value:.17g}\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
