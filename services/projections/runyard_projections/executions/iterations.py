"""The events of forEach nodes and their iterations.

event                         forEach              iteration                    node
----------------------------  -------------------  ---------------------------  --------
foreach.entered               new, with its total                               running
foreach.iterations_scheduled  scheduled + n
foreach.iteration_ended       one of its counters
iteration.started                                  new, running
iteration.completed …                              its final status
"""

from typing import Final

from runyard_shared.contracts import events
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ExecutionStatus, NodeStatus

from runyard_projections.executions.changes import Changes, ExecutionChange, Fold, IterationChange, NewIteration
from runyard_projections.executions.nodes import enter
from runyard_projections.text import json_text, storable


def _entered(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.ForEachEntered) -> None:
    enter(changes, execution, row, event.node_id, NodeStatus.RUNNING)
    changes.foreach(execution.execution_id, row.stream_id, storable(event.node_id)).total = len(event.items)


def _scheduled(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.IterationsScheduled) -> None:
    foreach = changes.foreach(execution.execution_id, row.stream_id, storable(event.node_id))
    foreach.scheduled += len(event.stream_ids)


def _ended(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.IterationEnded) -> None:
    foreach = changes.foreach(execution.execution_id, row.stream_id, storable(event.node_id))
    match event.status:
        case ExecutionStatus.COMPLETED:
            foreach.completed += 1
        case ExecutionStatus.CANCELLED:
            foreach.cancelled += 1
        case _:
            foreach.failed += 1


def _started(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.IterationStarted) -> None:
    changes.iteration(execution.execution_id, row.stream_id).new = NewIteration(
        event.parent.stream_id,
        storable(event.parent.node_id),
        event.parent.index or 0,
        storable(event.path),
        json_text(event.item),
        row.recorded_at,
    )


def _completed(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.IterationCompleted) -> None:
    iteration = _end(changes, execution, row, ExecutionStatus.COMPLETED)
    iteration.output = None if event.output is None else json_text(event.output)


def _failed(changes: Changes, execution: ExecutionChange, row: Recorded, event: events.IterationFailed) -> None:
    _end(changes, execution, row, ExecutionStatus.FAILED).error = json_text(event.error)


def _cancelled(changes: Changes, execution: ExecutionChange, row: Recorded, _event: events.IterationCancelled) -> None:
    _end(changes, execution, row, ExecutionStatus.CANCELLED)


def _end(changes: Changes, execution: ExecutionChange, row: Recorded, status: ExecutionStatus) -> IterationChange:
    iteration = changes.iteration(execution.execution_id, row.stream_id)
    iteration.status = status
    iteration.finished_at = row.recorded_at
    return iteration


APPLY: Final[dict[str, Fold]] = {
    events.ForEachEntered.topic: _entered,
    events.IterationsScheduled.topic: _scheduled,
    events.IterationEnded.topic: _ended,
    events.IterationStarted.topic: _started,
    events.IterationCompleted.topic: _completed,
    events.IterationFailed.topic: _failed,
    events.IterationCancelled.topic: _cancelled,
}
