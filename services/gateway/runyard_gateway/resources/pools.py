"""Pools of agents: made, deleted, paused, and what goes on in them."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from runyard_shared.clock import Clock
from runyard_shared.contracts import commands, values
from runyard_shared.errors import NotFound
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer, nothing_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import PageQuery
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.pools import PoolQueries
from runyard_gateway.resources.agents import PageKey

PATH = "/api/v1/pools"
_is_name = re.compile(values.NAME).match
_NOT_FOUND = {404: "pool_not_found"}


class Pools:
    def __init__(self, commands: Commands, queries: PoolQueries, clock: Clock) -> None:
        self._commands = commands
        self._queries = queries
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{poolName}}"
        return (
            _operation("GET", PATH, self.list, "listPools", "Pools, by name", answers.PoolList, query=PageQuery),
            _operation("POST", PATH, self.create, "createPool", "A new pool", answers.PoolRow, status=201,
                       body=requests.CreatePool, body_required=True, refusals={409: "pool_exists"}),
            _operation("DELETE", one, self.delete, "deletePool", "Delete a pool that nothing needs", None, status=204,
                       answer_types=(), refusals={**_NOT_FOUND, 409: "pool_in_use, pool_is_default"}),
            _operation("GET", f"{one}/jobs", self.jobs, "listJobsOfPool",
                       "The jobs that its agents have now, and those that wait for one, with why", answers.PoolJobs,
                       refusals=_NOT_FOUND),
            _operation("POST", f"{one}/pause", self.pause, "pausePool", "Send nothing new to its agents", answers.PoolRow,
                       body=requests.PausePool, refusals=_NOT_FOUND),
            _operation("POST", f"{one}/resume", self.resume, "resumePool", "Send jobs to its agents again", answers.PoolRow,
                       refusals=_NOT_FOUND),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: PageQuery = call.query
        after = decode_cursor(query.cursor, PageKey) or PageKey("")
        rows = await self._queries.page(call.tenant_id, after.name, query.limit + 1)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        return json_answer(answers.PoolList(items=rows, next_cursor=encode_cursor(PageKey(rows[-1].name)) if more else None))

    async def create(self, call: Call) -> ASGIApp:
        body: requests.CreatePool = call.body
        await self._commands.send_to_dispatcher(call, commands.CreatePool(pool=body.name, description=body.description))
        return await self._row(call, body.name, 201)

    async def delete(self, call: Call) -> ASGIApp:
        await self._commands.send_to_dispatcher(call, commands.DeletePool(pool=_name_of(call)))
        return nothing_answer()

    async def jobs(self, call: Call) -> ASGIApp:
        name = _name_of(call)
        if await self._queries.pool(call.tenant_id, name) is None:
            raise _no_pool(name)
        return json_answer(await self._queries.jobs(call.tenant_id, name, self._clock.now()))

    async def pause(self, call: Call) -> ASGIApp:
        body: requests.PausePool = call.body
        name = _name_of(call)
        await self._commands.send_to_dispatcher(call, commands.PausePool(pool=name, reason=body.reason))
        return await self._row(call, name, 200)

    async def resume(self, call: Call) -> ASGIApp:
        name = _name_of(call)
        await self._commands.send_to_dispatcher(call, commands.ResumePool(pool=name))
        return await self._row(call, name, 200)

    async def _row(self, call: Call, name: str, status: int) -> ASGIApp:
        pool = await self._queries.pool(call.tenant_id, name)
        if pool is None:
            raise _no_pool(name)
        return json_answer(pool, status)


def _name_of(call: Call) -> str:
    name = call.path["poolName"]
    if not _is_name(name):
        raise _no_pool(name)
    return name


def _no_pool(name: str) -> NotFound:
    return NotFound("pool_not_found", f"There is no pool {name[:63]!r}.")


def _operation(
    method: str, path: str, handle: Callable[[Call], Any], name: str, summary: str, answer: Any, **options: Any
) -> Operation:
    permission = Permission.VIEW if method == "GET" else Permission.MANAGE
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="agents", answer=answer,
        permission=permission, **options,
    )  # fmt: skip
