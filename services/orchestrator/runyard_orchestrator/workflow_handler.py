"""Commands that change a workflow: load, ask, append."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from runyard_shared.clock import Clock, rfc3339
from runyard_shared.contracts import commands
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.commands import Problem, Request
from runyard_shared.errors import Conflict, FieldProblem, Refusal
from runyard_shared.eventstore.store import Claim, ClaimTaken, EventStore
from runyard_shared.messaging.answers import Answer, answers_to, problem_of

from runyard_orchestrator.repository import Workflows
from runyard_orchestrator.schedule_handler import INCIDENT_TRIGGER
from runyard_orchestrator.triggers.declared import hears_of_incidents
from runyard_orchestrator.triggers.schedules import timer_changes
from runyard_orchestrator.workflow import definition
from runyard_orchestrator.workflow.validate import problems, warnings


class WorkflowHandler:
    def __init__(self, store: EventStore, workflows: Workflows, clock: Clock) -> None:
        self._store = store
        self._workflows = workflows
        self._clock = clock

    async def handle(self, request: Request) -> list[Answer]:
        """Raises `VersionConflict` if another writer was first."""
        position: int | None = None
        outcome: dict[str, Any] | Problem
        try:
            outcome, position = await self._change(request)
        except Refusal as refusal:
            outcome = problem_of(refusal)
        return answers_to([(request, outcome)], position)

    async def _change(self, request: Request) -> tuple[dict[str, Any], int]:
        command: Any = request.command
        if isinstance(command, commands.ValidateWorkflow):
            return await self._checked(command, request.tenant_id), await self._store.head()
        state = await self._workflows.fresh(command.workflow_id)
        if state is not None and request.request_id in state.requests and state.tenant_id == request.tenant_id:
            return await self._as_before(request)
        at = self._clock.now()
        claims: list[Claim] = []
        new: list[Event]
        if isinstance(command, commands.ImportWorkflow):
            if state is not None:
                state = await self._workflows.get(command.workflow_id, request.tenant_id)
            elif owner := await self._store.claimed(request.tenant_id, "workflow-name", definition.name_of(command.document)):
                raise await self._name_taken(definition.name_of(command.document), owner)
            new = definition.import_(state, command, request.actor, request.tenant_id, at)
            if state is None:
                claims.append(_name_of_its_own(command))
        elif isinstance(command, commands.CreateWorkflow):
            if state is not None and state.tenant_id == request.tenant_id:
                return _summary(state), await self._store.head()  # the same command again
            new = [definition.create(command, request.actor)]
            claims.append(_name_of_its_own(command))
        else:
            state = await self._workflows.get(command.workflow_id, request.tenant_id)
            new = definition.decide(state, command, request.actor)
        if not new:
            return _result(command, state, new), await self._store.head()
        before = state
        state = _evolved(before, new, command.workflow_id, request.tenant_id, at)
        if isinstance(command, commands.ImportWorkflow) and command.dry_run:
            return _result(command, state, new), await self._store.head()
        claims += _of_incidents(before, state)
        try:
            commit = await self._store.append(
                command.workflow_id,
                before.version if before else 0,
                new,
                tenant_id=request.tenant_id,
                at=at,
                causation_id=request.request_id,
                timers=timer_changes(before, state, at),
                claims=claims,
            )
        except ClaimTaken as taken:
            raise await self._name_taken(taken.claim.key, taken.existing) from taken
        self._workflows.remember(replace(state, requests=state.requests | {request.request_id}))
        return _result(command, state, new), commit.position

    async def _checked(self, command: commands.ValidateWorkflow, tenant_id: str) -> dict[str, Any]:
        document = command.document
        if document is None:
            document = (await self._workflows.get(command.workflow_id, tenant_id)).draft.document
        errors = _told(problems(document, command.catalog))
        return {"valid": not errors, "errors": errors, "warnings": _told(warnings(document))}

    async def _as_before(self, request: Request) -> tuple[dict[str, Any], int]:
        """To a request that comes again: what the log says that it did, whatever happened since."""
        command: Any = request.command
        left = await self._workflows.as_left_by(request.request_id, command.workflow_id)
        if left is None:
            raise TypeError(f"the request {request.request_id} is known and made no event")
        return _result(command, left.state, left.made), left.position

    async def _name_taken(self, name: str, taken_by: dict[str, Any]) -> Conflict:
        """An archived workflow keeps its name, so that the name in old executions still means what ran."""
        owner = await self._workflows.load(taken_by["workflowId"])
        archived = owner is not None and owner.archived
        advice = "it is archived and keeps its name: choose another one" if archived else "save a draft of it instead"
        return Conflict(
            "workflow_name_taken",
            f"there is already a workflow called {name!r}; {advice}",
            **taken_by,
            archived=archived,
        )


def _name_of_its_own(command: commands.CreateWorkflow | commands.ImportWorkflow) -> Claim:
    return Claim("workflow-name", definition.name_of(command.document), {"workflowId": command.workflow_id})


def _evolved(
    state: definition.WorkflowState | None, new: list[Event], workflow_id: str, tenant_id: str, at: datetime
) -> definition.WorkflowState:
    for event in new:
        state = definition.evolve(state, event, workflow_id, tenant_id, at)
    if state is None:
        raise TypeError("events left no workflow")
    return state


def _of_incidents(before: definition.WorkflowState | None, after: definition.WorkflowState) -> list[Claim]:
    """The claim by which incidents find the workflow, with the first version that has a trigger for them."""
    old = before.versions if before is not None else {}
    news = [after.versions[version] for version in after.versions.keys() - old.keys()]
    hears = any(hears_of_incidents(version.document) for version in news)
    heard = any(hears_of_incidents(version.document) for version in old.values())
    return [Claim(INCIDENT_TRIGGER, after.workflow_id, {})] if hears and not heard else []


def _told(found: Iterable[FieldProblem]) -> list[dict[str, str]]:
    return [{"path": each.path, "message": each.message} for each in found]


def _summary(state: definition.WorkflowState) -> dict[str, Any]:
    return {
        "workflowId": state.workflow_id,
        "name": state.name,
        "active": state.active,
        "archived": state.archived,
        "version": state.running_version,
        "draft": state.draft.document,
        "revision": state.saved.revision,
        "savedBy": state.saved.by,
        "savedAt": rfc3339(state.saved.at),
    }


def _result(command: Any, state: definition.WorkflowState | None, new: list[Event]) -> dict[str, Any]:
    if state is None:
        raise TypeError("a workflow command left no workflow")
    if isinstance(command, commands.PublishWorkflow | commands.RollBackWorkflow):
        told = _told(warnings(state.versions[state.running_version].document)) if state.running_version is not None else []
        return {"workflowId": state.workflow_id, "version": state.running_version, "warnings": told}
    if isinstance(command, commands.ImportWorkflow):
        return {**_summary(state), "changed": bool(new)}
    return _summary(state)
