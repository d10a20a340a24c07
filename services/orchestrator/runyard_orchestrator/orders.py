"""What follows from a committed event for others: for the dispatcher at most one order for each event, in log order; for
approvals; for the executions that are its children, or its parent; and for those that a trigger record announces."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from runyard_shared.clock import rfc3339
from runyard_shared.contracts import approvals, events, jobs, reports
from runyard_shared.contracts.base import Contract
from runyard_shared.contracts.commands import CancelExecution, Request
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import AGENT_FAULTS, ErrorInfo, ExecutionStatus, Parent, Trigger
from runyard_shared.ids import derived_id
from runyard_shared.messaging.topology import DISPATCHER_INBOX, approvals_inbox, orchestrator_inbox

SCHEDULE = "schedule"
"""Who starts and cancels executions on a schedule."""


class _JobOf(Contract, frozen=True):
    """The one field that an order about an existing job needs."""

    job_id: str


class _Reason(Contract, frozen=True):
    reason: str


class _FailedJob(Contract, frozen=True):
    """What the health of its agent depends on."""

    job_id: str
    error: _Reason


class _End(Contract, frozen=True):
    """What a parent is told of the end of a child."""

    parent: Parent | None = None
    output: Any = None
    variables: dict[str, Any] = {}
    error: ErrorInfo | None = None


_decode_requested = msgspec.json.Decoder(events.ApprovalRequested).decode
_decode_approval_cancel = msgspec.json.Decoder(events.ApprovalCancelRequested).decode
_decode_iterations = msgspec.json.Decoder(events.IterationsScheduled).decode
_decode_subworkflow = msgspec.json.Decoder(events.SubworkflowScheduled).decode
_decode_children_cancel = msgspec.json.Decoder(events.ChildrenCancelRequested).decode
_decode_incident = msgspec.json.Decoder(events.IncidentReceived).decode
_decode_fired = msgspec.json.Decoder(events.ScheduleFired).decode
_decode_end = msgspec.json.Decoder(_End).decode
_decode_scheduled = msgspec.json.Decoder(events.JobScheduled).decode
_decode_requeued = msgspec.json.Decoder(events.JobRequeued).decode
_decode_cancel = msgspec.json.Decoder(events.JobCancelRequested).decode
_decode_failed = msgspec.json.Decoder(_FailedJob).decode
_decode_ended = msgspec.json.Decoder(_JobOf).decode


def orders_of(recorded: Recorded) -> Iterable[tuple[str, Any]]:
    """(queue, order) pairs for one event: the relay's route."""
    order = _ORDERS.get(recorded.topic)
    if order is not None:
        return ((DISPATCHER_INBOX, order(recorded)),)
    others = _OTHERS.get(recorded.topic)
    return others(recorded) if others is not None else ()


def _place(recorded: Recorded) -> jobs.PlaceJob:
    scheduled = _decode_scheduled(recorded.data)
    return jobs.PlaceJob(
        position=recorded.position,
        tenant_id=recorded.tenant_id,
        execution_id=recorded.stream_id,
        job_id=scheduled.job_id,
        node_id=scheduled.node_id,
        attempt=scheduled.attempt,
        action=scheduled.action,
        params=scheduled.params,
        pool=scheduled.pool,
        agent=scheduled.agent,
        tags=scheduled.tags,
        connection=scheduled.connection,
        timeout_seconds=scheduled.timeout_seconds,
        traceparent=scheduled.traceparent,
    )


def _requeue(recorded: Recorded) -> jobs.RequeueJob:
    requeued = _decode_requeued(recorded.data)
    return jobs.RequeueJob(position=recorded.position, job_id=requeued.job_id, dispatch=requeued.dispatch)


def _withdraw(recorded: Recorded) -> jobs.WithdrawJob:
    cancel = _decode_cancel(recorded.data)
    return jobs.WithdrawJob(position=recorded.position, job_id=cancel.job_id, force=cancel.force)


def _release(recorded: Recorded) -> jobs.ReleaseJob:
    return jobs.ReleaseJob(position=recorded.position, job_id=_decode_ended(recorded.data).job_id)


def _release_failed(recorded: Recorded) -> jobs.ReleaseJob:
    failed = _decode_failed(recorded.data)
    faulty = failed.error.reason in AGENT_FAULTS
    return jobs.ReleaseJob(position=recorded.position, job_id=failed.job_id, faulty=faulty)


def _ask(recorded: Recorded) -> Iterable[tuple[str, approvals.ApprovalOrder]]:
    event = _decode_requested(recorded.data)
    order = approvals.RequestApproval(
        tenant_id=recorded.tenant_id,
        approval_id=event.approval_id,
        execution_id=recorded.stream_id,
        root_execution_id=recorded.correlation_id or recorded.stream_id,
        node_id=event.node_id,
        workflow_name=event.workflow_name,
        started_by=event.started_by,
        message=event.message,
        requested_at=rfc3339(recorded.recorded_at),
        approvers=event.approvers,
        min_approvals=event.min_approvals,
        prevent_self_approval=event.prevent_self_approval,
        timeout_seconds=event.timeout_seconds,
        remind_after_seconds=event.remind_after_seconds,
        escalate_after_seconds=event.escalate_after_seconds,
        escalate_to=event.escalate_to,
        channels=event.channels,
        traceparent=event.traceparent,
    )
    yield approvals_inbox(order.approval_id), order


def _stop_asking(recorded: Recorded) -> Iterable[tuple[str, approvals.ApprovalOrder]]:
    event = _decode_approval_cancel(recorded.data)
    order = approvals.CancelApproval(tenant_id=recorded.tenant_id, approval_id=event.approval_id, reason=event.reason)
    yield approvals_inbox(order.approval_id), order


def _start_iterations(recorded: Recorded) -> Iterable[tuple[str, reports.StartIteration]]:
    event = _decode_iterations(recorded.data)
    for index, stream_id in enumerate(event.stream_ids, event.first):
        yield (
            orchestrator_inbox(stream_id),
            reports.StartIteration(
                tenant_id=recorded.tenant_id,
                execution_id=stream_id,
                parent_stream_id=recorded.stream_id,
                node_id=event.node_id,
                index=index,
            ),
        )


def _start_subworkflow(recorded: Recorded) -> Iterable[tuple[str, reports.StartSubworkflow]]:
    event = _decode_subworkflow(recorded.data)
    yield (
        orchestrator_inbox(event.execution_id),
        reports.StartSubworkflow(
            tenant_id=recorded.tenant_id,
            execution_id=event.execution_id,
            parent_stream_id=recorded.stream_id,
            parent_execution_id=recorded.correlation_id or recorded.stream_id,
            node_id=event.node_id,
            workflow=event.workflow,
            inputs=event.inputs,
            started_by=event.started_by,
            depth=event.depth,
        ),
    )


def _cancel_children(recorded: Recorded) -> Iterable[tuple[str, reports.CancelChild]]:
    event = _decode_children_cancel(recorded.data)
    for stream_id in event.stream_ids:
        cancel = reports.CancelChild(
            tenant_id=recorded.tenant_id, execution_id=stream_id, reason=event.reason, force=event.force
        )
        yield orchestrator_inbox(stream_id), cancel


def _start_for_incident(recorded: Recorded) -> Iterable[tuple[str, reports.StartTriggered]]:
    received = _decode_incident(recorded.data)
    incident_id = received.incident.get("id")
    trigger = Trigger(
        type="incident",
        event=received.event,
        incident_id=None if incident_id is None else str(incident_id),
        payload=received.incident,
    )
    for match in received.matches:
        if match.execution_id is not None:
            yield _start(recorded, match.execution_id, match.workflow_id, trigger, received.by)


def _start_on_schedule(recorded: Recorded) -> Iterable[tuple[str, reports.StartTriggered | Request]]:
    fired = _decode_fired(recorded.data)
    for execution_id in fired.cancels:
        cancel = CancelExecution(execution_id=execution_id, reason=f"its schedule came again at {fired.scheduled_at}")
        request_id = derived_id(recorded.recorded_at, recorded.stream_id, execution_id)
        yield (
            orchestrator_inbox(execution_id),
            Request(request_id=request_id, tenant_id=recorded.tenant_id, actor=SCHEDULE, command=cancel),
        )
    if fired.execution_id is not None:
        trigger = Trigger(type="cron", scheduled_at=fired.scheduled_at)
        yield _start(recorded, fired.execution_id, fired.workflow_id, trigger, SCHEDULE)


def _start(
    recorded: Recorded, execution_id: str, workflow_id: str, trigger: Trigger, by: str
) -> tuple[str, reports.StartTriggered]:
    start = reports.StartTriggered(
        tenant_id=recorded.tenant_id,
        execution_id=execution_id,
        record_id=recorded.stream_id,
        workflow_id=workflow_id,
        trigger=trigger,
        started_by=by,
    )
    return orchestrator_inbox(execution_id), start


def _tell_parent(status: ExecutionStatus) -> Callable[[Recorded], Iterable[tuple[str, reports.ChildEnded]]]:
    def tell(recorded: Recorded) -> Iterable[tuple[str, reports.ChildEnded]]:
        end = _decode_end(recorded.data)
        parent = end.parent
        if parent is None:
            return
        output = end.output
        if parent.index is None:
            output = {"executionId": recorded.stream_id, "status": status.value, "variables": end.variables}
        yield (
            orchestrator_inbox(parent.stream_id),
            reports.ChildEnded(
                tenant_id=recorded.tenant_id,
                execution_id=parent.stream_id,
                node_id=parent.node_id,
                child_id=recorded.stream_id,
                index=parent.index,
                status=status,
                output=output,
                error=end.error,
            ),
        )

    return tell


_OTHERS: dict[str, Callable[[Recorded], Iterable[tuple[str, Any]]]] = {
    events.ApprovalRequested.topic: _ask,
    events.ApprovalCancelRequested.topic: _stop_asking,
    events.IterationsScheduled.topic: _start_iterations,
    events.SubworkflowScheduled.topic: _start_subworkflow,
    events.ChildrenCancelRequested.topic: _cancel_children,
    events.IncidentReceived.topic: _start_for_incident,
    events.ScheduleFired.topic: _start_on_schedule,
    events.ExecutionCompleted.topic: _tell_parent(ExecutionStatus.COMPLETED),
    events.ExecutionFailed.topic: _tell_parent(ExecutionStatus.FAILED),
    events.ExecutionCancelled.topic: _tell_parent(ExecutionStatus.CANCELLED),
    events.IterationCompleted.topic: _tell_parent(ExecutionStatus.COMPLETED),
    events.IterationFailed.topic: _tell_parent(ExecutionStatus.FAILED),
    events.IterationCancelled.topic: _tell_parent(ExecutionStatus.CANCELLED),
}
_ORDERS: dict[str, Callable[[Recorded], jobs.PlacementOrder]] = {
    events.JobScheduled.topic: _place,
    events.JobRequeued.topic: _requeue,
    events.JobCancelRequested.topic: _withdraw,
    events.JobCompleted.topic: _release,
    events.JobFailed.topic: _release_failed,
    events.JobTimedOut.topic: _release,
    events.JobCancelled.topic: _release,
}
