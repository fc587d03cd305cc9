"""What goes in and out, as pydantic models: they check requests, and they document answers."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, WrapValidator

from ..create import CreateRequest
from ..fields import State
from ..intake import Options
from ..model import AnyResource, Share
from .people import Caller, Denied, Role

Kind = Literal["gateway", "share", "user", "group", "receiver"]
JobState = Literal["running", "done", "failed"]
MOST = 20_000  # resources in one request


class Strict(BaseModel):
    """Unknown fields are refused; what was typed stands in no message: passwords are typed too."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, defer_build=True)


def _as_it_came(value: Any, check: Any) -> Any:
    return value


# Documented as what they are and passed on as they came: the engine's own validator tells all faults of all at once.
RawResource = Annotated[AnyResource, WrapValidator(_as_it_came)]
RawCreate = Annotated[CreateRequest, WrapValidator(_as_it_came)]


class RequestOptions(Strict):
    """What may be added to a request."""

    force: bool = Field(False, description="do it although a check advises against it")
    destroy_data: bool = Field(False, description="remove the data too")
    allow_paths: list[str] = Field([], max_length=100, description="further directories below which sources may lie")

    def engine(self, caller: Caller) -> Options:
        """For the engine. Raises Denied where the caller asks for what is root's."""
        if self.allow_paths and not caller.is_root:
            raise Denied("refused", "only root may name further directories (allow_paths)")
        return Options(self.force, self.destroy_data, tuple(self.allow_paths))


class Desired(Strict):
    """Resources: as objects, as the text of YAML or JSON documents, or as the short form of one share."""

    resources: list[RawResource] = Field([], max_length=MOST, description="what `show` prints is accepted here")
    text: str = Field("", description="YAML or JSON documents, each a resource, a list, or `resources: [...]`")
    create: RawCreate | None = Field(None, description="as POST /v1/create takes it")
    options: RequestOptions = RequestOptions()


class CreateBody(CreateRequest):
    """One share, in short, and the gateway that it needs."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    options: RequestOptions = RequestOptions()


class Target(Strict):
    """A resource by name."""

    kind: Kind
    name: str = Field(max_length=200, description="of a share also GATEWAY/NAME")


class Removal(Strict):
    """Resources to remove."""

    targets: list[Target] = Field(min_length=1, max_length=MOST)
    options: RequestOptions = RequestOptions()


class ShareName(Strict):
    """A share by name."""

    share: str = Field(max_length=200, description="NAME, or GATEWAY/NAME")


class SnapshotName(ShareName):
    """A snapshot of a share."""

    name: str = Field(max_length=100)


class FaultView(Strict):
    """One thing wrong with a request."""

    field: str = Field(description="a dotted path such as share.docs.quota")
    message: str
    hint: str
    waivable: bool = Field(description="the option `force` does it all the same")


class Problem(Strict):
    """Why not: what failed, its cause, what was undone, what is left, what to do."""

    error: str = Field(description="the kind of error: Invalid, NotFound, Conflict, HoldsData, Unavailable, ...")
    what: str
    cause: str
    hint: str
    undone: list[str]
    left: list[str]
    faults: list[FaultView]
    exit_code: int = Field(description="of the command line")


class Credentials(Strict):
    """A user of the system, as PAM knows it."""

    name: str = Field(max_length=64)
    password: SecretStr = Field(max_length=1024)


class SessionInfo(Strict):
    """Who is signed in."""

    name: str
    role: Role
    form: str = Field(description="goes with each change, in the header X-CSRF-Token; empty without a session")


class TokenName(Strict):
    """A token by name."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")


class TokenBody(TokenName):
    """A token to make."""

    role: Role = "viewer"


class MadeToken(TokenBody):
    """A new token."""

    token: str = Field(description="told this once; goes with each request: `Authorization: Bearer TOKEN`")


class TokenRow(TokenBody):
    """A token in a list."""

    made: float = Field(description="Unix time")


class TokenRows(Strict):
    """Oldest first."""

    tokens: list[TokenRow]


class Version(Strict):
    """Versions."""

    version: str
    node: str
    samba: str = Field(description="empty where Samba is not installed")


class Resources(Strict):
    """Records, as `apply` accepts them; a password is never in them."""

    resources: list[AnyResource]


class ShareRow(Strict):
    """A share in a list."""

    key: str = Field(description="GATEWAY/NAME")
    name: str
    gateway: str
    mode: str
    source: str = Field(description="KIND:SPEC")
    quota: int | None
    purpose: str
    state: State
    address: str = Field(description="where Windows finds it")
    port: int


class Shares(Strict):
    """All shares."""

    shares: list[ShareRow]


class PlaceRow(Strict):
    """A source that could be made now."""

    source: str = Field(description="KIND:SPEC")
    free: int = Field(description="bytes")
    where: str = Field(description="the pool, file system or storage in words")
    modes: list[str] = Field(description="of gateways that can have it")


class Places(Strict):
    """Most free space first."""

    places: list[PlaceRow]


class CellView(Strict):
    """One cell of the world that is not as it should be; null where there is nothing."""

    name: str
    now: str | None
    want: str | None
    error: str


class Cells(Strict):
    """What an `apply` would change."""

    cells: list[CellView]
    warnings: list[str] = Field(description="what is to be known before")


class EventView(Strict):
    """What became of a gateway unasked."""

    at: int = Field(description="Unix time")
    text: str


class GatewayStatus(Strict):
    """A gateway as it is."""

    name: str
    mode: str
    node: str
    address: str
    port: int
    shares: int
    discovery: str = Field(description="how it is found in the network, or why not")
    enabled: bool = Field(description="whether it shall run")
    running: bool | None = Field(description="null on a gateway of another node")
    events: list[EventView] = Field(description="the last ones since the engine started: it died, lacked memory")
    drift: list[CellView]


class Overview(Strict):
    """This node."""

    node: str
    version: str
    gateways: list[GatewayStatus]
    broken: dict[str, str] = Field(description="records that cannot be read, by file")
    said: list[str] = Field(description="what became of operations that a crash cut off")


class LogLines(Strict):
    """The end of a log."""

    lines: list[str]


class ClientName(ShareName):
    """One client of a share."""

    id: str = Field(pattern=r"^[0-9]{1,10}$", description="as the share's status names it")


class UsageView(Strict):
    """Bytes."""

    used: int
    limit: int | None
    available: int


class SessionView(Strict):
    """A client that has a share open."""

    id: str = Field(description="for /v1/clients/disconnect")
    user: str
    machine: str
    since: str
    files: list[str] = Field(description="open, below the share; `.` is its root")


class ShareStatus(Strict):
    """A share as it is."""

    share: Share
    address: str
    port: int
    serving: bool
    usage: UsageView | None
    usage_error: str
    drift: list[CellView]
    sessions: list[SessionView]


class SnapshotRow(Strict):
    """A snapshot in a list."""

    name: str
    taken: int = Field(description="Unix time")
    by: Literal["schedule", "hand"] = Field(description="a schedule deletes what it took itself, and nothing else")
    version: str = Field(description="what SMB calls it: @GMT-2026.11.23-07.16.04")


class SnapshotRows(Strict):
    """Oldest first."""

    snapshots: list[SnapshotRow]


class ReceiverRow(Strict):
    """Who is told, and what is yet to be told."""

    name: str
    way: str
    least: str = Field(description="the level from which on")
    enabled: bool
    waiting: int = Field(description="notices that were not told yet")
    failures: int = Field(description="attempts in a row that failed")
    error: str = Field(description="of the last attempt")
    next: float | None = Field(description="Unix time of the next attempt after a failure")
    told: float | None = Field(description="Unix time when something was told, since the engine started")
    dropped: int = Field(description="notices that grew too old, or were too many")


class ReceiverRows(Strict):
    """The receivers, as this node sees them."""

    receivers: list[ReceiverRow]


class TestBody(Strict):
    """Whom to tell that this is a test."""

    name: str = Field("", max_length=200, description="of a receiver; all where it is left out")


class TestRow(Strict):
    """What became of a test."""

    name: str
    error: str = Field(description="empty where it was told")


class TestRows(Strict):
    """What became of a test, by receiver."""

    results: list[TestRow]


class Accepted(Strict):
    """The request is checked; the job does it."""

    job: str


class JobRow(Strict):
    """A job in a list."""

    id: str
    title: str
    state: JobState
    started: float = Field(description="Unix time")


class JobRows(Strict):
    """The jobs that the engine keeps."""

    jobs: list[JobRow]


class Progress(Strict):
    """One thing that was done."""

    name: str
    outcome: str
    seconds: float


class Outcome(Strict):
    """What became of a resource."""

    kind: Kind
    key: str
    outcome: Literal["created", "updated", "unchanged", "deleted"]


class ChangeView(Strict):
    """A step that was done."""

    name: str
    verb: Literal["created", "changed", "removed", "destroyed"]
    seconds: float


class ProofView(Strict):
    """What a real SMB session proved."""

    share: str
    text: str
    seconds: float
    warnings: list[str]


class ResultView(Strict):
    """What a job did."""

    outcomes: list[Outcome]
    changes: list[ChangeView]
    proofs: list[ProofView]
    warnings: list[str]
    kept: list[str] = Field(description="data that was left in place")
    addresses: list[str]


class JobView(JobRow):
    """A job."""

    events: list[Progress]
    result: ResultView | None
    error: Problem | None
