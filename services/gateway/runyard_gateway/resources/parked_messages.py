"""Messages nobody could handle: looked at, sent again, dropped. For whoever holds the admin token, as one may be anybody's.

A retry sends first and notes it then. Whoever dies between the two leaves the message in the list, and sends it twice by
retrying again: handlers take every message as if it came twice.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from runyard_shared.contracts.commands import SettleParkedMessage
from runyard_shared.errors import Conflict, Forbidden, NotFound, Unavailable
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.senders import trespass_of
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer, nothing_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.parked_messages import NEWEST, Body, ParkedFilter, ParkedKey, ParkedMessageQueries

PATH = "/api/v1/parked-messages"
_is_id = re.compile(r"[0-9a-f]{64}").fullmatch
_NOT_FOUND = {404: "parked_message_not_found"}


class ParkedMessages:
    """`patience_seconds`: how long a queue may take."""

    def __init__(self, commands: Commands, queries: ParkedMessageQueries, bus: Bus, patience_seconds: float) -> None:
        self._commands = commands
        self._queries = queries
        self._bus = bus
        self._patience_seconds = patience_seconds

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{messageId}}"
        return (
            _operation("GET", PATH, self.list, "listParkedMessages", "Messages nobody could handle, those parked last first",
                       answers.ParkedMessageList, query=requests.ParkedMessagesQuery),
            _operation("GET", one, self.detail, "getParkedMessage", "A message nobody could handle, with its body",
                       answers.ParkedMessageDetail, refusals=_NOT_FOUND),
            _operation("POST", f"{one}/retry", self.retry, "retryParkedMessage",
                       "Send it again to the queue it came for; it is parked again if it still cannot be handled",
                       answers.ParkedMessageDetail,
                       refusals={403: "not_for_this_agent", **_NOT_FOUND, 409: "not_retryable, parked_message_settled"}),
            _operation("DELETE", one, self.drop, "dropParkedMessage", "Forget its body: it will never be handled", None,
                       status=204, answer_types=(), refusals={**_NOT_FOUND, 409: "parked_message_settled"}),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: requests.ParkedMessagesQuery = call.query
        chosen = ParkedFilter(query.status, query.queue, query.q)
        rows = await self._queries.page(chosen, decode_cursor(query.cursor, ParkedKey) or NEWEST, query.limit + 1)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        cursor = encode_cursor(rows[-1][1]) if more else None
        return json_answer(answers.ParkedMessageList(items=[row for row, _ in rows], next_cursor=cursor))

    async def detail(self, call: Call) -> ASGIApp:
        found = await self._queries.find(_id_of(call))
        if found is None:
            raise _not_found()
        return json_answer(found)

    async def retry(self, call: Call) -> ASGIApp:
        message_id, message = await self._message(call)
        if message.outcome != "retried":  # else it is asked for again
            if message.outcome is None:
                await self._send(message)
            await self._settle(call, message_id, message, "retried")
        return await self.detail(call)

    async def drop(self, call: Call) -> ASGIApp:
        message_id, message = await self._message(call)
        await self._settle(call, message_id, message, "dropped")
        return nothing_answer()

    async def _message(self, call: Call) -> tuple[str, Body]:
        message_id = _id_of(call)
        message = await self._queries.body(message_id)
        if message is None:
            raise _not_found()
        return message_id, message

    async def _send(self, message: Body) -> None:
        items = _items(message)
        if message.sender:
            tenant_id, _, agent = message.sender.partition("/")
            for item in items:
                if wrong := trespass_of(bytes(item), tenant_id, agent):
                    raise Forbidden("not_for_this_agent", f"Sent again, it would be taken for our own word: {wrong}. Drop it.")
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._bus.send(message.queue, items)
        except TimeoutError:
            why = self._bus.trouble or f"{message.queue} does not take it in time"
            raise Unavailable(f"the message is still parked: {why}") from None
        except ValueError:
            detail = f"There is no queue {message.queue} in this version. Drop the message."
            raise Conflict("not_retryable", detail) from None

    async def _settle(self, call: Call, message_id: str, message: Body, outcome: str) -> None:
        command = SettleParkedMessage(message_id=message_id, parked_at=message.parked_at, outcome=outcome)
        await self._commands.send_to_projections(call, command)


def _items(message: Body) -> "list[msgspec.Raw]":
    """One, or those of a list that the broker gave up on."""
    if not message.whole:
        raise Conflict(
            "not_retryable",
            "Only part of it was kept: it is no JSON, too large, or held a secret. Have it sent anew by whoever sent it, and"
            " drop this one.",
        )
    if message.body.lstrip()[:1] == b"[":
        return msgspec.json.decode(message.body, type=list[msgspec.Raw])
    return [msgspec.Raw(message.body)]


def _id_of(call: Call) -> str:
    message_id = call.path["messageId"]
    if not _is_id(message_id):
        raise _not_found()
    return message_id


def _not_found() -> NotFound:
    return NotFound("parked_message_not_found", "There is no such parked message (any more).")


def _operation(
    method: str, path: str, handle: Callable[[Call], Any], name: str, summary: str, answer: Any, **options: Any
) -> Operation:
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="system", answer=answer,
        permission=Permission.INSTALLATION, **options,
    )  # fmt: skip
