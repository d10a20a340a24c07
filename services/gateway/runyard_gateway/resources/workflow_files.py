"""Workflows as files: one or all of them out, one or many in (R45)."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Literal

import msgspec
from runyard_shared.contracts import commands
from runyard_shared.contracts.workflow import Workflow
from runyard_shared.errors import FieldProblem, Invalid, NotFound, Refusal, Unavailable
from starlette.types import ASGIApp, Receive, Scope, Send

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands, Outcome
from runyard_gateway.documents import JSON_TYPES, YAML_TYPES, Document, parse_document, rendered
from runyard_gateway.http.answer import bytes_answer, json_answer
from runyard_gateway.http.operation import Call, Operation, RawBody
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.catalog import CatalogQueries
from runyard_gateway.queries.workflows import Source, WorkflowQueries
from runyard_gateway.read_position import WORKFLOWS, ReadPosition
from runyard_gateway.resources.path_ids import no_workflow, workflow_id_of
from runyard_gateway.workflow_archive import ArchiveWriter, File, read_archive

PATH = "/api/v1/workflows"
ZIP_TYPE = "application/zip"
BODY_LIMIT = 8 * 1024 * 1024
AT_ONCE = 16
PAGE = 20
_Format = Literal["yaml", "json"]
_TYPES: dict[str, bytes] = {"yaml": b"application/yaml", "json": b"application/json"}


class WorkflowFiles:
    def __init__(
        self, commands: Commands, queries: WorkflowQueries, catalogs: CatalogQueries, read_position: ReadPosition
    ) -> None:
        self._commands = commands
        self._queries = queries
        self._catalogs = catalogs
        self._read_position = read_position

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path=f"{PATH}/export", handle=self.export_all, name="exportWorkflows", tag="workflows",
                summary="All workflows that are not archived, as a ZIP archive with one file each",
                permission=Permission.VIEW, answer_types=(ZIP_TYPE,), query=requests.ExportAllQuery,
            ),
            Operation(
                method="POST", path=f"{PATH}/import", handle=self.import_, name="importWorkflows", tag="workflows",
                summary="Make or update workflows by their names: one document, or a ZIP archive of several",
                permission=Permission.MANAGE, answer=answers.WorkflowsImported, query=requests.ImportQuery, body=RawBody,
                body_schema=Workflow, body_types=(*YAML_TYPES, *JSON_TYPES, ZIP_TYPE), body_required=True,
                body_limit=BODY_LIMIT, refusals={400: "malformed_archive", 413: "body_too_large, archive_too_large"},
            ),
            Operation(
                method="GET", path=f"{PATH}/{{workflowId}}/export", handle=self.export, name="exportWorkflow",
                summary="The draft or a version as a file", tag="workflows", permission=Permission.VIEW,
                answer_types=("application/yaml", "application/json"), query=requests.ExportQuery,
                refusals={404: "workflow_not_found, version_not_found"},
            ),
        )  # fmt: skip

    # --- out

    async def export(self, call: Call) -> ASGIApp:
        query: requests.ExportQuery = call.query
        workflow_id = workflow_id_of(call)
        await self._read_position.reach(WORKFLOWS, query.min_position)
        found: answers.Draft | answers.VersionDetail | None
        if query.version is not None:
            found = await self._queries.version(call.tenant_id, workflow_id, query.version)
            if found is None:
                raise NotFound("version_not_found", f"Workflow {workflow_id} has no version {query.version}.")
        else:
            workflow = await self._queries.workflow(call.tenant_id, workflow_id)
            if workflow is None:
                raise no_workflow(workflow_id)
            found = workflow.draft
        format_: _Format = query.format or found.format
        text = await _text(found.source, found.format, bytes(found.document), format_)
        name = f"workflow-{workflow_id}.{format_}"
        disposition = (b"content-disposition", f'attachment; filename="{name}"'.encode())
        return bytes_answer(text.encode(), content_type=_TYPES[format_], headers=[disposition])

    async def export_all(self, call: Call) -> ASGIApp:
        query: requests.ExportAllQuery = call.query
        await self._read_position.reach(WORKFLOWS, query.min_position)
        page = partial(self._queries.sources, call.tenant_id, limit=PAGE, published=query.published)
        return _Archive(page, await page(after=None), query.format)

    # --- in

    async def import_(self, call: Call) -> ASGIApp:
        query: requests.ImportQuery = call.query
        body: RawBody = call.body
        files = [File("", body.content, body.media_type)]
        if body.media_type == ZIP_TYPE:
            files = await asyncio.to_thread(read_archive, body.content)
        documents = [(call.new_id(), file, await asyncio.to_thread(_read, file)) for file in files]
        call.record.concerns(_title(file, document) for _, file, document in documents)
        names = Counter(document.value["name"] for _, _, document in documents if isinstance(document, Document))
        catalog = await self._catalogs.catalog(call.tenant_id)
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(new_id: str, file: File, document: Document | Refusal) -> tuple[answers.ImportedWorkflow, int]:
            name = document.value["name"] if isinstance(document, Document) else None
            try:
                if isinstance(document, Refusal):
                    raise document
                if names[name] > 1:
                    raise _ambiguous(names[name])
                async with slots:
                    command = commands.ImportWorkflow(
                        workflow_id=new_id,
                        document=document.value,
                        source=document.source,
                        format=document.format,
                        publish=query.publish,
                        activate=query.activate,
                        catalog=catalog,
                        dry_run=query.dry_run,
                    )
                    made, outcome = await self._bring_in(call, command)
            except (Refusal, Unavailable) as trouble:
                return _refused(file, name, trouble), 0
            imported = _imported(file, made, outcome.result)
            if made and query.dry_run:
                return msgspec.structs.replace(imported, workflow_id=None), outcome.position
            return imported, outcome.position

        done = await asyncio.gather(*(one(*each) for each in documents))
        items = [item for item, _ in done]
        call.record.concerns(_what_became(items, dry_run=query.dry_run))
        counts = Counter(item.outcome for item in items)
        return json_answer(
            answers.WorkflowsImported(
                items=items,
                created=counts["created"],
                updated=counts["updated"],
                unchanged=counts["unchanged"],
                refused=counts["refused"],
                position=max((position for _, position in done), default=0),
            )
        )

    async def _bring_in(self, call: Call, command: commands.ImportWorkflow) -> tuple[bool, Outcome]:
        """Whether it is a new workflow. If one has the name already, the document goes to that one."""
        try:
            return True, await self._commands.send(call, command.workflow_id, command)
        except Refusal as refusal:
            if refusal.code != "workflow_name_taken" or refusal.extra.get("archived"):
                raise
            owner = str(refusal.extra["workflowId"])
        return False, await self._commands.send(call, owner, msgspec.structs.replace(command, workflow_id=owner))


class _Archive:
    """An archive of any number of workflows, a page at a time. `first`: the first one, read before anything is sent."""

    def __init__(self, page: Any, first: list[Source], format_: _Format | None) -> None:
        self._page = page
        self._first = first
        self._format = format_

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", ZIP_TYPE.encode()),
            (b"content-disposition", b'attachment; filename="workflows.zip"'),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        writer, sources = ArchiveWriter(), self._first
        while sources:
            for each in sources:
                format_ = self._format or each.format
                text = await _text(each.source, each.format, each.document.encode(), format_)
                writer.add(each.key.name, format_, text)
            await send({"type": "http.response.body", "body": writer.written(), "more_body": True})
            sources = await self._page(after=sources[-1].key) if len(sources) == PAGE else []
        writer.end()
        await send({"type": "http.response.body", "body": writer.written()})


async def _text(source: str, source_format: str, document: bytes, wanted: _Format) -> str:
    """As it was given if that is the format wanted."""
    if source and source_format == wanted:
        return source
    return await asyncio.to_thread(rendered, msgspec.json.decode(document), wanted)


def _read(file: File) -> Document | Refusal:
    try:
        return file.problem or parse_document(file.content, file.media_type)
    except Refusal as refusal:
        return refusal


def _title(file: File, document: Document | Refusal) -> str:
    return str(document.value["name"]) if isinstance(document, Document) else file.name


def _what_became(items: Sequence[answers.ImportedWorkflow], *, dry_run: bool) -> Iterator[str]:
    """What the audit log says of each: those that were changed first."""
    order = ("created", "updated", "refused", "unchanged")
    for item in sorted(items, key=lambda item: order.index(item.outcome)):
        known = (item.outcome, item.workflow_id, item.name or item.file)
        yield " ".join((*(["tried:"] if dry_run else []), *(part for part in known if part)))


def _ambiguous(total: int) -> Invalid:
    detail = f"{total} documents of the archive have this name, and it is not clear which one is meant."
    return Invalid("ambiguous_name", detail, (FieldProblem("name", "is that of another document too"),))


def _imported(file: File, made: bool, result: dict[str, Any]) -> answers.ImportedWorkflow:
    changed: Literal["updated", "unchanged"] = "updated" if result["changed"] else "unchanged"
    return answers.ImportedWorkflow(
        file=file.name or None,
        name=result["name"],
        outcome="created" if made else changed,
        workflow_id=result["workflowId"],
        revision=result["revision"],
        published_version=result["version"],
        active=result["active"],
        code=None,
        detail=None,
        problems=[],
    )


def _refused(file: File, name: str | None, trouble: Refusal | Unavailable) -> answers.ImportedWorkflow:
    refusal = trouble if isinstance(trouble, Refusal) else Refusal("unavailable", f"{trouble}. Import it again in a moment.")
    return answers.ImportedWorkflow(
        file=file.name or None,
        name=name,
        outcome="refused",
        workflow_id=None,
        revision=None,
        published_version=None,
        active=None,
        code=refusal.code,
        detail=refusal.detail,
        problems=[answers.Problem(path=each.path, message=each.message) for each in refusal.errors],
    )
