"""Lists as they change (R5, R19, R30): the newest executions by a filter, and the approvals that wait."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
from runyard_shared.clock import Clock
from runyard_shared.contracts.values import ApprovalStatus

from runyard_gateway import answers, requests
from runyard_gateway.execution_filter import filter_of
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.approvals import ApprovalQueries, Approver
from runyard_gateway.queries.execution_list import COUNTED, ExecutionListQueries
from runyard_gateway.resources import approvals, executions
from runyard_gateway.resources.approvals import approver_of
from runyard_gateway.resources.event_streams import SSE, TOO_MANY, last_event_id
from runyard_gateway.resources.executions import counted, status_counts
from runyard_gateway.resources.waiting_reader import WaitingReader
from runyard_gateway.streams.event_stream import Source
from runyard_gateway.streams.open_streams import OpenStreams
from runyard_gateway.streams.shared_pages import Kind, Page, PageRow, SharedPages, Watched

MAX_COUNT = 200
"""More than so many approvals are not counted: a badge says `200+`."""

COUNTS_SECONDS = 1.0
"""Badges change at most so often."""


def _of_executions(topic: str) -> bool:
    return not topic.startswith("workflow.")


def _of_approvals(topic: str) -> bool:
    return topic.startswith("approval.")


_EXECUTIONS = Kind("execution", "executionId", _of_executions)
_APPROVALS = Kind("approval", "approvalId", _of_approvals)
_COUNTS = Kind("counts", None, _of_executions, COUNTS_SECONDS)
_PENDING = Kind("counts", None, _of_approvals, COUNTS_SECONDS)
_LAST_EVENT_ID = {"Last-Event-ID": "Show nothing older than this position"}

_encode = msgspec.json.Encoder().encode


class ApprovalCount(msgspec.Struct, frozen=True):
    """How many wait for whoever asks; `more`: at least so many."""

    waiting: int
    more: bool


class StatusCounts(msgspec.Struct, frozen=True):
    statuses: list[answers.StatusCount]


class PendingCount(msgspec.Struct, frozen=True, rename="camel"):
    pending_approvals: answers.Count


class ListStreams:
    def __init__(
        self,
        streams: OpenStreams,
        pages: SharedPages,
        lists: ExecutionListQueries,
        waiting: WaitingReader,
        approval_queries: ApprovalQueries,
        clock: Clock,
    ) -> None:
        self._streams = streams
        self._pages = pages
        self._lists = lists
        self._waiting = waiting
        self._approvals = approval_queries
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path=f"{executions.PATH}/stream", handle=self._streams.opens(self.executions),
                name="streamExecutions", tag="executions", answer_types=SSE, query=requests.ExecutionsStreamQuery,
                stream=True, permission=Permission.VIEW, request_headers=_LAST_EVENT_ID, refusals={503: TOO_MANY},
                summary="Server-Sent Events of the list's first page: `page`, then each `execution` on it that is new or"
                " changes, each that is `gone` from it, and the `counts` of each status by the same filter",
            ),
            Operation(
                method="GET", path=f"{approvals.PATH}/stream", handle=self._streams.opens(self.approvals),
                name="streamApprovals", tag="approvals", answer_types=SSE, query=requests.ApprovalsStreamQuery,
                stream=True, permission=None, request_headers=_LAST_EVENT_ID, refusals={503: TOO_MANY},
                summary="Server-Sent Events of the list's first page: `page`, then each `approval` on it that is new or"
                " changes, each that is `gone` from it, and the `count` of those that wait for me",
            ),
        )  # fmt: skip

    async def executions(self, call: Call) -> Source:
        query: requests.ExecutionsStreamQuery = call.query
        tenant_id, wanted, limit = call.tenant_id, filter_of(query), query.limit
        any_status = replace(wanted, statuses=frozenset())

        async def load() -> Page:
            now = self._clock.now()
            found = await self._lists.page(tenant_id, wanted, None, limit, now)
            await self._waiting.tell(tenant_id, found, now)
            return Page({each.row.execution_id: PageRow(each.position, _encode(each.row)) for each in found})

        me = approver_of(call.identity)

        async def count() -> Page:
            return Page(count=_encode(StatusCounts(status_counts(await self._lists.counts(tenant_id, any_status)))))

        async def count_pending() -> Page:
            waiting = await self._approvals.count_waiting_for(tenant_id, me, COUNTED + 1)
            return Page(count=_encode(PendingCount(counted(waiting))))

        return await self._pages.watch(
            tenant_id,
            _position(call),
            Watched(_EXECUTIONS, (wanted, limit), load),
            Watched(_COUNTS, any_status, count),
            Watched(_PENDING, (me.name, tuple(me.names), me.may_execute), count_pending),
        )

    async def approvals(self, call: Call) -> Source:
        query: requests.ApprovalsStreamQuery = call.query
        tenant_id, limit = call.tenant_id, query.limit
        me = approver_of(call.identity)
        sees_all = call.identity.may(Permission.VIEW)
        statuses = tuple(sorted(query.status or ([ApprovalStatus.PENDING] if query.mine else [])))

        async def load() -> Page:
            found = await self._approvals.page(
                tenant_id,
                statuses,
                None,
                limit,
                addressed_to=None if sees_all else me,
                waiting_for=me if query.mine else None,
            )
            rows = {row.approval_id: _encode(row) for row in found}
            return Page({each: PageRow(row, row) for each, row in rows.items()}, await self._count(tenant_id, me))

        key = (me.name, tuple(me.names), me.may_execute, sees_all, query.mine, statuses, limit)
        return await self._pages.watch(tenant_id, _position(call), Watched(_APPROVALS, key, load))

    async def _count(self, tenant_id: str, me: Approver) -> bytes:
        waiting = await self._approvals.page(tenant_id, [ApprovalStatus.PENDING], None, MAX_COUNT + 1, waiting_for=me)
        return _encode(ApprovalCount(waiting=min(len(waiting), MAX_COUNT), more=len(waiting) > MAX_COUNT))


def _position(call: Call) -> int | None:
    query: requests.StreamQuery = call.query
    position = last_event_id(call)
    return query.last_event_id if position is None else position
