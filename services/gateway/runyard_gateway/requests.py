"""What clients may send: one pydantic model for each body and each set of query parameters, for checking and for OpenAPI."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel
from runyard_shared.contracts import values
from runyard_shared.contracts.values import ApprovalStatus, ExecutionStatus, JobStatus
from runyard_shared.contracts.workflow import NodeId

from runyard_gateway.http.query import MAX_POSITION, Instant, PageQuery, Query, ReadPageQuery, ReadQuery
from runyard_gateway.time_range import Interval

UUID = r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
ITEM_PATH = r"^[A-Za-z0-9_]{1,64}\[[0-9]{1,9}\](\.[A-Za-z0-9_]{1,64}\[[0-9]{1,9}\])*$"
NAME = r"^[^\s:/\x00-\x1f\x7f]{1,200}$"
"""Of a user or a role, so that a workflow can name it as an approver and a path can hold it."""
Name = Annotated[str, Field(pattern=NAME)]
PRINTABLE = r"^[^\x00-\x1f\x7f]*$"
Text = Annotated[str, Field(min_length=1, max_length=200, pattern=PRINTABLE)]
Subject = Annotated[str, Field(min_length=1, max_length=255, pattern=PRINTABLE)]
TENANT_ID = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
"""It is part of names in the broker, where a dot divides."""
OWN_PATH = r"^/([^/\\\x00-\x20\x7f][^\\\x00-\x20\x7f]*)?$"
"""Of this site: `//host` and `/\\host` would lead to another one."""
TenantPermission = Literal["automation:view", "automation:execute", "automation:manage", "automation:admin"]
MAX_BULK = 1000
MAX_NOTE = 10_000
TriggerType = Literal["manual", "webhook", "cron", "incident"]
Version = Annotated[int, Field(ge=1, lt=2**31)]
ShortName = Annotated[str, Field(pattern=values.NAME)]
"""Of an agent, a pool, a tag or a connection."""


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


class RerunExecution(RequestBody):
    """With `fromNode` the version that ran, reusing what is not downstream of that node; else the version published now.

    `variables` replace inputs of the same name.
    """

    from_node: NodeId | None = None
    variables: dict[str, Any] = Field(default_factory=dict)


class ExecutionFilter(RequestBody):
    """As the filters of the list."""

    workflow_id: str | None = Field(default=None, pattern=UUID)
    status: list[ExecutionStatus] = Field(default_factory=list, max_length=20)
    trigger: TriggerType | None = None
    from_: Instant | None = Field(default=None, alias="from", description="Started at this time or later")
    to: Instant | None = Field(default=None, description="Started before this time")
    q: str | None = Field(default=None, min_length=1, max_length=200, description="As in the list")


class BulkRequest(RequestBody):
    """What to choose: newest first, at most `limit`. Without any filter only with `all: true`."""

    filter_: ExecutionFilter = Field(default_factory=ExecutionFilter, alias="filter")
    all_: bool = Field(default=False, alias="all")
    limit: int = Field(default=MAX_BULK, ge=1, le=MAX_BULK)


class BulkCancel(BulkRequest):
    """Of what the filter finds, whatever is active."""

    reason: str = Field(default="", max_length=2000)
    force: bool = False


class BulkRerun(BulkRequest):
    """Of what the filter finds, whatever has finished. `variables` replace inputs of the same name, in all of them."""

    variables: dict[str, Any] = Field(default_factory=dict)


# --- approvals


class AnswerApproval(RequestBody):
    note: str = Field(default="", max_length=MAX_NOTE)
    via: Literal["web", "mobile", "api"] | None = Field(
        default=None, description="Where the answer is given; the header Runyard-Via says it too, else it is api"
    )


class AnswerLink(RequestBody):
    """The form on the page of a signed link."""

    decision: Literal["approved", "rejected"]
    note: str = Field(default="", max_length=MAX_NOTE)


class ReplaceChannel(RequestBody):
    """`url` is a secret: it is stored encrypted, and no answer shows it. Without it the channel keeps the one it has."""

    name: str = Field(pattern=NAME)
    url: str | None = Field(default=None, min_length=1, max_length=4000, repr=False)
    enabled: bool = True


class CreateChannel(ReplaceChannel):
    """`url` is a secret: it is stored encrypted, and no answer shows it."""

    url: str = Field(min_length=1, max_length=4000, repr=False)


class ApprovalsQuery(ReadPageQuery):
    """`status` may be repeated."""

    status: list[ApprovalStatus] = Field(default_factory=list, max_length=10)
    execution_id: str | None = Field(default=None, pattern=UUID, description="Only this execution's")
    mine: bool = Field(default=False, description="Only what waits for me: pending, mine to answer, and not answered by me yet")


# --- triggers

IncidentText = Annotated[str, Field(max_length=200)]
"""A field of an incident that conditions compare."""


class Incident(RequestBody):
    """What is not given is an empty text for the conditions, and an empty list of tags."""

    id: str = Field(min_length=1, max_length=200)
    title: str = Field(default="", max_length=2000)
    severity: IncidentText = ""
    status: IncidentText = ""
    service: IncidentText = ""
    source: IncidentText = ""
    host: IncidentText = ""
    team: IncidentText = ""
    tags: list[IncidentText] = Field(default_factory=list, max_length=100)


class ReceiveIncident(RequestBody):
    """Without an Idempotency-Key, the same event of the same incident within 5 minutes gives the first answer again."""

    event: Literal[
        "incident.created", "incident.acknowledged", "incident.resolved", "incident.escalated", "incident.reassigned"
    ]
    incident: Incident


class PreviewSchedule(RequestBody):
    cron: str = Field(min_length=1, max_length=200, description="Five fields: minute, hour, day of month, month, day of week")
    timezone: str = Field(default="UTC", min_length=1, max_length=100, description="An IANA name such as Europe/Berlin")
    count: int = Field(default=10, ge=1, le=50)
    after: Instant | None = Field(default=None, description="Now if not given")


class SchedulesQuery(ReadPageQuery):
    workflow_id: str | None = Field(default=None, pattern=UUID)


class TriggerRecordsQuery(ReadPageQuery):
    workflow_id: str | None = Field(default=None, pattern=UUID)
    type: Literal["cron", "incident"] | None = None
    outcome: Literal["started", "skipped", "refused"] | None = None
    from_: Instant | None = Field(default=None, alias="from", description="Received at this time or later")
    to: Instant | None = Field(default=None, description="Received before this time")


# --- webhooks


class CreateWebhook(RequestBody):
    """`webhookId`: of the trigger in the document. `preset`: who sends, and so which variables the payload becomes; github
    signs (`auth: hmac`), alertmanager shows the secret (`auth: bearer`), generic can do both."""

    webhook_id: str = Field(min_length=1, max_length=200)
    auth: Literal["bearer", "hmac"] = "bearer"
    preset: Literal["generic", "github", "alertmanager"] = "generic"
    description: str = Field(default="", max_length=2000)
    max_age_seconds: int | None = Field(
        default=None, ge=1, le=86400, description="Refuse what was signed longer ago: X-Runyard-Timestamp is needed then"
    )


class RotateWebhook(RequestBody):
    old_secret_seconds: int = Field(default=0, ge=0, le=7 * 86400, description="How long the old secret is taken too")


# --- workflows


class RollBack(RequestBody):
    version: Version


class ExportQuery(ReadQuery):
    """In the format of its source, the text is the one that was given, to the letter."""

    format: Literal["yaml", "json"] | None = Field(default=None, description="That of the source if not given")
    version: Version | None = Field(default=None, description="A published version; the draft if not given")


class ExportAllQuery(ReadQuery):
    format: Literal["yaml", "json"] | None = Field(default=None, description="For each that of its source if not given")
    published: bool = Field(default=False, description="The versions that run, of those that have one; else the drafts")


class ImportQuery(Query):
    publish: bool = Field(default=False, description="Publish each document; one with problems is not imported at all")
    activate: bool = Field(default=False, description="Let each run")
    dry_run: bool = Field(default=False, description="Only say what would become of each; nothing is changed")


class WorkflowsQuery(ReadPageQuery):
    """Filters of the list."""

    archived: bool = Field(default=False, description="Those that are archived, instead of those that are not")
    active: bool | None = Field(default=None, description="Only those that may run, or may not")
    q: str | None = Field(default=None, min_length=1, max_length=200, description="Part of the name, in any case")
    connection: Name | None = Field(
        default=None, description="Only those whose version that runs uses the connection so called"
    )


# --- users, roles, tenants, sessions, audit


class CreateUser(RequestBody):
    """`roles`: viewer, operator, manager and admin give permissions, and so do the tenant's own (`GET /roles`); any other name
    is a label for approvers. `oidcSubject`: the claim `sub` of whoever signs in as this user."""

    name: str = Field(pattern=NAME)
    roles: list[Name] = Field(default_factory=list, max_length=100)
    disabled: bool = False
    email: Text | None = None
    display_name: Text | None = None
    oidc_subject: Subject | None = None


class ReplaceUser(RequestBody):
    roles: list[Name] = Field(max_length=100)
    disabled: bool = False


class ChangeUser(RequestBody):
    """What is not given stays; null removes it."""

    roles: list[Name] = Field(default_factory=list, max_length=100)
    disabled: bool = False
    email: Text | None = None
    display_name: Text | None = None
    oidc_subject: Subject | None = None


class CreateApiKey(RequestBody):
    """`scopes`: the key can do no more than these, whatever its user may do; without it, all that the user may."""

    user: str = Field(pattern=NAME)
    name: str = Field(default="", max_length=200, pattern=PRINTABLE, description="To tell keys apart")
    scopes: list[TenantPermission] | None = Field(default=None, min_length=1, max_length=10)
    expires_at: Instant | None = Field(default=None, description="Without it the key never expires")


class ApiKeysQuery(PageQuery):
    user: str | None = Field(default=None, pattern=NAME, description="Only this user's")


class PutRole(RequestBody):
    permissions: list[TenantPermission] = Field(max_length=10)


class CreateTenant(RequestBody):
    """`user`: the name of its first administrator."""

    tenant_id: str = Field(pattern=TENANT_ID, description="Lower-case letters, digits and hyphens; cannot be changed")
    name: Text
    time_zone: str = Field(default="UTC", max_length=100, description="IANA name, such as Europe/Berlin")
    user: str = Field(default="owner", pattern=NAME)


class ChangeTenant(RequestBody):
    """What is not given stays."""

    name: Text | None = None
    time_zone: str | None = Field(default=None, max_length=100)
    disabled: bool | None = None


class SignIn(RequestBody):
    key: str = Field(min_length=1, max_length=500, repr=False, json_schema_extra={"writeOnly": True})


class SignInQuery(Query):
    return_to: str = Field(default="/", max_length=2000, pattern=OWN_PATH, description="The path of this site to show after it")


class SignInAnswerQuery(Query):
    """What the identity provider sends the browser back with."""

    model_config = ConfigDict(extra="ignore")

    state: str = Field(default="", max_length=500)
    code: str = Field(default="", max_length=10_000, repr=False)
    error: str = Field(default="", max_length=500)
    error_description: str = Field(default="", max_length=2000, alias="error_description")
    iss: str | None = Field(default=None, max_length=2000)


class AuditQuery(PageQuery):
    actor: str | None = Field(default=None, max_length=300, pattern=PRINTABLE)
    operation: str | None = Field(default=None, pattern=r"^[A-Za-z]{1,100}$", description="`operationId` in /openapi.json")
    outcome: Literal["done", "refused", "failed", "unknown"] | None = None
    from_: Instant | None = Field(default=None, alias="from", description="At this time or later")
    to: Instant | None = Field(default=None, description="Before this time")


class ParkedMessagesQuery(PageQuery):
    """`status` waiting: nobody has done anything with it yet."""

    status: Literal["waiting", "retried", "dropped"] = "waiting"
    queue: str | None = Field(default=None, min_length=1, max_length=200, pattern=PRINTABLE)
    q: str | None = Field(
        default=None, min_length=1, max_length=200, pattern=PRINTABLE, description="Part of the reason or the kind"
    )


# --- agents, pools, connections


class CreateAgent(RequestBody):
    name: ShortName
    pool: ShortName = "default"
    tags: list[ShortName] = Field(default_factory=list, max_length=100)


class ChangeAgent(RequestBody):
    """What is not given stays."""

    pool: ShortName | None = None
    tags: list[ShortName] | None = Field(default=None, max_length=100)


class AgentsQuery(PageQuery):
    """`status` may be repeated."""

    pool: ShortName | None = None
    status: list[Literal["new", "online", "offline", "draining", "revoked"]] = Field(default_factory=list, max_length=10)


class CreatePool(RequestBody):
    name: ShortName
    description: str = Field(default="", max_length=2000)


class PausePool(RequestBody):
    reason: str = Field(default="", max_length=2000, description="Shown wherever a job waits for the pool")


class ReplaceConnection(RequestBody):
    """`config` and `secrets` as the kind has them (`GET /connection-types`). A secret is stored encrypted and never shown
    again: one that is absent stays, and null removes it. `pools`: which may use it; empty for all."""

    name: ShortName
    kind: str | None = Field(default=None, max_length=100, description="Cannot be changed")
    config: dict[str, Any] = Field(default_factory=dict)
    secrets: dict[str, str | None] = Field(
        default_factory=dict, max_length=100, repr=False, json_schema_extra={"writeOnly": True}
    )
    pools: list[ShortName] = Field(default_factory=list, max_length=100)
    description: str = Field(default="", max_length=2000)


class CreateConnection(ReplaceConnection):
    """`config` and `secrets` as the kind has them (`GET /connection-types`). A secret is stored encrypted and never shown
    again. `pools`: which may use it; empty for all."""

    kind: str = Field(max_length=100, description="One of GET /connection-types")


class TestConnection(RequestBody):
    agent: ShortName | None = Field(default=None, description="The agent that tries it; else the healthiest that may use it")


class ConnectionsQuery(PageQuery):
    kind: str | None = Field(default=None, min_length=1, max_length=100)


# --- for agents


class EnrolAgent(RequestBody):
    """`publicKey`: of the X25519 pair that this process of the agent keeps, in base64."""

    public_key: str = Field(max_length=100)
    version: str = Field(max_length=100)
    transport: Literal["auto", "amqp", "https", "local"] = "auto"


class AgentOrdersQuery(Query):
    instance: str = Field(
        pattern=r"^[A-Za-z0-9_.-]{1,100}$",
        description="The process of the agent; the same one again takes over from itself",
    )


# --- executions


class ExecutionFilters(Query):
    """What a list of executions can be filtered by; `status` may be repeated."""

    workflow_id: str | None = Field(default=None, pattern=UUID)
    status: list[ExecutionStatus] = Field(default_factory=list, max_length=20)
    trigger: TriggerType | None = None
    from_: Instant | None = Field(default=None, alias="from", description="Started at this time or later")
    to: Instant | None = Field(default=None, description="Started before this time")
    q: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Part of the workflow's name, or the beginning of an execution id, from its first eight digits on",
    )


class ExecutionsQuery(ReadPageQuery, ExecutionFilters):
    """A page of the list."""


class ExecutionCountsQuery(ReadQuery, ExecutionFilters):
    """`status` is left aside: every status is counted."""


class JobsQuery(ReadPageQuery):
    """`status` may be repeated."""

    status: list[JobStatus] = Field(default_factory=list, max_length=20)
    node_id: str | None = Field(default=None, min_length=1, max_length=200)
    item: str | None = Field(
        default=None, pattern=ITEM_PATH, max_length=1000, description="Of this iteration only, such as each[3]"
    )


class GraphQuery(ReadQuery):
    item: str | None = Field(
        default=None,
        pattern=ITEM_PATH,
        max_length=1000,
        description="An iteration, such as each[3]: its nodes have their states in the forEach's `body`",
    )


class LogQuery(ReadPageQuery):
    """The log of an execution comes in long pages. `after` and `before` are positions of lines; the page has none of these."""

    limit: int = Field(default=500, ge=1, le=1000)
    order: Literal["asc", "desc"] = Field(default="asc", description="desc: the last lines first")
    after: int = Field(default=0, ge=0, le=MAX_POSITION)
    before: int = Field(default=MAX_POSITION, ge=0, le=MAX_POSITION)


class OutputQuery(Query):
    """Without `offset`, `limit` and a range: the first MiB, or with `download` all of it."""

    stream: str = Field(default="stdout", pattern=r"^[a-z]{1,20}$", description="stdout, stderr or body")
    offset: int = Field(default=0, ge=0, le=2**62, description="The first byte to send")
    limit: int = Field(default=1024 * 1024, ge=1, le=8 * 1024 * 1024, description="At most so many bytes")
    download: bool = Field(default=False, description="As a file; without offset and limit all of it, as far as it has come")


class StreamQuery(Query):
    last_event_id: int | None = Field(
        default=None,
        ge=0,
        le=MAX_POSITION,
        description="As the header Last-Event-ID, which wins, for clients that cannot set it",
    )


class ExecutionsStreamQuery(StreamQuery, ExecutionFilters):
    """The newest of what the list has with these filters."""

    limit: int = Field(default=50, ge=1, le=200, description="So many rows")


class ApprovalsStreamQuery(StreamQuery):
    """The oldest of what the list has with these filters; `status` may be repeated."""

    status: list[ApprovalStatus] = Field(default_factory=list, max_length=10)
    mine: bool = Field(default=False, description="Only what waits for me: pending, mine to answer, and not answered by me yet")
    limit: int = Field(default=50, ge=1, le=200, description="So many rows")


class EventsQuery(Query):
    """Which events of the tenant; `type` may be repeated."""

    log: Literal["orchestrator", "dispatcher"] = Field(
        default="orchestrator", description="Of workflows, triggers and executions, or of agents, pools and connections"
    )
    after: int = Field(default=0, ge=0, le=MAX_POSITION, description="Events with a greater position")
    from_: Instant | None = Field(default=None, alias="from", description="Events recorded at this time or later")
    type_: list[Annotated[str, Field(pattern=r"^[a-z_]+(\.[a-z_]*)?$", max_length=100)]] = Field(
        default_factory=list,
        alias="type",
        max_length=50,
        description="Events whose topic begins so: job.completed, job. or job",
    )
    subject: str | None = Field(
        default=None,
        pattern=UUID,
        description="Only what happened to this execution (with its iterations), workflow, trigger record, agent, pool or"
        " connection",
    )

    @field_validator("subject")
    @classmethod
    def _as_it_is_written(cls, subject: str | None) -> str | None:
        return None if subject is None else subject.lower()


class EventPageQuery(EventsQuery):
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=500, description="`nextCursor` of the page before; wins over `after`")


class DiffQuery(Query):
    against: Version | None = Field(default=None, description="The version to compare with; the one before if not given")


# --- analytics


class AnalyticsRange(ReadQuery):
    """Of the executions that started in a range of time."""

    from_: Instant | None = Field(
        default=None,
        alias="from",
        description="Executions that started at this time or later; if not given, 30 days before `to`",
    )
    to: Instant | None = Field(default=None, description="Executions that started before this time; if not given, until now")
    timezone: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description="Whose days are meant: an IANA name such as Europe/Berlin; the tenant's own if not given",
    )


class AnalyticsQuery(AnalyticsRange):
    """`trigger` may be repeated."""

    workflow_id: str | None = Field(default=None, pattern=UUID, description="Only this workflow's")
    trigger: list[TriggerType] = Field(default_factory=list, max_length=10, description="Only what these started")


class TrendsQuery(AnalyticsQuery):
    interval: Interval | None = Field(
        default=None, description="If not given: hour for up to 2 days, week for more than 120, else day. Weeks begin on Monday"
    )


class RankingQuery(AnalyticsRange):
    limit: int = Field(default=10, ge=1, le=200, description="At most so many, those with the most first")


class WorkflowRankingQuery(RankingQuery):
    """`trigger` may be repeated."""

    trigger: list[TriggerType] = Field(default_factory=list, max_length=10, description="Only what these started")


class AgentRankingQuery(RankingQuery):
    workflow_id: str | None = Field(default=None, pattern=UUID, description="Only jobs of this workflow's executions")


class EndedJobsQuery(AnalyticsRange, PageQuery):
    """`status` may be repeated; those that have ended are listed in any case."""

    agent: str = Field(max_length=200, description="Its name; empty for jobs that ended without having reached one")
    workflow_id: str | None = Field(default=None, pattern=UUID, description="Only jobs of this workflow's executions")
    status: list[JobStatus] = Field(default_factory=list, max_length=20)


# --- read models and retention


class ReadModels(RequestBody):
    """Which ones; all if none is named."""

    names: list[str] = Field(default_factory=list, max_length=100)


class SetRetention(RequestBody):
    """All of it at once: what is left out is as if it had never been set. `historyMonths`, `auditMonths`: null for ever.
    `outputDays`: 0 for ever, null as the installation does."""

    history_months: int | None = Field(ge=1, le=1200)
    output_days: int | None = Field(default=None, ge=0, le=36500)
    audit_months: int | None = Field(default=None, ge=1, le=1200)
