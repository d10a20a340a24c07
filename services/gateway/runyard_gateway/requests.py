"""What clients may send: one pydantic model for each body and each set of query parameters, for checking and for OpenAPI."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from runyard_shared.contracts.values import ExecutionStatus

from runyard_gateway.http.query import MAX_POSITION, PageQuery, Query, ReadPageQuery

UUID = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
NAME = r"^[^\s:/\x00-\x1f\x7f]{1,200}$"
"""Of a user or a role, so that a workflow can name it as an approver and a path can hold it."""
Name = Annotated[str, Field(pattern=NAME)]
TIME = Field(ge="1970-01-01T00:00:00Z", lt="9000-01-01T00:00:00Z")
Version = Annotated[int, Field(ge=1, lt=2**31)]


class RequestBody(BaseModel):
    """Base of all bodies: camelCase on the wire, unknown fields are errors."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True)


class RunWorkflow(RequestBody):
    """`variables` are checked against the workflow's `inputs`."""

    variables: dict[str, Any] = Field(default_factory=dict)


class CancelExecution(RequestBody):
    """`force` also stops running jobs on their agents."""

    reason: str = Field(default="", max_length=2000)
    force: bool = False


class RollBack(RequestBody):
    version: Version


# --- users


class CreateUser(RequestBody):
    """`roles`: viewer, operator, manager and admin give permissions; any other name is a label for approvers."""

    name: str = Field(pattern=NAME)
    roles: list[Name] = Field(default_factory=list, max_length=100)
    disabled: bool = False


class ChangeUser(RequestBody):
    roles: list[Name] = Field(max_length=100)
    disabled: bool = False


class CreateApiKey(RequestBody):
    user: str = Field(pattern=NAME)
    expires_at: Annotated[AwareDatetime, TIME] | None = Field(default=None, description="Without it the key never expires")


class ApiKeysQuery(PageQuery):
    user: str | None = Field(default=None, pattern=NAME, description="Only this user's")


# --- executions


class ExecutionsQuery(ReadPageQuery):
    """Filters of the list; `status` may be repeated."""

    workflow_id: str | None = Field(default=None, pattern=UUID)
    status: list[ExecutionStatus] = Field(default_factory=list, max_length=20)
    trigger: Literal["manual", "webhook", "cron", "incident"] | None = None
    from_: Annotated[AwareDatetime, TIME] | None = Field(
        default=None, alias="from", description="Started at this time or later"
    )
    to: Annotated[AwareDatetime, TIME] | None = Field(default=None, description="Started before this time")
    q: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Part of the workflow's name, or the beginning of an execution id",
    )


class LogQuery(ReadPageQuery):
    """The log of an execution comes in long pages."""

    limit: int = Field(default=500, ge=1, le=1000)


class OutputQuery(Query):
    stream: str = Field(default="stdout", pattern=r"^[a-z]{1,20}$", description="stdout, stderr or body")
    offset: int = Field(default=0, ge=0, le=MAX_POSITION, description="The first byte to send")
    limit: int = Field(default=1024 * 1024, ge=1, le=8 * 1024 * 1024, description="At most so many bytes")


class StreamQuery(Query):
    last_event_id: int | None = Field(
        default=None,
        ge=0,
        le=MAX_POSITION,
        description="As the header Last-Event-ID, which wins, for clients that cannot set it",
    )


class EventsQuery(Query):
    after: int = Field(default=0, ge=0, le=MAX_POSITION, description="Events with a greater position")


class EventPageQuery(EventsQuery):
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=500, description="`nextCursor` of the page before; wins over `after`")


class DiffQuery(Query):
    against: Version | None = Field(default=None, description="The version to compare with; the one before if not given")
