"""What an execution knows of itself: plain data, made by `evolve` alone, small enough to be kept as a snapshot.

An iteration of a forEach is an execution of the forEach's body: the same state, in a stream of its own.
"""

from datetime import datetime
from typing import Any

import msgspec
from runyard_shared.contracts.values import (
    FINISHED_EXECUTIONS,
    ApprovalStatus,
    ErrorInfo,
    ExecutionStatus,
    JobStatus,
    NodeStatus,
    Parent,
    Trigger,
)

SCHEMA = "3"
"""Changes when the shape below does; older snapshots are then ignored."""

UNSETTLED, TAKEN, SKIPPED = 0, 1, 2


class NodeState(msgspec.Struct, frozen=True, gc=False):
    """A node that was entered or skipped."""

    status: NodeStatus
    attempt: int = 0
    job_id: str | None = None
    """The live job, if there is one."""
    output: Any = None
    error: ErrorInfo | None = None
    port: str | None = None
    """By which it was left."""


class JobState(msgspec.Struct, frozen=True, gc=False):
    """A job. `lease`: the newest dispatch known, held by `agent`; leases up to `voided` were given up."""

    node_id: str
    attempt: int
    action: str
    status: JobStatus
    lease: int = 0
    voided: int = 0
    agent: str | None = None
    cancel_requested: bool = False
    queue_timeout_seconds: float = 0
    """Set when it is being withdrawn because it waited longer than that for an agent."""
    ended_by_report: bool = False
    ignored: tuple[tuple[str, int, str | None], ...] = ()
    """Late and foreign reports already written down, so that their redelivery is not written again."""


class LoopState(msgspec.Struct, frozen=True, gc=False):
    """A forEach node that was entered. `live`: the streams of iterations under way, by index; `next`: the first not begun."""

    items: list[Any]
    scope: dict[str, Any]
    results: list[Any]
    live: dict[int, str] = {}
    next: int = 0
    error: ErrorInfo | None = None
    """Of the first iteration that failed."""


class ApprovalState(msgspec.Struct, frozen=True, gc=False):
    """An approval that was asked for, and which of its reports were written down."""

    node_id: str
    min_approvals: int
    status: ApprovalStatus = ApprovalStatus.PENDING
    votes: int = 0
    reminded: bool = False
    escalated: bool = False
    notified: tuple[tuple[str, str], ...] = ()


class Iteration(msgspec.Struct, frozen=True, gc=False):
    """Of an iteration's state: which it is, and what it sees of its surroundings."""

    path: str
    body: str
    index: int
    item: Any
    scope: dict[str, Any]


class ExecutionState(msgspec.Struct, gc=False):
    """Changed only by `evolve`, on a copy of one's own. `root_id`: the execution that users see, itself mostly."""

    execution_id: str
    root_id: str
    tenant_id: str
    workflow_id: str
    workflow_name: str
    workflow_version: int
    started_at: datetime
    started_by: str
    trigger: Trigger
    inputs: dict[str, Any]
    edges: list[int]
    version: int = 0
    status: ExecutionStatus = ExecutionStatus.RUNNING
    failing: ErrorInfo | None = None
    nodes: dict[str, NodeState] = {}
    jobs: dict[str, JobState] = {}
    loops: dict[str, LoopState] = {}
    approvals: dict[str, ApprovalState] = {}
    subworkflows: dict[str, str] = {}
    """The live child execution, by node."""
    vars: dict[str, Any] = {}
    handled_error: ErrorInfo | None = None
    """The error whose edge was followed last: `error` in templates."""
    timers: dict[str, datetime] = {}
    """When each timer that is set falls due."""
    parent: Parent | None = None
    depth: int = 0
    iteration: Iteration | None = None
    traceparent: str | None = None
    """The W3C trace context of its own span, where it is traced."""

    def copy(self) -> "ExecutionState":
        """A copy that can evolve without touching this one (values inside are never changed in place)."""
        return msgspec.structs.replace(
            self,
            edges=self.edges.copy(),
            nodes=self.nodes.copy(),
            jobs=self.jobs.copy(),
            loops=self.loops.copy(),
            approvals=self.approvals.copy(),
            subworkflows=self.subworkflows.copy(),
            vars=self.vars.copy(),
            timers=self.timers.copy(),
        )

    @property
    def is_finished(self) -> bool:
        return self.status in FINISHED_EXECUTIONS

    @property
    def may_schedule(self) -> bool:
        """Whether new nodes may be entered and jobs retried."""
        return self.failing is None and not self.is_finished


def encode_state(state: ExecutionState) -> bytes:
    return msgspec.msgpack.encode(state)


decode_state = msgspec.msgpack.Decoder(ExecutionState).decode
