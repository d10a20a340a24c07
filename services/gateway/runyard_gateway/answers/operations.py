"""Events, health, read models, retention, and problems."""

from typing import Annotated, Literal

from msgspec import Meta
from runyard_shared.public_events import PublicEvent

from runyard_gateway.answers.body import Body, Cursor, Instant, Position
from runyard_gateway.answers.workflows import Problem


class EventList(Body):
    items: list[PublicEvent]
    next_cursor: Annotated[Cursor, Meta(description="Also after a page with few events or none, where the log goes on")]
    position: Annotated[int, Meta(description="So far the log was looked through: go on with it as `after`")]


class Health(Body):
    """`parts`: what this service needs, each null when fine, else what is the matter. `notes`: what does not keep it from being
    ready: by read model, how far that is behind, and why; and that messages are parked."""

    status: Literal["ok", "unavailable"]
    parts: dict[str, str | None]
    notes: dict[str, str]


class ReadModelDifference(Body):
    """A table whose rows are not what the log gives. `keys`: of the first rows that differ, are missing or are too many."""

    table: str
    rows: int
    expected: int
    keys: list[str]


class ReadModelRebuild(Body):
    """The last one. `failure`: why it came to nothing."""

    position: Annotated[int, Meta(description="How far in the log it has come")]
    head: Annotated[int, Meta(description="The end of the log, as far as it knows")]
    started_by: str
    started_at: Instant | None
    finished_at: Annotated[Instant | None, Meta(description="Null while it works")]
    failure: str | None


class ReadModelChecksum(ReadModelRebuild):
    """The last one. `differences`: empty if all rows are what the log gives; null unless it came to its end."""

    differences: list[ReadModelDifference] | None


class Projection(Body):
    """A read model. `reason`: in words, why the status is not ok."""

    name: str
    status: Literal["ok", "behind", "rebuilding", "broken"]
    reason: str | None
    position: Position
    head: Annotated[int, Meta(description="The end of the log")]
    lag_events: int
    lag_seconds: Annotated[float, Meta(description="Age of the oldest event that is not in it")]
    as_of: Annotated[Instant | None, Meta(description="Time of the last event that is in it")]
    updated_at: Annotated[Instant, Meta(description="The last sign of life of whoever keeps it up to date")]
    rebuild: ReadModelRebuild | None
    checksum: ReadModelChecksum | None


class ProjectionList(Body):
    items: list[Projection]


class ReadModelNames(Body):
    """The read models it began with."""

    names: list[str]


class ParkedMessage(Body):
    """A message nobody could handle. `times`: how often it was parked, once more for each retry that came to nothing."""

    message_id: Annotated[str, Meta(description="A hash of the queue and the message")]
    status: Literal["waiting", "retried", "dropped"]
    queue: Annotated[str, Meta(description="The queue it came for")]
    kind: Annotated[str, Meta(description="What it is, as far as it says: AgentHeartbeat, Request: StartExecution")]
    of_tenant: Annotated[str | None, Meta(description="The tenant that it names itself; nobody has checked it")]
    sender: Annotated[
        str | None, Meta(description="The agent that sent it, as tenant/name, if it was not yet found that it may say this")
    ]
    reason: Annotated[str, Meta(description="Why it could not be handled, the last time")]
    attempts: Annotated[int, Meta(description="How often that was tried in all; 0 if it could not even be read")]
    times: int
    retryable: Annotated[bool, Meta(description="Whether all of it is there to be sent again")]
    size: Annotated[int, Meta(description="Bytes of the body; 0 once something was done with it")]
    first_parked_at: Instant
    parked_at: Instant
    settled_at: Instant | None
    settled_by: str | None


class ParkedMessageDetail(ParkedMessage):
    """With its body, as text: at most the first 64 KiB. Secrets in it are shown as ***."""

    body: str


class ParkedMessageList(Body):
    items: list[ParkedMessage]
    next_cursor: Cursor


class RotatedPart(Body):
    """Secrets of one kind. `unreadable`: which none of the keys opens; they are left as they are."""

    name: Literal["connections", "channels", "webhooks"]
    changed: Annotated[int, Meta(description="Protected with the newest key now")]
    current: Annotated[int, Meta(description="Protected with it already")]
    remaining: Annotated[int, Meta(description="Left for the next call")]
    unreadable: list[str]


class SecretsRotated(Body):
    """`remaining`: of all kinds; call again until it is 0."""

    parts: list[RotatedPart]
    remaining: int


class ArchivedMonth(Body):
    """Executions that began in this month (UTC) are in the archive, and no longer here."""

    month: Annotated[str, Meta(description="Such as 2026-03")]
    events: int
    first_position: Position
    last_position: Position
    archived_at: Instant


class ArchivedAudit(Body):
    """Commands of this month (UTC) are in the archive, and no longer in the audit log."""

    month: Annotated[str, Meta(description="Such as 2026-03")]
    entries: int
    archived_at: Instant


class ExpiredMonth(Body):
    """A month whose time is over, and what it waits for."""

    month: Annotated[str, Meta(description="Such as 2026-03")]
    reason: str
    looked_at: Instant


class Retention(Body):
    """How long data is kept after its end. `archived`, `archivedAudit`: newest first."""

    history_months: Annotated[int | None, Meta(description="Then executions are archived; null: never")]
    output_days: Annotated[int | None, Meta(description="Then output of jobs is dropped; 0: never; null: as the installation")]
    default_output_days: Annotated[int | None, Meta(description="What the installation does; 0: never; null: not known yet")]
    audit_months: Annotated[int | None, Meta(description="Then the audit log is archived; null: never")]
    changed_at: Instant | None
    changed_by: str | None
    archived: list[ArchivedMonth]
    archived_audit: list[ArchivedAudit]
    waiting: list[ExpiredMonth]


class ProblemDocument(Body):
    """RFC 9457. Some problems have further members."""

    type: str
    title: str
    status: int
    detail: str
    code: Annotated[str, Meta(description="Stable, snake_case")]
    errors: list[Problem] = []
