"""The orchestrator's inbox: one call handles one list of a partition, load, ask, append.

Items of one stream are handled in order and appended together; streams are independent of each other, and their appends gather
in one commit. Everything may come twice: a known execution, job or key answers as it did before.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import structlog
from runyard_shared.contracts import commands, reports
from runyard_shared.contracts.commands import Request, TimerDue
from runyard_shared.errors import VersionConflict
from runyard_shared.eventstore.store import ClaimTaken, Commit
from runyard_shared.messaging.answers import Answer

from runyard_orchestrator.beginnings import StartCommand
from runyard_orchestrator.execution_handler import Decided, ExecutionHandler
from runyard_orchestrator.incident_handler import IncidentHandler
from runyard_orchestrator.repository import Workflows
from runyard_orchestrator.schedule_handler import ScheduleHandler
from runyard_orchestrator.triggers.schedules import is_timer_of_workflow
from runyard_orchestrator.workflow_handler import WorkflowHandler

InboxItem = (
    Request
    | TimerDue
    | reports.JobDispatched
    | reports.JobStarted
    | reports.JobFinished
    | reports.JobLost
    | reports.JobWithdrawn
    | reports.JobRefused
    | reports.ApprovalVoted
    | reports.ApprovalReminded
    | reports.ApprovalEscalated
    | reports.ApprovalNotified
    | reports.ApprovalResolved
    | reports.StartTriggered
    | reports.StartIteration
    | reports.StartSubworkflow
    | reports.CancelChild
    | reports.ChildEnded
)
_CONFLICTS_BEFORE_GIVING_UP = 10
_log = structlog.get_logger(__name__)


class Handlers:
    """Handles what comes to the orchestrator's inbox; returns the answers to be posted."""

    def __init__(
        self,
        executions: ExecutionHandler,
        definitions: WorkflowHandler,
        schedules: ScheduleHandler,
        incidents: IncidentHandler,
        workflows: Workflows,
    ) -> None:
        self._executions = executions
        self._definitions = definitions
        self._schedules = schedules
        self._incidents = incidents
        self._workflows = workflows

    async def handle(self, items: Sequence[InboxItem]) -> list[Answer]:
        """Handle a list in order. Raises the first error after every other stream was handled; then the list comes again."""
        streams: dict[str, list[Any]] = {}
        for item in items:
            streams.setdefault(_stream_of(item), []).append(item)
        commits: list[tuple[Decided, asyncio.Future[Commit]]] = []
        others: list[Coroutine[Any, Any, list[Answer]]] = []
        for stream_id, stream_items in streams.items():
            first = stream_items[0]
            if _is_for_workflow(first):
                others.append(self._for_workflow(stream_id, stream_items))
            elif _is_incident(first):
                others.append(self._for_record(stream_items))
            elif (decided := self._executions.decide_from_memory(stream_id, stream_items)) is None:
                others.append(self._executions.handle(stream_id, stream_items))
            elif not decided.is_final:
                commits.append((decided, self._executions.submit(decided)))
        return await self._settle(commits, others)

    async def _settle(
        self,
        commits: Sequence[tuple[Decided, asyncio.Future[Commit]]],
        others: list[Coroutine[Any, Any, list[Answer]]],
    ) -> list[Answer]:
        answers: list[Answer] = []
        errors: list[BaseException] = []
        for decided, commit in commits:
            try:
                answers += self._executions.written(decided, await commit)
            except (VersionConflict, ClaimTaken):
                _log.debug("memory was not the last word, asking the log", execution_id=decided.execution_id)
                others.append(self._executions.handle(decided.execution_id, decided.items))
            except Exception as error:  # noqa: BLE001 - raised when the others are handled
                self._executions.forget(decided.execution_id)
                errors.append(error)
        if others:
            for result in await asyncio.gather(*others, return_exceptions=True):
                if isinstance(result, BaseException):
                    errors.append(result)
                else:
                    answers += result
        if errors:
            raise errors[0]
        return answers

    async def _for_record(self, requests: Sequence[Request]) -> list[Answer]:
        answers: list[Answer] = []
        for request in requests:
            if isinstance(request.command, commands.ReceiveIncident):
                answers += await self._incidents.handle(request, request.command)
        return answers

    async def _for_workflow(self, workflow_id: str, items: Sequence[Request | TimerDue]) -> list[Answer]:
        answers: list[Answer] = []
        for item in items:
            for _ in range(_CONFLICTS_BEFORE_GIVING_UP):
                try:
                    if isinstance(item, TimerDue):
                        await self._schedules.handle(item)
                    else:
                        answers += await self._definitions.handle(item)
                    break
                except VersionConflict:
                    self._workflows.forget(workflow_id)
            else:
                raise VersionConflict(workflow_id, -1)
        return answers


def _is_for_workflow(item: InboxItem) -> bool:
    if isinstance(item, TimerDue):
        return is_timer_of_workflow(item.timer_id)
    others = StartCommand | commands.CancelExecution | commands.ReceiveIncident
    return isinstance(item, Request) and not isinstance(item.command, others)


def _is_incident(item: InboxItem) -> bool:
    return isinstance(item, Request) and isinstance(item.command, commands.ReceiveIncident)


def _stream_of(item: InboxItem) -> str:
    if isinstance(item, Request):
        command: Any = item.command
        if isinstance(command, commands.ReceiveIncident):
            return command.receipt_id
        return str(getattr(command, "execution_id", None) or command.workflow_id)
    if isinstance(item, TimerDue):
        return item.stream_id
    return item.execution_id
