"""The projection `workflows`: drafts, published versions, which one runs, and the nodes of each version."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from runyard_shared.contracts import events
from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.mapper import EventMapper

from runyard_projections.projection import Connection, expect_rows
from runyard_projections.statements import Apply, Statement, statements_of
from runyard_projections.text import json_text, storable
from runyard_projections.topics import OF_EXECUTIONS, OF_TRIGGERS


class Workflows:
    name = "workflows"
    tables = ("workflow", "workflow_version", "workflow_node")

    def __init__(self, mapper: EventMapper) -> None:
        self._mapper = mapper

    def fold(self, events: Sequence[Recorded]) -> list[Statement]:
        return statements_of(self.name, events, self._mapper, _APPLY, OF_EXECUTIONS + OF_TRIGGERS)

    async def write(self, connection: Connection, changes: list[Statement], schema: str) -> None:
        for sql, arguments in changes:
            tag = await connection.execute(sql.replace("{schema}", schema), *arguments)
            if tag.startswith("UPDATE"):
                expect_rows(tag, 1, "workflows")


def _created(row: Recorded, event: events.WorkflowCreated) -> Iterable[Statement]:
    yield (
        """
        insert into {schema}.workflow (workflow_id, tenant_id, name, draft_document, draft_source, draft_format,
            drafted_at, drafted_by, created_at, created_by, active, updated_at, position)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $7, $8, false, $7, $9)
        """,
        (
            row.stream_id,
            row.tenant_id,
            storable(event.name),
            json_text(event.document),
            storable(event.source),
            event.format,
            row.recorded_at,
            storable(event.by),
            row.position,
        ),
    )


def _drafted(row: Recorded, event: events.WorkflowDrafted) -> Iterable[Statement]:
    yield (
        """
        update {schema}.workflow set name = $2, draft_document = $3, draft_source = $4, draft_format = $5,
            drafted_at = $6, drafted_by = $7, draft_revision = draft_revision + 1, updated_at = $6, position = $8
        where workflow_id = $1
        """,
        (
            row.stream_id,
            storable(event.name),
            json_text(event.document),
            storable(event.source),
            event.format,
            row.recorded_at,
            storable(event.by),
            row.position,
        ),
    )


def _published(row: Recorded, event: events.WorkflowPublished) -> Iterable[Statement]:
    yield (
        """
        update {schema}.workflow
        set published_version = $2, latest_version = greatest(latest_version, $2), updated_at = $3, position = $4
        where workflow_id = $1
        """,
        (row.stream_id, event.version, row.recorded_at, row.position),
    )
    yield (
        """
        insert into {schema}.workflow_version (workflow_id, version, document, source, format, published_at, published_by)
        values ($1, $2, $3, $4, $5, $6, $7)
        """,
        (
            row.stream_id,
            event.version,
            json_text(event.document),
            storable(event.source),
            event.format,
            row.recorded_at,
            storable(event.by),
        ),
    )
    nodes = list(_nodes(event.document, None))
    yield (
        """
        insert into {schema}.workflow_node (workflow_id, version, node_id, ordinal, name, type, body)
        select $1, $2, n.*
        from unnest($3::text[], $4::integer[], $5::text[], $6::text[], $7::text[]) as n(node_id, ordinal, name, type, body)
        """,
        (row.stream_id, event.version, *(zip(*nodes, strict=True) if nodes else ([],) * 5)),
    )


def _nodes(document: dict[str, Any], body: str | None) -> Iterator[tuple[str, int, str, str, str | None]]:
    """Id, ordinal, name, type and body of the nodes of a document, or of a forEach's body, and of the bodies in it."""
    for ordinal, node in enumerate(document.get("nodes", [])):
        node_id = storable(node["id"])
        yield node_id, ordinal, storable(node.get("name") or node["id"]), node["type"], body
        if "body" in node:
            yield from _nodes(node["body"], node_id if body is None else f"{body}.{node_id}")


def _activated(row: Recorded, _event: events.WorkflowActivated) -> Iterable[Statement]:
    yield _set("active = true", row)


def _deactivated(row: Recorded, _event: events.WorkflowDeactivated) -> Iterable[Statement]:
    yield _set("active = false", row)


def _rolled_back(row: Recorded, event: events.WorkflowRolledBack) -> Iterable[Statement]:
    yield _set("published_version = $4", row, event.version)


def _archived(row: Recorded, _event: events.WorkflowArchived) -> Iterable[Statement]:
    yield _set("archived_at = $2, active = false", row)


def _set(assignment: str, row: Recorded, *more: Any) -> Statement:
    """`$2` in the assignment is the event's time, `$4` the first of `more`."""
    sql = f"update {{schema}}.workflow set {assignment}, updated_at = $2, position = $3 where workflow_id = $1"  # noqa: S608
    return sql, (row.stream_id, row.recorded_at, row.position, *more)


_APPLY: dict[str, Apply] = {
    events.WorkflowCreated.topic: _created,
    events.WorkflowDrafted.topic: _drafted,
    events.WorkflowPublished.topic: _published,
    events.WorkflowActivated.topic: _activated,
    events.WorkflowDeactivated.topic: _deactivated,
    events.WorkflowRolledBack.topic: _rolled_back,
    events.WorkflowArchived.topic: _archived,
}
