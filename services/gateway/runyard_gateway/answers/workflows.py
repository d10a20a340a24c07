"""Workflows: drafts, versions, what is wrong with a document, and how two versions differ."""

from typing import Annotated, Literal

from msgspec import Meta
from runyard_shared.contracts.values import ExecutionStatus

from runyard_gateway.answers.body import Body, Cursor, Id, Instant, Json, Position


class Draft(Body):
    """`source` is the text exactly as it was given."""

    document: Json
    source: str
    format: Literal["yaml", "json"]
    revision: Annotated[int, Meta(description="Counts the drafts of the workflow from 1; the ETag")]
    saved_at: Instant
    saved_by: str


class WorkflowRow(Body):
    """`publishedVersion` is the one that runs, `latestVersion` the highest."""

    workflow_id: Id
    name: str
    active: bool
    archived: bool
    published_version: int | None
    latest_version: int | None
    created_at: Instant
    created_by: str
    updated_at: Instant
    drafted_at: Annotated[Instant, Meta(description="When the draft was saved")]
    drafted_by: str
    draft_differs: Annotated[bool, Meta(description="Whether the draft is another text than the version that runs")]
    triggers: Annotated[list[str], Meta(description="Their types in the version that runs, each once")]


class WorkflowDetail(WorkflowRow):
    draft: Draft


class LastExecution(Body):
    execution_id: Id
    status: ExecutionStatus
    started_at: Instant
    finished_at: Instant | None


class ListedWorkflow(WorkflowRow):
    last_executions: Annotated[list[LastExecution], Meta(description="The five newest, newest first")]


class WorkflowList(Body):
    items: list[ListedWorkflow]
    next_cursor: Cursor


class DraftSaved(Body):
    """Also the answer to a new workflow, whose document is its first draft."""

    workflow_id: Id
    name: str
    active: bool
    archived: bool
    published_version: int | None
    draft: Draft
    position: Position


class Problem(Body):
    path: str
    message: str


class ImportedWorkflow(Body):
    """What became of one document: all that was asked for, or nothing and the reasons."""

    file: Annotated[str | None, Meta(description="Its name in the archive")]
    name: Annotated[str | None, Meta(description="Null where the document has none that can be used")]
    outcome: Literal["created", "updated", "unchanged", "refused"]
    workflow_id: Annotated[Id | None, Meta(description="Null for one that a dry run would make")]
    revision: Annotated[int | None, Meta(description="Of the draft")]
    published_version: int | None
    active: bool | None
    code: Annotated[str | None, Meta(description="Why it was refused, stable")]
    detail: str | None
    problems: list[Problem]


class WorkflowsImported(Body):
    items: list[ImportedWorkflow]
    created: int
    updated: int
    unchanged: int
    refused: int
    position: Position


class Validation(Body):
    """`warnings` stop no publish: what will not do what its author seems to expect."""

    valid: bool
    errors: list[Problem]
    warnings: list[Problem]


class Published(Body):
    """`warnings` as for a validation."""

    workflow_id: Id
    version: int
    warnings: list[Problem]
    position: Position


class WorkflowChanged(Body):
    workflow_id: Id
    name: str
    active: bool
    archived: bool
    published_version: int | None
    position: Position


class VersionRow(Body):
    workflow_id: Id
    version: int
    running: Annotated[bool, Meta(description="Whether new executions run this version")]
    published_at: Instant
    published_by: str


class VersionDetail(VersionRow):
    document: Json
    source: str
    format: Literal["yaml", "json"]


class VersionList(Body):
    items: list[VersionRow]
    next_cursor: Cursor


class Difference(Body):
    """One place where two documents differ; `before` is null for what was added, `after` for what was removed."""

    kind: Literal["added", "removed", "changed"]
    path: str
    before: Json
    after: Json


class VersionDiff(Body):
    workflow_id: Id
    version: int
    against: int
    differences: list[Difference]
