"""Connections. A secret is sealed for the dispatcher before it leaves this process, and no answer has one."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from runyard_shared.contracts import commands
from runyard_shared.errors import Refusal
from runyard_shared.ids import new_id
from runyard_shared.sealing import seal
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands
from runyard_gateway.connection_bodies import CheckedConnection, changed_connection, new_connection
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer, nothing_answer
from runyard_gateway.http.operation import Call, Operation, RawBody
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.connections import ConnectionQueries
from runyard_gateway.resources.agents import PageKey
from runyard_gateway.resources.path_ids import connection_id_of, no_connection

PATH = "/api/v1/connections"
_NOT_FOUND = {404: "connection_not_found"}
_SAVE = {409: "connection_exists", 422: "invalid_connection, with all problems; unknown_pool"}
_CANNOT_TEST = "no_agent_online, connection_disabled, connection_unreadable, connection_not_allowed"
STALE = "stale_sealing_key"


class Connections:
    """`test_seconds`: how long a test may take."""

    def __init__(self, commands: Commands, queries: ConnectionQueries, test_seconds: float) -> None:
        self._commands = commands
        self._queries = queries
        self._test_seconds = test_seconds

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{connectionId}}"
        return (
            _operation("GET", PATH, self.list, "listConnections", "Connections, by name; of secrets only the names",
                       answers.ConnectionList, query=requests.ConnectionsQuery),
            _operation("POST", PATH, self.create, "createConnection", "A new connection", answers.Connection, status=201,
                       body=RawBody, body_schema=requests.CreateConnection, body_required=True, refusals=_SAVE),
            _operation("GET", one, self.detail, "getConnection", "A connection; of secrets only the names",
                       answers.ConnectionRow, refusals=_NOT_FOUND),
            _operation("PUT", one, self.replace, "replaceConnection",
                       "Replace all but its kind; a secret that is absent stays, null removes it", answers.Connection,
                       body=RawBody, body_schema=requests.ReplaceConnection, body_required=True,
                       refusals={**_NOT_FOUND, **_SAVE}),
            _operation("DELETE", one, self.delete, "deleteConnection", "Delete a connection; jobs that use it fail at once",
                       None, status=204, answer_types=(), refusals=_NOT_FOUND),
            _operation("POST", f"{one}/enable", self.enable, "enableConnection", "Let jobs use it", answers.ConnectionRow,
                       refusals=_NOT_FOUND),
            _operation("POST", f"{one}/disable", self.disable, "disableConnection", "Jobs that use it fail at once",
                       answers.ConnectionRow, refusals=_NOT_FOUND),
            _operation("POST", f"{one}/test", self.test, "testConnection", "Have an agent try it out now",
                       answers.ConnectionTested, body=requests.TestConnection,
                       refusals={**_NOT_FOUND, 409: _CANNOT_TEST, 504: "test_timed_out"}),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: requests.ConnectionsQuery = call.query
        after = decode_cursor(query.cursor, PageKey) or PageKey("")
        rows = await self._queries.page(call.tenant_id, after.name, query.kind, query.limit + 1)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        cursor = encode_cursor(PageKey(rows[-1].name)) if more else None
        return json_answer(answers.ConnectionList(items=rows, next_cursor=cursor))

    async def create(self, call: Call) -> ASGIApp:
        body: RawBody = call.body
        connection_id = call.new_id()
        saved = await self._save(call, connection_id, new_connection(body.content), new=True)
        return json_answer(saved, 201, headers=[(b"location", f"{PATH}/{connection_id}".encode())])

    async def detail(self, call: Call) -> ASGIApp:
        return json_answer(await self._row(call))

    async def replace(self, call: Call) -> ASGIApp:
        body: RawBody = call.body
        known = await self._row(call)
        changed = changed_connection(body.content, known.kind, known.secrets)
        return json_answer(await self._save(call, known.connection_id, changed, new=False))

    async def delete(self, call: Call) -> ASGIApp:
        command = commands.DeleteConnection(connection_id=connection_id_of(call))
        await self._commands.send_to_dispatcher(call, command)
        return nothing_answer()

    async def enable(self, call: Call) -> ASGIApp:
        command = commands.EnableConnection(connection_id=connection_id_of(call))
        await self._commands.send_to_dispatcher(call, command)
        return json_answer(await self._row(call))

    async def disable(self, call: Call) -> ASGIApp:
        command = commands.DisableConnection(connection_id=connection_id_of(call))
        await self._commands.send_to_dispatcher(call, command)
        return json_answer(await self._row(call))

    async def test(self, call: Call) -> ASGIApp:
        body: requests.TestConnection = call.body
        command = commands.TestConnection(connection_id=connection_id_of(call), agent=body.agent)
        result = await self._commands.send_to_dispatcher(call, command, request_id=new_id(), timeout_seconds=self._test_seconds)
        tested = answers.ConnectionTested(
            ok=result["ok"], message=result["message"], agent=result["agent"], duration_ms=result["durationMs"]
        )
        return json_answer(tested)

    async def _row(self, call: Call) -> answers.ConnectionRow:
        connection_id = connection_id_of(call)
        row = await self._queries.connection(call.tenant_id, connection_id)
        if row is None:
            raise no_connection(connection_id)
        return row

    async def _save(self, call: Call, connection_id: str, checked: CheckedConnection, *, new: bool) -> answers.Connection:
        try:
            result = await self._send(call, "save", connection_id, checked, new=new)
        except Refusal as refusal:
            if refusal.code != STALE:
                raise
            # the dispatcher got another master key since its public half was read
            result = await self._send(call, "save again", connection_id, checked, new=new)
        return answers.Connection(
            connection_id=result["connectionId"],
            name=result["name"],
            kind=result["kind"],
            config=result["config"],
            secrets=result["secrets"],
            pools=result["pools"],
            enabled=result["enabled"],
        )

    async def _send(
        self, call: Call, step: str, connection_id: str, checked: CheckedConnection, *, new: bool
    ) -> dict[str, Any]:
        command = commands.SaveConnection(
            connection_id=connection_id,
            new=new,
            name=checked.name,
            kind=checked.kind,
            config=checked.config,
            sealed_secrets=await self._sealed(checked.secrets),
            pools=checked.pools,
            description=checked.description,
        )
        return await self._commands.send_to_dispatcher(call, command, request_id=call.request_id(step))

    async def _sealed(self, secrets: Mapping[str, str | None]) -> dict[str, bytes | None]:
        if all(secret is None for secret in secrets.values()):
            return dict.fromkeys(secrets)
        key = await self._queries.sealing_key()
        if key is None:
            detail = (
                "Secrets cannot be kept: the dispatcher has no master key. Set RUNYARD_MASTER_KEYS for it, to a random text of"
                " at least 32 characters that you keep safe, and start it again."
            )
            raise Refusal("no_master_key", detail, 503)
        return {name: None if secret is None else seal(key, secret.encode()) for name, secret in secrets.items()}


def _operation(
    method: str, path: str, handle: Callable[[Call], Any], name: str, summary: str, answer: Any, **options: Any
) -> Operation:
    permission = Permission.VIEW if method == "GET" else Permission.MANAGE
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="connections", answer=answer,
        permission=permission, **options,
    )  # fmt: skip
