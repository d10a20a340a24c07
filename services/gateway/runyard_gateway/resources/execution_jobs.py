"""The jobs of an execution: pages of them by filter, and one."""

from collections.abc import Sequence
from uuid import UUID

from runyard_shared.clock import Clock
from runyard_shared.errors import NotFound
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import ReadQuery
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.executions import ExecutionQueries
from runyard_gateway.queries.jobs import JobFilter, JobQueries, PageKey
from runyard_gateway.read_position import EXECUTIONS, ReadPosition
from runyard_gateway.resources.execution_reader import ExecutionReader
from runyard_gateway.resources.path_ids import execution_id_of, job_id_of, no_job


class ExecutionJobs:
    def __init__(
        self,
        jobs: JobQueries,
        queries: ExecutionQueries,
        reader: ExecutionReader,
        read_position: ReadPosition,
        clock: Clock,
    ) -> None:
        self._jobs = jobs
        self._queries = queries
        self._reader = reader
        self._read_position = read_position
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        path = "/api/v1/executions/{executionId}/jobs"
        return (
            Operation(method="GET", path=path, handle=self.list, name="listJobs", tag="executions",
                      permission=Permission.VIEW, summary="The jobs of an execution, in the order in which they were queued",
                      answer=answers.JobList, query=requests.JobsQuery,
                      refusals={404: "execution_not_found, item_not_found"}),
            Operation(method="GET", path=f"{path}/{{jobId}}", handle=self.job, name="getJob", tag="executions",
                      permission=Permission.VIEW, summary="A job", answer=answers.JobRow, query=ReadQuery,
                      refusals={404: "execution_not_found, job_not_found"}),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: requests.JobsQuery = call.query
        execution_id = execution_id_of(call)
        await self._read_position.reach(EXECUTIONS, query.min_position)
        await self._reader.state(call.tenant_id, execution_id)
        wanted = JobFilter(frozenset(query.status), query.node_id, await self._stream(call.tenant_id, execution_id, query.item))
        after = decode_cursor(query.cursor, PageKey)
        jobs = await self._jobs.page(call.tenant_id, execution_id, wanted, after, query.limit + 1, self._clock.now())
        more = len(jobs) > query.limit
        jobs = jobs[: query.limit]
        return json_answer(
            answers.JobList(items=jobs, next_cursor=encode_cursor(PageKey(UUID(jobs[-1].job_id))) if more else None)
        )

    async def job(self, call: Call) -> ASGIApp:
        query: ReadQuery = call.query
        execution_id, job_id = execution_id_of(call), job_id_of(call)
        await self._read_position.reach(EXECUTIONS, query.min_position)
        job = await self._queries.job(call.tenant_id, execution_id, job_id, self._clock.now())
        if job is None:
            await self._reader.state(call.tenant_id, execution_id)
            raise no_job(job_id)
        return json_answer(job)

    async def _stream(self, tenant_id: str, execution_id: str, item: str | None) -> str | None:
        if item is None:
            return None
        stream_id = (await self._queries.iterations(tenant_id, execution_id, [item])).get(item)
        if stream_id is None:
            raise NotFound("item_not_found", f"This execution has begun no iteration {item}.")
        return stream_id
