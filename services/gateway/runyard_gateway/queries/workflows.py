"""Workflows, their drafts and versions, from `read.workflow` and `read.workflow_version`."""

from typing import Annotated, Literal, NamedTuple
from uuid import UUID

import msgspec
from runyard_shared.contracts.values import ExecutionStatus

from runyard_gateway.answers import Draft, LastExecution, VersionDetail, VersionRow, WorkflowDetail, WorkflowRow
from runyard_gateway.database import Database, Row
from runyard_gateway.queries.columns import instant, raw_json

_ROW_COLUMNS = (
    "w.workflow_id::text as workflow_id, w.name, w.active, w.archived, w.published_version, w.latest_version,"
    " w.created_at, w.created_by, w.updated_at, w.drafted_at, w.drafted_by,"
    " running.source is distinct from w.draft_source as draft_differs,"
    " array(select distinct t->>'type' from json_array_elements(running.document->'triggers') t order by 1) as triggers"
)
_WITH_RUNNING = (
    " from read.workflow w"
    " left join read.workflow_version running on running.workflow_id = w.workflow_id and running.version = w.published_version"
)
_USES_CONNECTION = '$.**.nodes[*] ? (@.type == "action" && @.connection == $name)'
"""At any depth: a forEach has nodes of its own."""
_PAGE = (
    f"select {_ROW_COLUMNS}{_WITH_RUNNING} where w.tenant_id = $1 and (w.name, w.workflow_id) > ($2, $3::uuid)"
    " and w.archived = $5 and ($6::boolean is null or w.active = $6)"
    " and ($7::text is null or strpos(lower(w.name), lower($7)) > 0)"
    " and ($8::text is null or jsonb_path_exists("
    f"running.document::jsonb, '{_USES_CONNECTION}', jsonb_build_object('name', $8::text)))"
    " order by w.name, w.workflow_id limit $4"
)
LAST_EXECUTIONS = 5
_LAST_EXECUTIONS = (
    "select w.workflow_id::text as workflow_id, last.* from unnest($2::uuid[]) w(workflow_id) cross join lateral ("  # noqa: S608
    "select e.execution_id::text as execution_id, e.status, e.started_at, e.finished_at from read.execution e"
    " where e.tenant_id = $1 and e.workflow_id = w.workflow_id order by e.started_at desc, e.execution_id desc"
    f" limit {LAST_EXECUTIONS}) last"
)
_ONE = (
    f"select {_ROW_COLUMNS}, w.draft_document::text as draft_document, w.draft_source, w.draft_format, w.draft_revision"
    f"{_WITH_RUNNING} where w.workflow_id = $1::uuid and w.tenant_id = $2"
)
_VERSION_COLUMNS = (
    "v.workflow_id::text as workflow_id, v.version, v.version = w.published_version as running, v.published_at, v.published_by"
)
_OF_WORKFLOW = (
    " from read.workflow_version v join read.workflow w on w.workflow_id = v.workflow_id"
    " where v.workflow_id = $1::uuid and v.tenant_id = $2"
)
_VERSIONS = f"select {_VERSION_COLUMNS}{_OF_WORKFLOW} and v.version < $3 order by v.version desc limit $4"
_VERSION = f"select {_VERSION_COLUMNS}, v.document::text as document, v.source, v.format{_OF_WORKFLOW} and v.version = $3"
_DOCUMENT = (
    "select document::text as document from read.workflow_version"
    " where workflow_id = $1::uuid and tenant_id = $2 and version = $3"
)

_SOURCES_OF_DRAFTS = (
    "select name, workflow_id, draft_document::text as document, draft_source as source, draft_format as format"
    " from read.workflow where tenant_id = $1 and not archived and (name, workflow_id) > ($2, $3::uuid)"
    " order by name, workflow_id limit $4"
)
_SOURCES_OF_VERSIONS = (
    "select w.name, w.workflow_id, v.document::text as document, v.source, v.format from read.workflow w"
    " join read.workflow_version v on v.workflow_id = w.workflow_id and v.version = w.published_version"
    " where w.tenant_id = $1 and v.tenant_id = $1 and not w.archived and (w.name, w.workflow_id) > ($2, $3::uuid)"
    " order by w.name, w.workflow_id limit $4"
)
MAX_VERSION = 2**31 - 1


class Source(NamedTuple):
    """A draft or a version as a file. `document`: as JSON text."""

    key: "PageKey"
    document: str
    source: str
    format: Literal["yaml", "json"]


class PageKey(NamedTuple):
    """Where a page ended."""

    name: Annotated[str, msgspec.Meta(pattern="^[^\0]*$")]
    workflow_id: UUID


class VersionKey(NamedTuple):
    version: Annotated[int, msgspec.Meta(ge=1, le=MAX_VERSION)]


FIRST_PAGE = PageKey("", UUID(int=0))


class WorkflowQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        tenant_id: str,
        after: PageKey | None,
        limit: int,
        *,
        archived: bool = False,
        active: bool | None = None,
        text: str | None = None,
        connection: str | None = None,
    ) -> list[WorkflowRow]:
        """By name. `text`: part of the name. `connection`: the name of one that the version that runs uses."""
        key = after or FIRST_PAGE
        rows = await self._database.fetch(
            _PAGE, tenant_id, key.name, key.workflow_id, limit, archived, active, text, connection
        )
        return [_workflow_row(row) for row in rows]

    async def last_executions(self, tenant_id: str, workflow_ids: list[str]) -> dict[str, list[LastExecution]]:
        """By workflow, the newest of each, newest first; none for those that never ran."""
        found: dict[str, list[LastExecution]] = {}
        async with self._database.with_kept_plans() as reader:
            for row in await reader.fetch(_LAST_EXECUTIONS, tenant_id, workflow_ids):
                execution = LastExecution(
                    execution_id=row["execution_id"],
                    status=ExecutionStatus(row["status"]),
                    started_at=instant(row["started_at"]) or "",
                    finished_at=instant(row["finished_at"]),
                )
                found.setdefault(row["workflow_id"], []).append(execution)
        return found

    async def workflow(self, tenant_id: str, workflow_id: str) -> WorkflowDetail | None:
        row = await self._database.fetch_row(_ONE, workflow_id, tenant_id)
        if row is None:
            return None
        draft = Draft(
            document=raw_json(row["draft_document"]),
            source=row["draft_source"],
            format=row["draft_format"],
            revision=row["draft_revision"],
            saved_at=instant(row["drafted_at"]) or "",
            saved_by=row["drafted_by"],
        )
        return WorkflowDetail(**msgspec.structs.asdict(_workflow_row(row)), draft=draft)

    async def versions(self, tenant_id: str, workflow_id: str, before: int | None, limit: int) -> list[VersionRow]:
        """Published versions, newest first."""
        rows = await self._database.fetch(_VERSIONS, workflow_id, tenant_id, before or MAX_VERSION, limit)
        return [_version_row(row) for row in rows]

    async def version(self, tenant_id: str, workflow_id: str, version: int) -> VersionDetail | None:
        row = await self._database.fetch_row(_VERSION, workflow_id, tenant_id, version)
        if row is None:
            return None
        return VersionDetail(
            **msgspec.structs.asdict(_version_row(row)),
            document=raw_json(row["document"]),
            source=row["source"],
            format=row["format"],
        )

    async def sources(self, tenant_id: str, after: PageKey | None, limit: int, *, published: bool) -> list[Source]:
        """Of workflows that are not archived, by name: the versions that run, or the drafts."""
        key = after or FIRST_PAGE
        sql = _SOURCES_OF_VERSIONS if published else _SOURCES_OF_DRAFTS
        rows = await self._database.fetch(sql, tenant_id, key.name, key.workflow_id, limit)
        return [Source(PageKey(row["name"], row["workflow_id"]), row["document"], row["source"], row["format"]) for row in rows]

    async def document(self, tenant_id: str, workflow_id: str, version: int) -> str | None:
        """The published document as JSON text."""
        row = await self._database.fetch_row(_DOCUMENT, workflow_id, tenant_id, version)
        return row["document"] if row else None


def _workflow_row(row: Row) -> WorkflowRow:
    return WorkflowRow(
        workflow_id=row["workflow_id"],
        name=row["name"],
        active=row["active"],
        archived=row["archived"],
        published_version=row["published_version"],
        latest_version=row["latest_version"],
        created_at=instant(row["created_at"]) or "",
        created_by=row["created_by"],
        updated_at=instant(row["updated_at"]) or "",
        drafted_at=instant(row["drafted_at"]) or "",
        drafted_by=row["drafted_by"],
        draft_differs=row["draft_differs"],
        triggers=row["triggers"],
    )


def _version_row(row: Row) -> VersionRow:
    return VersionRow(
        workflow_id=row["workflow_id"],
        version=row["version"],
        running=bool(row["running"]),
        published_at=instant(row["published_at"]) or "",
        published_by=row["published_by"],
    )
