"""Approvals, from `read.approval`; oldest first, one index for each status."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple
from uuid import UUID

import msgspec
from runyard_shared.contracts.values import ApprovalStatus

from runyard_gateway.answers import ApprovalNotification, ApprovalRow, ApprovalVote
from runyard_gateway.database import Database, Reader, Row
from runyard_gateway.queries.columns import MAX_TIME_MS, instant

_COLUMNS = (
    "approval_id::text as approval_id, execution_id::text as execution_id, item, workflow_id::text as workflow_id,"
    " workflow_name, node_id, node_name, message, status, approvers, min_approvals, prevent_self_approval,"
    " votes::text as votes, requested_at, expires_at, escalated_to, escalated_at, reminded_at, responded_by,"
    " response_note, responded_via, responded_at,"
    " notifications::text as notifications, started_by"
)
_ONE = f"select {_COLUMNS} from read.approval where approval_id = $1::uuid and tenant_id = $2"  # noqa: S608
_OF_EXECUTION = (
    f"select {_COLUMNS} from read.approval where execution_id = $1::uuid and tenant_id = $2"  # noqa: S608
    " order by requested_at, approval_id limit $3"
)
_STATUS = "select status, json_array_length(votes) as votes from read.approval where approval_id = $1::uuid and tenant_id = $2"
_ADDRESSED = "(approvers && {names} or escalated_to && {names}{anyone})"
_UNANSWERED = (
    "not (prevent_self_approval and started_by = {me})"
    " and not exists (select from json_array_elements(votes) vote where vote ->> 'by' = {me})"
)


class PageKey(NamedTuple):
    """Where a page ended: milliseconds since 1970, and the approval."""

    requested_at_ms: Annotated[int, msgspec.Meta(ge=0, le=MAX_TIME_MS)]
    approval_id: UUID

    @classmethod
    def of(cls, row: ApprovalRow) -> "PageKey":
        return cls(round(datetime.fromisoformat(row.requested_at).timestamp() * 1000), UUID(row.approval_id))


class Approver(NamedTuple):
    """`names`: the person's own name, and `role:` with each role. `may_execute`: so they answer also what is for nobody."""

    name: str
    names: list[str]
    may_execute: bool


class ApprovalProgress(NamedTuple):
    status: ApprovalStatus
    votes: int


_votes = msgspec.json.Decoder(list[ApprovalVote]).decode
_notifications = msgspec.json.Decoder(list[ApprovalNotification]).decode


class ApprovalQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        tenant_id: str,
        statuses: Iterable[ApprovalStatus],
        after: PageKey | None,
        limit: int,
        *,
        execution_id: str | None = None,
        addressed_to: Approver | None = None,
        waiting_for: Approver | None = None,
    ) -> list[ApprovalRow]:
        """Oldest first. `addressed_to`: only what this person may answer; `waiting_for`: and has not answered."""
        arguments: list[Any] = [tenant_id, limit]

        def bind(value: Any, cast: str = "") -> str:
            arguments.append(value)
            return f"${len(arguments)}{cast}"

        conditions = ["tenant_id = $1"]
        if after is not None:
            at = datetime.fromtimestamp(after.requested_at_ms / 1000, UTC)
            conditions.append(f"(requested_at, approval_id) > ({bind(at)}, {bind(after.approval_id)})")
        person = waiting_for or addressed_to
        if person is not None:
            names = bind(person.names, "::text[]")
            anyone = " or cardinality(approvers) = 0" if person.may_execute else ""
            conditions.append(_ADDRESSED.format(names=names, anyone=anyone))
            if waiting_for is not None:
                conditions.append(_UNANSWERED.format(me=bind(person.name, "::text")))
        wanted = [status.value for status in sorted(set(statuses) or set(ApprovalStatus))]
        if execution_id is not None:
            conditions.append(f"execution_id = {bind(execution_id, '::uuid')}")
            of_status = [f"status = any({bind(wanted, '::text[]')})"]
        else:
            of_status = [f"status = {bind(status)}" for status in wanted]
        branches = " union all ".join(
            f"(select * from read.approval where {' and '.join(conditions)} and {status}"  # noqa: S608
            " order by requested_at, approval_id limit $2)"
            for status in of_status
        )
        sql = f"select {_COLUMNS} from ({branches}) found order by requested_at, found.approval_id limit $2"  # noqa: S608
        return [_approval(row) for row in await self._database.fetch(sql, *arguments)]

    async def count_waiting_for(self, tenant_id: str, person: Approver, limit: int) -> int:
        """How many are pending that this person may answer and has not, counted up to `limit`."""
        anyone = " or cardinality(approvers) = 0" if person.may_execute else ""
        wanted = f"{_ADDRESSED.format(names='$2::text[]', anyone=anyone)} and {_UNANSWERED.format(me='$3::text')}"
        pending = f"select from read.approval where tenant_id = $1 and status = 'pending' and {wanted} limit $4"
        sql = f"select count(*) as number from ({pending}) found"  # noqa: S608
        row = await self._database.fetch_row(sql, tenant_id, person.names, person.name, limit)
        return int(row["number"]) if row is not None else 0

    async def approval(self, tenant_id: str, approval_id: str) -> ApprovalRow | None:
        row = await self._database.fetch_row(_ONE, approval_id, tenant_id)
        return None if row is None else _approval(row)

    async def of_execution(self, tenant_id: str, execution_id: str, limit: int, reader: Reader) -> list[ApprovalRow]:
        """The first, in the order in which they were asked."""
        return [_approval(row) for row in await reader.fetch(_OF_EXECUTION, execution_id, tenant_id, limit)]

    async def progress(self, tenant_id: str, approval_id: str) -> ApprovalProgress | None:
        row = await self._database.fetch_row(_STATUS, approval_id, tenant_id)
        return None if row is None else ApprovalProgress(ApprovalStatus(row["status"]), row["votes"])


def _approval(row: Row) -> ApprovalRow:
    return ApprovalRow(
        approval_id=row["approval_id"],
        execution_id=row["execution_id"],
        item=row["item"],
        workflow_id=row["workflow_id"],
        workflow_name=row["workflow_name"],
        node_id=row["node_id"],
        node_name=row["node_name"],
        message=row["message"],
        status=ApprovalStatus(row["status"]),
        approvers=list(row["approvers"]),
        min_approvals=row["min_approvals"],
        prevent_self_approval=row["prevent_self_approval"],
        votes=_votes(row["votes"]),
        requested_at=instant(row["requested_at"]) or "",
        expires_at=instant(row["expires_at"]),
        escalated_to=list(row["escalated_to"]),
        escalated_at=instant(row["escalated_at"]),
        reminded_at=instant(row["reminded_at"]),
        responded_by=row["responded_by"],
        response_note=row["response_note"],
        responded_via=row["responded_via"],
        responded_at=instant(row["responded_at"]),
        notifications=_notifications(row["notifications"]),
        started_by=row["started_by"],
    )
