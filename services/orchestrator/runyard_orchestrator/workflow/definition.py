"""The workflow aggregate: draft, immutable versions, which one runs. Pure: commands and state in, events out."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from runyard_shared.clock import rfc3339
from runyard_shared.contracts import commands, events
from runyard_shared.contracts.base import Event
from runyard_shared.errors import Conflict, FieldProblem, Invalid, NotFound, Refusal

from runyard_orchestrator.workflow.validate import problems


@dataclass(frozen=True)
class Source:
    """A document with the text it came from."""

    document: dict[str, Any]
    source: str
    format: str


@dataclass(frozen=True)
class Saved:
    """Of the draft: its `revision`, counted from 1, and who saved it when."""

    revision: int
    by: str
    at: datetime


@dataclass(frozen=True)
class WorkflowState:
    workflow_id: str
    tenant_id: str
    name: str
    draft: Source
    saved: Saved
    version: int = 1
    """Of the event stream."""
    versions: dict[int, Source] = field(default_factory=dict)
    running_version: int | None = None
    """The published version that executions use."""
    active: bool = False
    archived: bool = False
    requests: frozenset[str] = frozenset()
    """Those that made its events."""


DefinitionCommand = (
    commands.SaveDraft
    | commands.PublishWorkflow
    | commands.ActivateWorkflow
    | commands.DeactivateWorkflow
    | commands.RollBackWorkflow
    | commands.ArchiveWorkflow
)


def create(command: commands.CreateWorkflow | commands.ImportWorkflow, actor: str) -> events.WorkflowCreated:
    return events.WorkflowCreated(
        name=name_of(command.document),
        document=command.document,
        source=command.source,
        format=command.format,
        by=actor,
    )


def decide(state: WorkflowState, command: DefinitionCommand, actor: str) -> list[Event]:
    """The events a command makes; none when it asks for what is already so. Raises `Refusal`."""
    if state.archived:
        if isinstance(command, commands.ArchiveWorkflow):
            return []
        raise Conflict("workflow_archived", f"workflow {state.name!r} is archived; create a new one")
    new: list[Event] = []
    match command:
        case commands.SaveDraft():
            new = _save_draft(state, command, actor)
        case commands.PublishWorkflow():
            new = _publish(state, command, actor)
        case commands.ActivateWorkflow() if not state.active:
            if state.running_version is None:
                raise Conflict("not_published", f"workflow {state.name!r} has no published version; publish it first")
            new = [events.WorkflowActivated(by=actor)]
        case commands.DeactivateWorkflow() if state.active:
            new = [events.WorkflowDeactivated(by=actor)]
        case commands.RollBackWorkflow():
            new = _roll_back(state, command.version, actor)
        case commands.ArchiveWorkflow():
            new = [events.WorkflowArchived(by=actor)]
        case _:
            pass
    return new


def import_(
    state: WorkflowState | None, command: commands.ImportWorkflow, actor: str, tenant_id: str, at: datetime
) -> list[Event]:
    """The events that bring in a document and, if asked, publish and activate it: all of them, or a `Refusal` and none."""
    steps: list[DefinitionCommand] = []
    new: list[Event] = []
    if state is None:
        created = create(command, actor)
        new.append(created)
        state = evolve(None, created, command.workflow_id, tenant_id, at)
    else:
        steps.append(
            commands.SaveDraft(
                workflow_id=command.workflow_id,
                document=command.document,
                source=command.source,
                format=command.format,
            )
        )
    if command.publish:
        steps.append(commands.PublishWorkflow(workflow_id=command.workflow_id, catalog=command.catalog))
    if command.activate:
        steps.append(commands.ActivateWorkflow(workflow_id=command.workflow_id))
    for step in steps:
        for event in decide(state, step, actor):
            new.append(event)
            state = evolve(state, event, command.workflow_id, tenant_id, at)
    return new


def version_to_run(state: WorkflowState) -> int:
    """The version a new execution runs. Raises `Conflict` when there is none (R46)."""
    if state.archived:
        raise Conflict("workflow_archived", f"workflow {state.name!r} is archived and cannot run")
    if state.running_version is None:
        raise Conflict("not_published", f"workflow {state.name!r} has no published version; publish it first")
    if not state.active:
        raise Conflict("not_active", f"workflow {state.name!r} is not active; activate it first")
    return state.running_version


def evolve(state: WorkflowState | None, event: Event, workflow_id: str, tenant_id: str, at: datetime) -> WorkflowState:
    """The state after one more event, recorded `at`. An unknown event raises."""
    if isinstance(event, events.WorkflowCreated):
        draft = Source(event.document, event.source, event.format)
        return WorkflowState(workflow_id, tenant_id, event.name, draft, Saved(1, event.by, at))
    if state is None:
        raise TypeError(f"workflow {workflow_id} begins with {event.topic}, not with workflow.created")
    changes: dict[str, Any]
    match event:
        case events.WorkflowDrafted():
            draft = Source(event.document, event.source, event.format)
            changes = {"name": event.name, "draft": draft, "saved": Saved(state.saved.revision + 1, event.by, at)}
        case events.WorkflowPublished():
            published = Source(event.document, event.source, event.format)
            changes = {"versions": state.versions | {event.version: published}, "running_version": event.version}
        case events.WorkflowActivated():
            changes = {"active": True}
        case events.WorkflowDeactivated():
            changes = {"active": False}
        case events.WorkflowRolledBack():
            changes = {"running_version": event.version}
        case events.WorkflowArchived():
            changes = {"archived": True, "active": False}
        case _:
            raise TypeError(f"a workflow does not know the event {event.topic or type(event).__name__}")
    return replace(state, version=state.version + 1, **changes)


def name_of(document: dict[str, Any]) -> str:
    """The name of a draft, the one field it cannot be saved without."""
    name = document.get("name")
    if not isinstance(name, str) or not name.strip():
        raise Invalid("invalid_workflow", "a workflow needs a name", (FieldProblem("name", "is required, and must be a text"),))
    return name


def _save_draft(state: WorkflowState, command: commands.SaveDraft, actor: str) -> list[Event]:
    draft = Source(command.document, command.source, command.format)
    if draft == state.draft:
        return []
    if command.if_revision is not None and command.if_revision != state.saved.revision:
        raise _draft_changed(state)
    name = name_of(command.document)
    if name != state.name:
        raise Invalid(
            "name_changed",
            f"this workflow is called {state.name!r}; a workflow keeps its name, create a new one instead",
            (FieldProblem("name", f"must be {state.name!r}"),),
        )
    return [
        events.WorkflowDrafted(name=name, document=command.document, source=command.source, format=command.format, by=actor)
    ]


def _draft_changed(state: WorkflowState) -> Refusal:
    saved = state.saved
    at = rfc3339(saved.at)
    detail = (
        f"the draft of {state.name!r} is not the one you began with: {saved.by} saved revision {saved.revision} at {at};"
        " read it, bring both together, and save with its ETag"
    )
    return Refusal("draft_changed", detail, 412, extra={"revision": saved.revision, "savedBy": saved.by, "savedAt": at})


def _publish(state: WorkflowState, command: commands.PublishWorkflow, actor: str) -> list[Event]:
    found = problems(state.draft.document, command.catalog)
    if found:
        count = f"{len(found)} problem{'s' if len(found) > 1 else ''}"
        raise Invalid("invalid_workflow", f"the draft of {state.name!r} has {count}; correct them and publish again", found)
    newest = max(state.versions, default=0)
    if newest and state.running_version == newest and state.versions[newest] == state.draft:
        return []
    draft = state.draft
    return [
        events.WorkflowPublished(
            version=newest + 1, document=draft.document, source=draft.source, format=draft.format, by=actor
        )
    ]


def _roll_back(state: WorkflowState, version: int, actor: str) -> list[Event]:
    if version not in state.versions:
        raise NotFound("version_not_found", f"workflow {state.name!r} has no version {version}")
    return [] if version == state.running_version else [events.WorkflowRolledBack(version=version, by=actor)]
