"""Workflows: drafts, validation, publishing, versions. What a document means is the orchestrator's to say."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
from runyard_shared.contracts import commands
from runyard_shared.contracts.workflow import Workflow
from runyard_shared.errors import NotFound, Refusal
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands, Outcome
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.document_diff import differences
from runyard_gateway.documents import JSON_TYPES, YAML_TYPES, Document, parse_document
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.etags import ETAG, IF_MATCH, NO_REVISION, etag, if_match
from runyard_gateway.http.operation import Call, Operation, RawBody
from runyard_gateway.http.query import ReadPageQuery, ReadQuery
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.catalog import CatalogQueries
from runyard_gateway.queries.workflows import PageKey, VersionKey, WorkflowQueries
from runyard_gateway.read_position import WORKFLOWS, ReadPosition
from runyard_gateway.resources.path_ids import no_workflow, version_of, workflow_id_of

PATH = "/api/v1/workflows"
_NOT_FOUND = {404: "workflow_not_found"}
_REFUSALS = {404: "workflow_not_found", 409: "workflow_archived"}
_DOCUMENT: dict[str, Any] = {
    "body": RawBody,
    "body_schema": Workflow,
    "body_types": (*JSON_TYPES, *YAML_TYPES),
    "body_required": True,
}


class Workflows:
    def __init__(
        self, commands: Commands, queries: WorkflowQueries, catalogs: CatalogQueries, read_position: ReadPosition
    ) -> None:
        self._commands = commands
        self._queries = queries
        self._catalogs = catalogs
        self._read_position = read_position

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{workflowId}}"
        return (
            _operation("GET", PATH, self.list, "listWorkflows", "Workflows that are not archived, or those that are, by name",
                       answers.WorkflowList, query=requests.WorkflowsQuery),
            _operation("POST", PATH, self.create, "createWorkflow", "Create a workflow with its first draft",
                       answers.DraftSaved, status=201, refusals={409: "workflow_name_taken", 422: "invalid_document"},
                       answer_headers=ETAG, **_DOCUMENT),
            _operation("POST", f"{PATH}/validate", self.check, "checkWorkflow",
                       "All problems that would stop a publish of this document, which need not be saved", answers.Validation,
                       refusals={422: "invalid_document"}, changes_nothing=True, **_DOCUMENT),
            _operation("GET", one, self.detail, "getWorkflow", "A workflow with its draft", answers.WorkflowDetail,
                       query=ReadQuery, refusals=_NOT_FOUND, answer_headers=ETAG),
            _operation("DELETE", one, self.archive, "archiveWorkflow", "Archive: it cannot run any more, its history stays",
                       answers.WorkflowChanged, refusals=_REFUSALS),
            _operation("PUT", f"{one}/draft", self.save_draft, "saveDraft", "Replace the draft", answers.DraftSaved,
                       request_headers=IF_MATCH, answer_headers=ETAG,
                       refusals={**_REFUSALS, 412: "draft_changed: somebody else saved one since; it says who and when",
                                 422: "invalid_document, name_changed"}, **_DOCUMENT),
            _operation("POST", f"{one}/validate", self.validate, "validateDraft", "All problems that would stop a publish",
                       answers.Validation, refusals=_NOT_FOUND),
            _operation("POST", f"{one}/publish", self.publish, "publishDraft",
                       "Make the draft the next version, and the one that runs", answers.Published,
                       refusals={**_REFUSALS, 422: "invalid_workflow, with all problems at once"}),
            _operation("POST", f"{one}/activate", self.activate, "activateWorkflow", "Let it run", answers.WorkflowChanged,
                       refusals={404: "workflow_not_found", 409: "not_published, workflow_archived"}),
            _operation("POST", f"{one}/deactivate", self.deactivate, "deactivateWorkflow", "Do not let it run",
                       answers.WorkflowChanged, refusals=_REFUSALS),
            _operation("POST", f"{one}/rollback", self.roll_back, "rollBackWorkflow", "Run an earlier version again",
                       answers.Published, body=requests.RollBack, body_required=True,
                       refusals={404: "workflow_not_found, version_not_found", 409: "workflow_archived"}),
            _operation("GET", f"{one}/versions", self.versions, "listVersions", "Published versions, newest first",
                       answers.VersionList, query=ReadPageQuery, refusals=_NOT_FOUND),
            _operation("GET", f"{one}/versions/{{version}}", self.version, "getVersion", "A published version",
                       answers.VersionDetail, query=ReadQuery, refusals={404: "version_not_found"}),
            _operation("GET", f"{one}/versions/{{version}}/diff", self.diff, "diffVersions", "What a version changed",
                       answers.VersionDiff, query=requests.DiffQuery, refusals={404: "version_not_found"}),
        )  # fmt: skip

    # --- drafts

    async def create(self, call: Call) -> ASGIApp:
        document = _document(call)
        call.record.concerns([document.value["name"]])
        workflow_id = call.new_id()
        command = commands.CreateWorkflow(
            workflow_id=workflow_id, document=document.value, source=document.source, format=document.format
        )
        outcome = await self._commands.send(call, workflow_id, command)
        location = (b"location", f"{PATH}/{workflow_id}".encode())
        saved = _draft_saved(document, outcome)
        return json_answer(saved, 201, headers=[location, etag(saved.draft.revision)])

    async def save_draft(self, call: Call) -> ASGIApp:
        document = _document(call)
        wanted = if_match(call)
        command = commands.SaveDraft(
            workflow_id=workflow_id_of(call),
            if_revision=None if wanted is None else max(wanted, default=NO_REVISION),
            document=document.value,
            source=document.source,
            format=document.format,
        )
        saved = _draft_saved(document, await self._save_draft(call, command, wanted or frozenset()))
        return json_answer(saved, headers=[etag(saved.draft.revision)])

    async def _save_draft(self, call: Call, command: commands.SaveDraft, wanted: frozenset[int]) -> Outcome:
        """The command names one revision. If the draft has another one that is wanted too, that one is asked for next."""
        try:
            return await self._commands.send(call, command.workflow_id, command)
        except Refusal as refusal:
            revision = refusal.extra.get("revision")
            others = wanted - {command.if_revision}
            if refusal.code != "draft_changed" or not isinstance(revision, int) or revision not in others:
                raise
            return await self._save_draft(call, msgspec.structs.replace(command, if_revision=revision), others)

    async def check(self, call: Call) -> ASGIApp:
        return await self._validated(call, call.new_id(), _document(call, is_draft=False).value)

    async def validate(self, call: Call) -> ASGIApp:
        return await self._validated(call, workflow_id_of(call))

    async def _validated(self, call: Call, workflow_id: str, document: dict[str, Any] | None = None) -> ASGIApp:
        catalog = await self._catalogs.catalog(call.tenant_id)
        command = commands.ValidateWorkflow(workflow_id=workflow_id, catalog=catalog, document=document)
        outcome = await self._commands.send(call, workflow_id, command)
        result = outcome.result
        answer = answers.Validation(
            valid=result["valid"], errors=_problems(result["errors"]), warnings=_problems(result["warnings"])
        )
        return json_answer(answer)

    # --- what runs

    async def publish(self, call: Call) -> ASGIApp:
        workflow_id = workflow_id_of(call)
        catalog = await self._catalogs.catalog(call.tenant_id)
        return await self._published(call, workflow_id, commands.PublishWorkflow(workflow_id=workflow_id, catalog=catalog))

    async def roll_back(self, call: Call) -> ASGIApp:
        body: requests.RollBack = call.body
        workflow_id = workflow_id_of(call)
        return await self._published(
            call, workflow_id, commands.RollBackWorkflow(workflow_id=workflow_id, version=body.version)
        )

    async def activate(self, call: Call) -> ASGIApp:
        workflow_id = workflow_id_of(call)
        return await self._changed(call, workflow_id, commands.ActivateWorkflow(workflow_id=workflow_id))

    async def deactivate(self, call: Call) -> ASGIApp:
        workflow_id = workflow_id_of(call)
        return await self._changed(call, workflow_id, commands.DeactivateWorkflow(workflow_id=workflow_id))

    async def archive(self, call: Call) -> ASGIApp:
        workflow_id = workflow_id_of(call)
        return await self._changed(call, workflow_id, commands.ArchiveWorkflow(workflow_id=workflow_id))

    async def _published(self, call: Call, workflow_id: str, command: commands.Command) -> ASGIApp:
        outcome = await self._commands.send(call, workflow_id, command)
        result = outcome.result
        answer = answers.Published(
            workflow_id=workflow_id,
            version=result["version"],
            warnings=_problems(result["warnings"]),
            position=outcome.position,
        )
        return json_answer(answer)

    async def _changed(self, call: Call, workflow_id: str, command: commands.Command) -> ASGIApp:
        outcome = await self._commands.send(call, workflow_id, command)
        return json_answer(answers.WorkflowChanged(**_summary(outcome)))

    # --- reading

    async def list(self, call: Call) -> ASGIApp:
        query: requests.WorkflowsQuery = call.query
        await self._read_position.reach(WORKFLOWS, query.min_position)
        after = decode_cursor(query.cursor, PageKey)
        rows = await self._queries.page(
            call.tenant_id,
            after,
            query.limit + 1,
            archived=query.archived,
            active=query.active,
            text=query.q,
            connection=query.connection,
        )
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        cursor = encode_cursor(PageKey(rows[-1].name, UUID(rows[-1].workflow_id))) if more else None
        last = await self._queries.last_executions(call.tenant_id, [row.workflow_id for row in rows])
        items = [
            answers.ListedWorkflow(**msgspec.structs.asdict(row), last_executions=last.get(row.workflow_id, [])) for row in rows
        ]
        return json_answer(answers.WorkflowList(items=items, next_cursor=cursor))

    async def detail(self, call: Call) -> ASGIApp:
        query: ReadQuery = call.query
        workflow_id = workflow_id_of(call)
        await self._read_position.reach(WORKFLOWS, query.min_position)
        workflow = await self._queries.workflow(call.tenant_id, workflow_id)
        if workflow is None:
            raise no_workflow(workflow_id)
        return json_answer(workflow, headers=[etag(workflow.draft.revision)])

    async def versions(self, call: Call) -> ASGIApp:
        query: ReadPageQuery = call.query
        workflow_id = workflow_id_of(call)
        await self._read_position.reach(WORKFLOWS, query.min_position)
        before = decode_cursor(query.cursor, VersionKey)
        rows = await self._queries.versions(call.tenant_id, workflow_id, before and before.version, query.limit + 1)
        if not rows and await self._queries.workflow(call.tenant_id, workflow_id) is None:
            raise no_workflow(workflow_id)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        return json_answer(
            answers.VersionList(items=rows, next_cursor=encode_cursor(VersionKey(rows[-1].version)) if more else None)
        )

    async def version(self, call: Call) -> ASGIApp:
        query: ReadQuery = call.query
        workflow_id, version = workflow_id_of(call), version_of(call)
        await self._read_position.reach(WORKFLOWS, query.min_position)
        found = await self._queries.version(call.tenant_id, workflow_id, version)
        if found is None:
            raise _no_version(workflow_id, version)
        return json_answer(found)

    async def diff(self, call: Call) -> ASGIApp:
        query: requests.DiffQuery = call.query
        workflow_id, version = workflow_id_of(call), version_of(call)
        against = query.against or max(version - 1, 1)
        documents = []
        for each in (against, version):
            text = await self._queries.document(call.tenant_id, workflow_id, each)
            if text is None:
                raise _no_version(workflow_id, each)
            documents.append(msgspec.json.decode(text))
        found = [*differences(*documents)]
        return json_answer(answers.VersionDiff(workflow_id=workflow_id, version=version, against=against, differences=found))


def _operation(method: str, path: str, handle: Any, name: str, summary: str, answer: Any, **options: Any) -> Operation:
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="workflows", answer=answer,
        permission=Permission.VIEW if method == "GET" else Permission.MANAGE, **options,
    )  # fmt: skip


def _problems(told: Iterable[Mapping[str, str]]) -> list[answers.Problem]:
    return [answers.Problem(path=each["path"], message=each["message"]) for each in told]


def _document(call: Call, *, is_draft: bool = True) -> Document:
    body: RawBody = call.body
    return parse_document(body.content, body.media_type, is_draft=is_draft)


def _draft_saved(document: Document, outcome: Outcome) -> answers.DraftSaved:
    draft = answers.Draft(
        document=document.value,
        source=document.source,
        format=document.format,
        revision=outcome.result["revision"],
        saved_at=outcome.result["savedAt"],
        saved_by=outcome.result["savedBy"],
    )
    return answers.DraftSaved(**_summary(outcome), draft=draft)


def _summary(outcome: Outcome) -> dict[str, Any]:
    result = outcome.result
    return {
        "workflow_id": result["workflowId"],
        "name": result["name"],
        "active": result["active"],
        "archived": result["archived"],
        "published_version": result["version"],
        "position": outcome.position,
    }


def _no_version(workflow_id: str, version: int) -> NotFound:
    return NotFound("version_not_found", f"Workflow {workflow_id} has no version {version}.")
