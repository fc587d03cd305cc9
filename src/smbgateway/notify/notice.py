"""What there is to tell. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Severity = Literal["info", "notice", "warning", "error"]
SEVERITIES: tuple[Severity, ...] = ("info", "notice", "warning", "error")
LEVELS = ("ok", "notice", "warning", "critical")


@dataclass(frozen=True)
class Notice:
    """One thing that happened at a Unix time.

    level     the greatest level it is about: who wants to know of `critical` also wants to know that it is over
    severity  how bad it is now
    topic     the `type` that matchers of Proxmox VE know it by
    fields    the same for machines
    """

    level: str
    severity: Severity
    topic: str
    subject: str
    text: str
    at: float
    fields: Mapping[str, Any] = field(default_factory=dict)

    def wanted(self, least: str) -> bool:
        """Whether somebody wants to know who asked for notices from a level on."""
        return LEVELS.index(self.level) >= LEVELS.index(least)

    def to_json(self) -> dict[str, Any]:
        """For webhooks, and for the file that keeps it."""
        return asdict(self)


def merged(notices: Sequence[Notice]) -> Notice:
    """Several as one: as bad as the worst."""
    if len(notices) == 1:
        return notices[0]
    worst = max(notices, key=lambda notice: SEVERITIES.index(notice.severity))
    return Notice(
        level=max((notice.level for notice in notices), key=LEVELS.index),
        severity=worst.severity,
        topic=worst.topic,
        subject=f"{len(notices)} notices: {worst.subject}, ...",
        text="\n\n".join(notice.text for notice in notices),
        at=notices[-1].at,
        fields={"notices": len(notices)},
    )
