"""Who may serve: the rule of the fence. Pure: what ctdbd says in, a verdict out."""

from dataclasses import dataclass, field

# Seconds that a member goes on serving while ctdbd is silent, and while it is in recovery: in a majority, where nobody
# else can serve, and in a tie, where the other half may.
SILENT, STALL, TIE = 3.0, 10.0, 1.5


@dataclass(frozen=True)
class View:
    """What a member sees of its cluster."""

    pnn: int
    flags: dict[int, frozenset[str]] = field(default_factory=dict)  # by number; without any, a member is healthy
    recovering: bool = True
    leader: int | None = None

    @property
    def peers(self) -> frozenset[int]:
        """Members that it is in touch with, itself too."""
        return frozenset(number for number, flags in self.flags.items() if "DISCONNECTED" not in flags)

    @property
    def connected(self) -> int:
        """How many these are."""
        return len(self.peers)

    @property
    def lost_leader(self) -> int | None:
        """The leader, where it is out of touch with that."""
        if self.leader is None or "DISCONNECTED" not in self.flags.get(self.leader, {"DISCONNECTED"}):
            return None
        return self.leader


@dataclass(frozen=True)
class Verdict:
    """What a member may do.

    quorum    have the cluster lock, and run ctdbd
    serve     run smbd, and have addresses
    patience  seconds it may go on where it may not serve
    """

    quorum: bool
    serve: bool
    why: str = ""
    patience: float = 0.0


def judge(view: View | None, members: int, linked: bool, quorum: str) -> Verdict:
    """The rule.

    members  of the cluster, those that are down too
    linked   whether a public interface has a carrier
    quorum   as the record says: `majority` or `lock`
    """
    if view is None:
        return Verdict(False, False, "ctdbd does not answer", SILENT)
    seen = view.connected
    tie = 2 * seen == members and (seen > 1 or linked)  # the lock decides
    survivor = quorum == "lock" and linked
    if 2 * seen <= members and not tie and not survivor:
        return Verdict(False, False, f"sees {seen} of {members} members, which is no majority")
    patience = STALL if 2 * seen > members else TIE
    if stopped := view.flags[view.pnn] & {"BANNED", "STOPPED"}:
        return Verdict(True, False, f"is {', '.join(sorted(stopped)).lower()}")
    if view.recovering:
        return Verdict(True, False, "is in recovery", patience)
    return Verdict(True, True)
