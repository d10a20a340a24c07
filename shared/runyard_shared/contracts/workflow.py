"""The workflow language: one pydantic model that validates a document and gives the API its schema.

What one document can say about itself is checked here and in the orchestrator's `workflow/validate.py`; the meaning of
each node is in its `execution/decide.py`.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

NodeId = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]
Seconds = Annotated[float, Field(ge=0, le=366 * 24 * 3600)]
Expression = Annotated[str, Field(min_length=1, max_length=4096)]

TRIGGER_NODE = "trigger"


class Model(BaseModel):
    """camelCase on the wire; unknown fields are errors."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True)


class ManualTrigger(Model):
    type: Literal["manual"]


class ScheduleTrigger(Model):
    """Starts an execution at each instant of `cron` (five fields) in an IANA time zone.

    `overlap`: what becomes of an instant at which the execution that the schedule started last has not ended. `catch_up`:
    what becomes of instants at which nobody was there to start one: no execution, one for the latest of them, or all.
    """

    type: Literal["schedule"]
    cron: str
    timezone: str = "UTC"
    overlap: Literal["allow", "skip", "cancelPrevious"] = "allow"
    catch_up: Literal["none", "latest", "all"] = "latest"


class WebhookTrigger(Model):
    """Lets whoever has a key for the webhook `id` of this workflow start it."""

    type: Literal["webhook"]
    id: str


class IncidentTrigger(Model):
    """Starts an execution for an event of an incident, if `condition` (CEL, over `incident`) is true or there is none."""

    type: Literal["incident"]
    events: list[
        Literal[
            "incident.created",
            "incident.acknowledged",
            "incident.resolved",
            "incident.escalated",
            "incident.reassigned",
        ]
    ] = Field(min_length=1)
    condition: Expression | None = None


AnyTrigger = Annotated[ManualTrigger | ScheduleTrigger | WebhookTrigger | IncidentTrigger, Field(discriminator="type")]


class Node(Model):
    id: NodeId
    name: str | None = None

    @property
    def title(self) -> str:
        return self.name or self.id


class FallibleNode(Node):
    """A node that has an `error` port. `critical: false`: without an edge there, a failure is only a warning."""

    critical: bool = True


class ActionNode(FallibleNode):
    """One job on an agent, retried as configured. `queue_timeout_seconds`: how long it waits for an agent; 0 without limit."""

    type: Literal["action"]
    action: str = Field(min_length=1)
    params: dict[str, JsonValue] = Field(default_factory=dict)
    connection: str | None = None
    pool: str = "default"
    agent: str | None = None
    tags: list[str] = Field(default_factory=list)
    timeout_seconds: Seconds = 0
    queue_timeout_seconds: Seconds = 0
    max_retries: int = Field(default=0, ge=0, le=100)
    retry_delay_seconds: Seconds = 0
    backoff: Literal["fixed", "exponential"] = "fixed"
    max_delay_seconds: Seconds = 3600
    jitter: float = Field(default=0, ge=0, le=1)


class ConditionNode(Node):
    """Evaluates `expression` to a boolean; ports `true` and `false`."""

    type: Literal["condition"]
    expression: Expression


class SwitchNode(Node):
    """Takes the port of the case that equals the value of `expression`, else `default`."""

    type: Literal["switch"]
    expression: Expression
    cases: list[str | int | bool] = Field(min_length=1)


class DelayNode(Node):
    """Waits `seconds`, or until the RFC 3339 instant that the CEL expression `until` gives."""

    type: Literal["delay"]
    seconds: Seconds | None = None
    until: Expression | None = None


class ParallelNode(Node):
    """Takes all its edges at once, whatever their ports are called."""

    type: Literal["parallel"]


class JoinNode(Node):
    """Goes on when all, any, or `count` of its incoming edges are taken."""

    type: Literal["join"]
    mode: Literal["all", "any", "count"] = "all"
    count: int | None = Field(default=None, ge=1)


class SetVariablesNode(Node):
    """Binds names for later nodes: `vars.<name>`."""

    type: Literal["setVariables"]
    values: dict[NodeId, JsonValue]


class ErrorHandlerNode(Node):
    """Reached by error edges; later nodes see `error`."""

    type: Literal["errorHandler"]


Approver = Annotated[str, Field(pattern=r"^(role:)?[^\s:]{1,200}$")]
"""A user's name, or `role:` and a role's."""


class ApprovalNode(Node):
    """Waits for people; ports `approved` and `rejected`. Without `approvers` anyone who may execute can answer.

    `timeout_seconds` 0 waits for ever. `channels` names where approvers are told; without it, all channels of the tenant.
    """

    type: Literal["approval"]
    message: str = Field(min_length=1, max_length=10_000)
    approvers: list[Approver] = Field(default_factory=list, max_length=100)
    min_approvals: int = Field(default=1, ge=1, le=100)
    prevent_self_approval: bool = False
    timeout_seconds: Seconds = 0
    remind_after_seconds: Seconds = 0
    escalate_after_seconds: Seconds = 0
    escalate_to: list[Approver] = Field(default_factory=list, max_length=100)
    channels: list[str] | None = Field(default=None, max_length=20)


ITEM_NODE = "item"
"""The implicit source of a forEach's body."""


class Body(Model):
    """Nodes and edges of a forEach; their source is called `item`."""

    nodes: list["AnyNode"] = Field(min_length=1, max_length=1000)
    edges: list["Edge"] = Field(max_length=5000)


class ForEachNode(FallibleNode):
    """Runs `body` for each element of `items` (a CEL expression that gives a list, or the list itself)."""

    type: Literal["forEach"]
    items: Expression | list[JsonValue]
    concurrency: int = Field(default=1, ge=1, le=1000)
    on_item_error: Literal["stop", "continue"] = "stop"
    body: Body


class SubworkflowNode(FallibleNode):
    """Runs the published version of another workflow (its name or id) as a child execution, and waits for it."""

    type: Literal["subworkflow"]
    workflow: str = Field(min_length=1, max_length=200)
    inputs: dict[str, JsonValue] = Field(default_factory=dict)


AnyNode = Annotated[
    ActionNode
    | ApprovalNode
    | ConditionNode
    | SwitchNode
    | DelayNode
    | ParallelNode
    | JoinNode
    | ForEachNode
    | SubworkflowNode
    | SetVariablesNode
    | ErrorHandlerNode,
    Field(discriminator="type"),
]


class Edge(Model):
    """`port` defaults to the first port of the node it leaves."""

    from_node: str = Field(alias="from")
    port: str | None = None
    to: str


class Workflow(Model):
    """One workflow document."""

    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    inputs: dict[str, Any] | None = Field(default=None, description="JSON Schema of the variables a run accepts")
    timeout_seconds: Seconds = 0
    triggers: list[AnyTrigger] = Field(default_factory=list)
    nodes: list[AnyNode] = Field(min_length=1, max_length=1000)
    edges: list[Edge] = Field(max_length=5000)


Body.model_rebuild()
