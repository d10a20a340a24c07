"""Executions as the API shows them, found also when they are so new that the read model does not have them yet."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar
from uuid import UUID

import msgspec
from runyard_shared.clock import Clock

from runyard_gateway.answers import ExecutionDetail
from runyard_gateway.banner import banner
from runyard_gateway.cursor import encode_cursor
from runyard_gateway.queries.approvals import PageKey as ApprovalPageKey
from runyard_gateway.queries.events import EventQueries
from runyard_gateway.queries.executions import Execution, ExecutionQueries, ExecutionState
from runyard_gateway.queries.jobs import PageKey as JobPageKey
from runyard_gateway.read_position import EXECUTIONS, ReadPosition
from runyard_gateway.resources.path_ids import no_execution
from runyard_gateway.resources.waiting_reader import WaitingReader

T = TypeVar("T")


class Seen(NamedTuple):
    """A detail, and the ids of what has not ended in it."""

    detail: ExecutionDetail
    outstanding: frozenset[str]


class ExecutionReader:
    """Every method raises `NotFound` for an execution that the tenant does not have."""

    def __init__(
        self,
        queries: ExecutionQueries,
        events: EventQueries,
        waiting: WaitingReader,
        read_position: ReadPosition,
        clock: Clock,
    ) -> None:
        self._queries = queries
        self._events = events
        self._waiting = waiting
        self._read_position = read_position
        self._clock = clock

    async def detail(self, tenant_id: str, execution_id: str) -> Seen:
        now = self._clock.now()
        found = await self._find(tenant_id, execution_id, lambda: self._queries.execution(tenant_id, execution_id, now))
        await self._waiting.tell(tenant_id, [found.found], now)
        return Seen(_detail(found), found.outstanding)

    async def state(self, tenant_id: str, execution_id: str) -> ExecutionState:
        return await self._find(tenant_id, execution_id, lambda: self._queries.state(tenant_id, execution_id))

    async def _find(self, tenant_id: str, execution_id: str, look: Callable[[], Awaitable[T | None]]) -> T:
        """Whoever was told of a start may ask for the execution at once: if it is in the log, the read model is waited for."""
        found = await look()
        if found is None:
            end = await self._events.end_of_stream(tenant_id, execution_id)
            if end is not None:
                await self._read_position.reach(EXECUTIONS, end)
                found = await look()
        if found is None:
            raise no_execution(execution_id)
        return found


def _detail(execution: Execution) -> ExecutionDetail:
    row = msgspec.structs.asdict(execution.found.row)
    counts = row.pop("jobs")
    del row["running"]  # the detail has the jobs themselves
    return ExecutionDetail(
        **row,
        banner=banner(execution, execution.found.row.waiting),
        variables={**execution.inputs, **execution.vars},
        nodes=execution.nodes,
        jobs=execution.jobs,
        jobs_cursor=encode_cursor(JobPageKey(UUID(execution.jobs[-1].job_id))) if execution.more_jobs else None,
        job_counts=counts,
        approvals=execution.approvals,
        approvals_cursor=encode_cursor(ApprovalPageKey.of(execution.approvals[-1])) if execution.more_approvals else None,
        started_by=execution.started_by,
        from_node=execution.from_node,
        reruns=execution.reruns,
        children=execution.children,
        as_of=execution.as_of,
    )
