"""The header `Idempotency-Key`: the same key gives the first answer again, and nothing happens twice.

The answer of a command is kept for 24 hours by tenant, actor and key. Whoever carries a command out holds its row for a few
seconds at a time. If that gateway dies, the next one that is asked carries the command out again, which changes nothing more:

| command                                            | a second time                                                     |
|----------------------------------------------------|-------------------------------------------------------------------|
| run, re-run, bulk re-run, incident                 | the log has claimed the key: the same executions                  |
| bulk cancel                                        | the choice is kept, and each of them knows the request            |
| save, publish, import a workflow; cancel           | `Call.request_id` is the same: the log or the state has it        |
| pools, agents, connections, approvals              | likewise: the service answers a request that it knows as before   |
| create a user, a role, a channel, a webhook        | `Call.new_id` gives the same id: it is known by that              |
| make or rotate a key, a tenant or agent with one   | the same thing with another key: nobody has seen the first        |
| change or delete a user, a role, a webhook         | it is as asked already; or a 404 which says that it is gone       |
| test a connection or a channel                     | another test                                                      |

Without the header nothing of this happens, and nothing is asked of the database.
"""

import asyncio
import hmac
from dataclasses import replace
from hashlib import sha256
from time import monotonic
from typing import Any

import msgspec
import structlog
from pydantic import BaseModel, SecretStr
from runyard_shared.errors import Conflict, Invalid, Refusal, Unavailable
from runyard_shared.ids import new_id
from starlette.types import ASGIApp

from runyard_gateway.http.answer import Answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.problems import problem_answer
from runyard_gateway.queries.kept_answers import Asked, KeptAnswer, KeptAnswerQueries
from runyard_gateway.secret import Secret

MAX_KEY = 255
IDEMPOTENCY_HEADER = {"Idempotency-Key": "The same key gives the first answer again, and nothing happens twice (24 hours)"}
REPLAYED = (b"idempotency-replayed", b"true")
HELD_SECONDS = 10.0
"""How long a key stays blocked after its gateway died."""
WAIT_SECONDS = 2.0
LOOK_EVERY_SECONDS = 0.05
_KEPT_HEADERS = frozenset({b"content-type", b"content-length", b"cache-control", b"location", b"etag", b"www-authenticate"})
_log = structlog.get_logger(__name__)


def idempotency_key(call: Call) -> str | None:
    """Raises `Refusal` (400, `invalid_idempotency_key`)."""
    key = call.header(b"idempotency-key")
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise Refusal("invalid_idempotency_key", f"An Idempotency-Key is 1 to {MAX_KEY} printable ASCII characters.")
    return key


def key_reused() -> Invalid:
    return Invalid("idempotency_key_reused", "This Idempotency-Key was used for another request; use a new one.")


class Idempotency:
    """Carries out commands that have a key, once."""

    def __init__(
        self,
        answers: KeptAnswerQueries,
        secret: Secret,
        *,
        held_seconds: float = HELD_SECONDS,
        wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._answers = answers
        self._secret = secret
        self._held_seconds = held_seconds
        self._wait_seconds = wait_seconds

    def front(self, operation: Operation) -> Operation:
        """The operation with this before its handler."""
        if not operation.takes_idempotency_key:
            return operation

        async def handle(call: Call) -> ASGIApp:
            key = idempotency_key(call)
            return await (operation.handle(call) if key is None else self.answer(operation, call, key))

        return replace(operation, handle=handle)

    async def answer(self, operation: Operation, call: Call, key: str) -> ASGIApp:
        """Raises what the handler raises, `Invalid` for another request under the same key, and `Conflict` if the first is
        still under way after a moment."""
        request = _request(operation, call)
        asked, holder = Asked(call.tenant_id, call.identity.actor, key), new_id()
        fingerprints = [hmac.digest(each, request, sha256) for each in await self._secret.keys("requests")]
        give_up_at = monotonic() + self._wait_seconds
        while True:
            began_at = await self._answers.take(asked, fingerprints, holder, self._held_seconds)
            if began_at is not None:
                call.once = (began_at, "\x1f".join(asked))
                return await self._carry_out(operation, call, asked, holder)
            kept = await self._answers.find(asked)
            if kept is not None and kept.fingerprint not in fingerprints:
                raise key_reused()
            if kept is not None and kept.status is not None:
                return _again(kept)
            if monotonic() > give_up_at:
                detail = "The first request with this Idempotency-Key is under way; ask again in a moment."
                raise Conflict("request_under_way", detail, retryAfterSeconds=1)
            await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _carry_out(self, operation: Operation, call: Call, asked: Asked, holder: str) -> ASGIApp:
        try:
            answer = await self._handle(operation, call, asked, holder)
        except Refusal as refusal:
            await self._keep(asked, holder, problem_answer(refusal))
            raise
        except Exception:
            await self._give_back(asked, holder)
            raise
        if isinstance(answer, Answer):
            await self._keep(asked, holder, answer, is_secret=operation.holds_secret)
        else:
            await self._give_back(asked, holder)
        return answer

    async def _handle(self, operation: Operation, call: Call, asked: Asked, holder: str) -> ASGIApp:
        """However long it takes, it stays held; only of one who died the time runs out."""
        handling = asyncio.ensure_future(operation.handle(call))
        try:
            while not handling.done():
                await asyncio.wait({handling}, timeout=self._held_seconds / 3)
                if not handling.done():
                    await self._still(asked, holder, self._held_seconds)
        finally:
            handling.cancel()
        return await handling

    async def _keep(self, asked: Asked, holder: str, answer: Answer, *, is_secret: bool = False) -> None:
        if answer.status >= 500:
            await self._give_back(asked, holder)
            return
        headers = [(name, value) for name, value in answer.headers if name in _KEPT_HEADERS]
        secret = is_secret and answer.status < 400
        try:
            await self._answers.keep(asked, holder, answer.status, [] if secret else headers, None if secret else answer.body)
        except Unavailable as outage:
            # The command is carried out: its answer is worth more than the promise to give it again.
            _log.warning("an answer is not kept", reason=str(outage))

    async def _give_back(self, asked: Asked, holder: str) -> None:
        await self._still(asked, holder, 0)

    async def _still(self, asked: Asked, holder: str, seconds: float) -> None:
        try:
            await self._answers.hold(asked, holder, seconds)
        except Unavailable as outage:
            _log.warning("a request with an Idempotency-Key is held no longer than said", reason=str(outage))


def _again(kept: KeptAnswer) -> ASGIApp:
    if kept.body is None:
        detail = (
            "The first request with this Idempotency-Key was carried out. Its answer held a secret, which is shown once and"
            " kept nowhere; if it did not reach you, make or rotate it with a new key."
        )
        raise Conflict("answer_not_kept", detail, firstStatus=kept.status)
    return Answer(kept.status or 0, [*kept.headers, REPLAYED], kept.body)


def _request(operation: Operation, call: Call) -> bytes:
    """What must be the same for the same key."""
    given: list[Any] = [operation.name, dict(call.path)]
    for each in (call.query, call.body):
        given.append(each.model_dump() if isinstance(each, BaseModel) else each)
    return msgspec.json.encode(given, enc_hook=_in_the_open, order="deterministic")


def _in_the_open(value: Any) -> Any:
    """Of values that JSON has not: a secret counts as it is, for the fingerprint is keyed."""
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
