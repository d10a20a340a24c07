"""Which workflows an event of an incident starts, and why not the others. Pure.

One event starts at most one execution of a workflow, by the first of its triggers that matches; the others say so. A condition
that is false, gives no truth value or cannot be evaluated is a reason, never an error: a field that the incident does not have
must not keep other workflows from starting.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from runyard_shared.contracts.events import IncidentReceived, TriggerMatch
from runyard_shared.contracts.workflow import IncidentTrigger
from runyard_shared.ids import derived_id

from runyard_orchestrator.triggers.declared import triggers_of
from runyard_orchestrator.workflow.definition import WorkflowState
from runyard_orchestrator.workflow.expressions import ExpressionError, compile_expression

SAME_FOR: Final = timedelta(minutes=5)
"""How long the same event of the same incident, without an idempotency key, is a repetition."""


def matches(
    event: str, incident: dict[str, Any], workflows: Iterable[WorkflowState], receipt_id: str, at: datetime
) -> list[TriggerMatch]:
    """One for each incident trigger that names the event, of the versions that run, in the order of the workflows' names."""
    found: list[TriggerMatch] = []
    for workflow in sorted(workflows, key=lambda workflow: workflow.name):
        first: int | None = None
        for place, trigger in triggers_of(workflow).items():
            if not isinstance(trigger, IncidentTrigger) or event not in trigger.events:
                continue
            reason, reads = _judge(trigger.condition, incident)
            if first is not None and not reason:
                reason = f"trigger {first} of this workflow has started an execution for the event"
            if not reason:
                first = place
            found.append(
                TriggerMatch(
                    workflow_id=workflow.workflow_id,
                    workflow_name=workflow.name,
                    version=workflow.running_version or 0,
                    trigger=place,
                    execution_id=None if reason else derived_id(at, receipt_id, workflow.workflow_id),
                    reason=reason,
                    reads=reads,
                )
            )
    return found


def fingerprint(event: str, incident: dict[str, Any]) -> str:
    """What is the same for the same event of the same incident."""
    return hashlib.sha256(msgspec.json.encode((event, incident), order="deterministic")).hexdigest()


def is_repetition(received_at: datetime, now: datetime) -> bool:
    """Clocks of processes differ, and step: what was received a little later than now is a repetition too."""
    return abs(now - received_at) < SAME_FOR


def answer_of(receipt_id: str, received: IncidentReceived) -> dict[str, Any]:
    """What whoever sent the event is told, the first time and every other."""
    return {
        "receiptId": receipt_id,
        "executions": [
            {"executionId": match.execution_id, "workflowId": match.workflow_id}
            for match in received.matches
            if match.execution_id is not None
        ],
        "skipped": [
            {"workflowId": match.workflow_id, "workflowName": match.workflow_name, "reason": match.reason}
            for match in received.matches
            if match.execution_id is None
        ],
    }


def _judge(condition: str | None, incident: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Why not, empty if it matches; and what the condition read."""
    if condition is None:
        return "", {}
    scope = {"incident": incident}
    reads: dict[str, Any] = {}
    try:
        expression = compile_expression(condition)
        reads = expression.reads(scope)
        value = expression.evaluate(scope)
    except ExpressionError as error:
        return f"the condition cannot be evaluated: {error}", reads
    if value is True:
        return "", reads
    if value is False:
        return f"the condition is false: {condition}", reads
    return f"the condition gives {msgspec.json.encode(value).decode()[:100]}, not true or false: {condition}", reads
