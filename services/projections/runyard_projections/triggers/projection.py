"""The projection `triggers`.

event                     trigger_record                    schedules
------------------------  --------------------------------  -------------------------------------------
workflow.created                                            the workflow, inactive
workflow.published                                          the version's schedules; it runs
workflow.rolled_back                                        the version runs
workflow.activated …                                        active or not, archived
incident.received         one for each match; the incident
schedule.fired            one                               last instant, last execution
trigger.refused           refused, with the reason
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from runyard_shared.contracts import events
from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.mapper import EventMapper

from runyard_projections.projection import Connection
from runyard_projections.statements import Apply, Statement, statements_of
from runyard_projections.text import json_text, storable
from runyard_projections.topics import OF_EXECUTIONS


class Triggers:
    name = "triggers"
    tables = ("trigger_record", "incident", "scheduled_workflow", "schedule", "schedule_run")

    def __init__(self, mapper: EventMapper) -> None:
        self._mapper = mapper

    def fold(self, events: Sequence[Recorded]) -> list[Statement]:
        return statements_of(self.name, events, self._mapper, _APPLY, OF_EXECUTIONS)

    async def write(self, connection: Connection, changes: list[Statement], schema: str) -> None:
        for sql, arguments in changes:
            await connection.execute(sql.replace("{schema}", schema), *arguments)


# --- records


def _incident_received(row: Recorded, event: events.IncidentReceived) -> Iterable[Statement]:
    incident_id = event.incident.get("id")
    yield (
        "insert into {schema}.incident (record_id, tenant_id, payload) values ($1, $2, $3)",
        (row.stream_id, row.tenant_id, json_text(event.incident)),
    )
    matches = [
        (
            match.workflow_id,
            match.trigger,
            storable(match.workflow_name),
            match.version,
            "skipped" if match.execution_id is None else "started",
            match.execution_id,
            storable(match.reason),
            json_text(match.reads),
        )
        for match in event.matches
    ]
    yield (
        """
        insert into {schema}.trigger_record (record_id, tenant_id, type, event, incident_id, received_at, position,
            workflow_id, trigger, workflow_name, version, outcome, execution_id, reason, reads)
        select $1, $2, 'incident', $3, $4, $5, $6, m.*
        from unnest($7::uuid[], $8::integer[], $9::text[], $10::integer[], $11::text[], $12::uuid[], $13::text[], $14::json[]) m
        """,
        (
            row.stream_id,
            row.tenant_id,
            storable(event.event),
            None if incident_id is None else storable(str(incident_id)),
            row.recorded_at,
            row.position,
            *(zip(*matches, strict=True) if matches else ([],) * 8),
        ),
    )


def _schedule_fired(row: Recorded, event: events.ScheduleFired) -> Iterable[Statement]:
    scheduled_at = datetime.fromisoformat(event.scheduled_at)
    yield (
        """
        insert into {schema}.trigger_record (record_id, tenant_id, type, scheduled_at, received_at, position,
            workflow_id, trigger, workflow_name, version, outcome, execution_id, reason, reads)
        values ($1, $2, 'cron', $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, '{}')
        """,
        (
            row.stream_id,
            row.tenant_id,
            scheduled_at,
            row.recorded_at,
            row.position,
            event.workflow_id,
            event.trigger,
            storable(event.workflow_name),
            event.version,
            "skipped" if event.execution_id is None else "started",
            event.execution_id,
            storable(event.reason),
        ),
    )
    yield (
        """
        insert into {schema}.schedule_run as r (workflow_id, trigger, last_scheduled_at, last_execution_id)
        values ($1, $2, $3, $4)
        on conflict (workflow_id, trigger) do update
            set last_scheduled_at = greatest(r.last_scheduled_at, excluded.last_scheduled_at),
                last_execution_id = coalesce(excluded.last_execution_id, r.last_execution_id)
        """,
        (event.workflow_id, event.trigger, scheduled_at, event.execution_id),
    )


def _trigger_refused(row: Recorded, event: events.TriggerRefused) -> Iterable[Statement]:
    yield (
        "update {schema}.trigger_record set outcome = 'refused', reason = $3 where record_id = $1 and execution_id = $2",
        (row.stream_id, event.execution_id, storable(event.reason)),
    )


# --- schedules


def _created(row: Recorded, event: events.WorkflowCreated) -> Iterable[Statement]:
    yield (
        """
        insert into {schema}.scheduled_workflow (workflow_id, tenant_id, name, active, archived)
        values ($1, $2, $3, false, false)
        """,
        (row.stream_id, row.tenant_id, storable(event.name)),
    )


def _published(row: Recorded, event: events.WorkflowPublished) -> Iterable[Statement]:
    yield _set("running_version = $2", row, event.version)
    for place, trigger in enumerate(event.document.get("triggers") or ()):
        if trigger.get("type") == "schedule":
            yield (
                """
                insert into {schema}.schedule (workflow_id, version, trigger, cron, timezone, overlap, catch_up)
                values ($1, $2, $3, $4, $5, $6, $7)
                """,
                (
                    row.stream_id,
                    event.version,
                    place,
                    storable(trigger["cron"]),
                    storable(trigger.get("timezone", "UTC")),
                    trigger.get("overlap", "allow"),
                    trigger.get("catchUp", "latest"),
                ),
            )


def _rolled_back(row: Recorded, event: events.WorkflowRolledBack) -> Iterable[Statement]:
    yield _set("running_version = $2", row, event.version)


def _activated(row: Recorded, _event: events.WorkflowActivated) -> Iterable[Statement]:
    yield _set("active = true", row)


def _deactivated(row: Recorded, _event: events.WorkflowDeactivated) -> Iterable[Statement]:
    yield _set("active = false", row)


def _archived(row: Recorded, _event: events.WorkflowArchived) -> Iterable[Statement]:
    yield _set("active = false, archived = true", row)


def _drafted(_row: Recorded, _event: events.WorkflowDrafted) -> Iterable[Statement]:
    return ()


def _set(assignment: str, row: Recorded, *more: Any) -> Statement:
    """`$2` in the assignment is the first of `more`."""
    return f"update {{schema}}.scheduled_workflow set {assignment} where workflow_id = $1", (row.stream_id, *more)  # noqa: S608


_APPLY: Final[dict[str, Apply]] = {
    events.IncidentReceived.topic: _incident_received,
    events.ScheduleFired.topic: _schedule_fired,
    events.TriggerRefused.topic: _trigger_refused,
    events.WorkflowCreated.topic: _created,
    events.WorkflowDrafted.topic: _drafted,
    events.WorkflowPublished.topic: _published,
    events.WorkflowRolledBack.topic: _rolled_back,
    events.WorkflowActivated.topic: _activated,
    events.WorkflowDeactivated.topic: _deactivated,
    events.WorkflowArchived.topic: _archived,
}
