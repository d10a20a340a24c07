"""Whether an execution is paused, and for how long it was (R8, R9): while approvals are open and nothing else is outstanding.

Outstanding is what goes on by itself: a job that has not ended, a node that waits for a delay, a retry or a subworkflow, in
the execution or in any of its iterations. A forEach counts as what its iterations do. Every step is replayed at its own time,
so the pauses are those of the log, however it is cut into batches.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Final, TypeAlias

from runyard_shared.contracts.values import ExecutionStatus

NodeKey: TypeAlias = tuple[str, str]
"""Stream and node."""

_MILLISECOND: Final = timedelta(milliseconds=1)


class Move(IntEnum):
    """`JOB_BEGAN` with a node also ends its wait for a retry; `NODE_LEFT` ends whatever the node waited for."""

    JOB_BEGAN = 1
    JOB_ENDED = 2
    WAIT_BEGAN = 3
    NODE_LEFT = 4
    APPROVAL_ASKED = 5
    APPROVAL_DECIDED = 6
    ENDED = 7


Step: TypeAlias = tuple[Move, datetime, NodeKey | None]
"""What happened, when, and to which node, where that matters."""


@dataclass(slots=True)
class Pauses:
    """An active execution before the next step. `waits`: its nodes that wait for something other than people."""

    live_jobs: int = 0
    open_approvals: int = 0
    waits: set[NodeKey] = field(default_factory=set)
    paused_ms: int = 0
    paused_since: datetime | None = None

    @property
    def status(self) -> ExecutionStatus:
        return ExecutionStatus.RUNNING if self.paused_since is None else ExecutionStatus.PAUSED

    def follow(self, steps: Iterable[Step]) -> None:
        """Up to the execution's end, if that is among them."""
        for move, at, node in steps:
            match move:
                case Move.JOB_BEGAN:
                    self.live_jobs += 1
                    self._no_longer_waits(node)
                case Move.JOB_ENDED:
                    self.live_jobs -= 1
                case Move.WAIT_BEGAN if node is not None:
                    self.waits.add(node)
                case Move.NODE_LEFT:
                    self._no_longer_waits(node)
                case Move.APPROVAL_ASKED:
                    self.open_approvals += 1
                case Move.APPROVAL_DECIDED:
                    self.open_approvals -= 1
                case Move.ENDED:
                    self._go_on(at)
                    return
            if self.open_approvals and not self.live_jobs and not self.waits:
                self.paused_since = self.paused_since or at
            else:
                self._go_on(at)

    def _no_longer_waits(self, node: NodeKey | None) -> None:
        if node is not None:
            self.waits.discard(node)

    def _go_on(self, at: datetime) -> None:
        if self.paused_since is not None:
            self.paused_ms += max(0, (at - self.paused_since) // _MILLISECOND)  # of two processes: their clocks may differ
            self.paused_since = None
