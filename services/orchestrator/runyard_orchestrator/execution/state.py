"""What an execution knows of itself: plain data, made by `evolve` alone, small enough to be kept as a snapshot."""

from datetime import datetime
from typing import Any

import msgspec
from runyard_shared.contracts.values import FINISHED_EXECUTIONS, ErrorInfo, ExecutionStatus, JobStatus, NodeStatus, Trigger

SCHEMA = "1"
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


class JobState(msgspec.Struct, frozen=True, gc=False):
    """A job. `lease`: the newest dispatch known; leases up to `voided` were given up."""

    node_id: str
    attempt: int
    action: str
    status: JobStatus
    lease: int = 0
    voided: int = 0
    cancel_requested: bool = False
    ended_by_report: bool = False
    ignored: tuple[tuple[str, int], ...] = ()
    """Late reports already written down, so that their redelivery is not written again."""


class ExecutionState(msgspec.Struct, gc=False):
    """Changed only by `evolve`, on a copy of one's own."""

    execution_id: str
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
    vars: dict[str, Any] = {}
    handled_error: ErrorInfo | None = None
    """The error whose edge was followed last: `error` in templates."""
    timers: set[str] = set()

    def copy(self) -> "ExecutionState":
        """A copy that can evolve without touching this one (values inside are never changed in place)."""
        return msgspec.structs.replace(
            self,
            edges=self.edges.copy(),
            nodes=self.nodes.copy(),
            jobs=self.jobs.copy(),
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
