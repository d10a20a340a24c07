"""Agents: made here, with a key that is shown once; everything else about them is the dispatcher's to say."""

from collections.abc import Callable, Sequence
from shlex import quote
from typing import Annotated, Any, NamedTuple

import msgspec
from runyard_shared.agent_keys import hash_of, new_agent_key
from runyard_shared.clock import Clock
from runyard_shared.contracts import commands
from runyard_shared.ids import new_id
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.agent_keys import AgentKeys
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.agents import AgentQueries
from runyard_gateway.resources.path_ids import agent_id_of, no_agent

PATH = "/api/v1/agents"
_NOT_FOUND = {404: "agent_not_found"}
_REFUSALS = {404: "agent_not_found", 409: "agent_revoked: create it anew to use it again"}


class PageKey(NamedTuple):
    """The last agent of a page."""

    name: Annotated[str, msgspec.Meta(pattern="^[^\0]*$")]


class Agents:
    """`public_url`: where agents reach this gateway; empty for wherever a request came to."""

    def __init__(self, commands: Commands, queries: AgentQueries, keys: AgentKeys, public_url: str, clock: Clock) -> None:
        self._commands = commands
        self._queries = queries
        self._keys = keys
        self._public_url = public_url.rstrip("/")
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{agentId}}"
        return (
            _operation("GET", PATH, self.list, "listAgents", "Every agent that was ever made, by name", answers.AgentList,
                       Permission.VIEW, query=requests.AgentsQuery),
            _operation("POST", PATH, self.create, "createAgent", "A new agent; this answer shows its key, and no other will",
                       answers.AgentMade, Permission.ADMIN, status=201, body=requests.CreateAgent, body_required=True,
                       refusals={409: "agent_exists", 422: "unknown_pool"}),
            _operation("GET", one, self.detail, "getAgent", "An agent", answers.AgentRow, Permission.VIEW, refusals=_NOT_FOUND),
            _operation("GET", f"{one}/jobs", self.jobs, "listJobsOfAgent", "The jobs that it has now", answers.HeldJobs,
                       Permission.VIEW, refusals=_NOT_FOUND),
            _operation("PATCH", one, self.change, "changeAgent", "Change its pool or the tags it was given", answers.AgentRow,
                       Permission.ADMIN, body=requests.ChangeAgent, body_required=True,
                       refusals={**_REFUSALS, 422: "unknown_pool"}),
            _operation("POST", f"{one}/drain", self.drain, "drainAgent", "It finishes what it has and gets nothing new",
                       answers.AgentRow, Permission.MANAGE, refusals=_REFUSALS),
            _operation("POST", f"{one}/resume", self.resume, "resumeAgent", "It gets jobs again", answers.AgentRow,
                       Permission.MANAGE, refusals=_REFUSALS),
            _operation("POST", f"{one}/revoke", self.revoke, "revokeAgent",
                       "Cut it off at once and for good: its key opens nothing more, its running jobs count as lost",
                       answers.AgentRow, Permission.ADMIN, refusals=_NOT_FOUND),
            _operation("POST", f"{one}/rotate-key", self.rotate_key, "rotateAgentKey",
                       "A new key, shown once; the old one, and whoever uses it, is cut off at once", answers.AgentKeyMade,
                       Permission.ADMIN, refusals=_REFUSALS),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: requests.AgentsQuery = call.query
        after = decode_cursor(query.cursor, PageKey) or PageKey("")
        rows = await self._queries.page(call.tenant_id, after.name, query.limit + 1, pool=query.pool, statuses=query.status)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        return json_answer(answers.AgentList(items=rows, next_cursor=encode_cursor(PageKey(rows[-1].name)) if more else None))

    async def create(self, call: Call) -> ASGIApp:
        body: requests.CreateAgent = call.body
        key = new_agent_key()
        command = commands.CreateAgent(
            agent_id=call.new_id(), name=body.name, pool=body.pool, tags=[*dict.fromkeys(body.tags)], key_hash=hash_of(key)
        )
        made = await self._commands.send_to_dispatcher(call, command)
        if call.once is not None and not await self._keys.opens(command.key_hash):
            # carried out before, with a key that nobody has seen
            await self._rotate(call, made["agentId"], command.key_hash)
        answer = answers.AgentMade(
            agent_id=made["agentId"],
            name=made["name"],
            pool=made["pool"],
            tags=made["tags"],
            key=key,
            command=self._command_line(call, key),
        )
        location = (b"location", f"{PATH}/{made['agentId']}".encode())
        return json_answer(answer, 201, headers=[location])

    async def detail(self, call: Call) -> ASGIApp:
        return await self._row(call)

    async def jobs(self, call: Call) -> ASGIApp:
        agent_id = agent_id_of(call)
        agent = await self._queries.agent(call.tenant_id, agent_id)
        if agent is None:
            raise no_agent(agent_id)
        return json_answer(await self._queries.held_jobs(call.tenant_id, agent.name, self._clock.now()))

    async def change(self, call: Call) -> ASGIApp:
        body: requests.ChangeAgent = call.body
        tags = None if body.tags is None else [*dict.fromkeys(body.tags)]
        command = commands.ChangeAgent(agent_id=agent_id_of(call), pool=body.pool, tags=tags)
        await self._commands.send_to_dispatcher(call, command)
        return await self._row(call)

    async def drain(self, call: Call) -> ASGIApp:
        await self._commands.send_to_dispatcher(call, commands.DrainAgent(agent_id=agent_id_of(call)))
        return await self._row(call)

    async def resume(self, call: Call) -> ASGIApp:
        await self._commands.send_to_dispatcher(call, commands.ResumeAgent(agent_id=agent_id_of(call)))
        return await self._row(call)

    async def revoke(self, call: Call) -> ASGIApp:
        await self._commands.send_to_dispatcher(call, commands.RevokeAgent(agent_id=agent_id_of(call)))
        self._keys.forget()
        return await self._row(call)

    async def rotate_key(self, call: Call) -> ASGIApp:
        agent_id, key = agent_id_of(call), new_agent_key()
        await self._rotate(call, agent_id, hash_of(key))
        agent = await self._queries.agent(call.tenant_id, agent_id)
        if agent is None:
            raise no_agent(agent_id)
        made = answers.AgentKeyMade(agent_id=agent_id, name=agent.name, key=key, command=self._command_line(call, key))
        return json_answer(made)

    async def _rotate(self, call: Call, agent_id: str, key_hash: str) -> None:
        """Each time anew, also under the same Idempotency-Key: the key is another one."""
        command = commands.RotateAgentKey(agent_id=agent_id, key_hash=key_hash)
        await self._commands.send_to_dispatcher(call, command, request_id=new_id())
        self._keys.forget()

    async def _row(self, call: Call) -> ASGIApp:
        agent_id = agent_id_of(call)
        agent = await self._queries.agent(call.tenant_id, agent_id)
        if agent is None:
            raise no_agent(agent_id)
        return json_answer(agent)

    def _command_line(self, call: Call, key: str) -> str:
        url = self._public_url or f"http://{call.header(b'host') or 'localhost'}"
        return f"runyard-agent --url {quote(url)} --key {key}"


def _operation(
    method: str, path: str, handle: Callable[[Call], Any], name: str, summary: str, answer: Any, permission: Permission,
    **options: Any,
) -> Operation:  # fmt: skip
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="agents", answer=answer,
        permission=permission, **options,
    )  # fmt: skip
