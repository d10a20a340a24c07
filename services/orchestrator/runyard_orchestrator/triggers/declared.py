"""The triggers that count: those of the version that runs, as long as the workflow is active (R46)."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pydantic
from runyard_shared.contracts.workflow import AnyTrigger, IncidentTrigger

from runyard_orchestrator.workflow.definition import WorkflowState

_TRIGGER: pydantic.TypeAdapter[AnyTrigger] = pydantic.TypeAdapter(AnyTrigger)


def triggers_of(state: WorkflowState) -> dict[int, AnyTrigger]:
    """By their place in the document; none of a workflow that cannot run."""
    if state.archived or not state.active or state.running_version is None:
        return {}
    return dict(_triggers(state.versions[state.running_version].document))


def hears_of_incidents(document: dict[str, Any]) -> bool:
    """Whether one of the document's triggers is for incidents."""
    return any(isinstance(trigger, IncidentTrigger) for _, trigger in _triggers(document))


def _triggers(document: dict[str, Any]) -> Iterator[tuple[int, AnyTrigger]]:
    for place, trigger in enumerate(document.get("triggers") or ()):
        with suppress(pydantic.ValidationError):  # published by a version that knew other triggers
            yield place, _TRIGGER.validate_python(trigger)
