"""Cancel or re-run whatever a filter finds (R44): one command for each execution, one answer for all."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any, Literal

from runyard_shared.clock import Clock
from runyard_shared.contracts import commands
from runyard_shared.contracts.values import FINISHED_EXECUTIONS, ExecutionStatus
from runyard_shared.errors import Invalid, Refusal, Unavailable
from runyard_shared.ids import new_id
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands, Outcome
from runyard_gateway.execution_filter import filter_of
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.idempotency import idempotency_key, key_reused
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.bulk_requests import BulkRequestQueries, Chosen
from runyard_gateway.queries.execution_list import ANYTHING, ExecutionListQueries, Filter

PATH = "/api/v1/executions"
AT_ONCE = 32
_ACTIVE = frozenset(ExecutionStatus) - FINISHED_EXECUTIONS


class Bulk:
    def __init__(
        self, commands: Commands, lists: ExecutionListQueries, bulk_requests: BulkRequestQueries, clock: Clock
    ) -> None:
        self._commands = commands
        self._lists = lists
        self._bulk_requests = bulk_requests
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="POST", path=f"{PATH}/bulk-cancel", handle=self.cancel, name="bulkCancel", tag="executions", status=202,
                permission=Permission.EXECUTE, summary="Cancel the active executions that a filter finds, newest first",
                answer=answers.BulkCancelled, body=requests.BulkCancel, body_required=True,
                refusals={422: "empty_filter: there is no filter, and `all` is not true"},
            ),
            Operation(
                method="POST", path=f"{PATH}/bulk-rerun", handle=self.rerun, name="bulkRerun", tag="executions", status=202,
                permission=Permission.EXECUTE, summary="Re-run the finished executions that a filter finds, newest first",
                answer=answers.BulkRerunDone, body=requests.BulkRerun, body_required=True,
                refusals={422: "empty_filter: there is no filter, and `all` is not true"},
            ),
        )  # fmt: skip

    async def cancel(self, call: Call) -> ASGIApp:
        body: requests.BulkCancel = call.body
        chosen = await self._choose_once(call.tenant_id, body, None if call.once is None else call.new_id(), _ACTIVE)

        async def cancel_one(execution_id: str) -> Outcome:
            command = commands.CancelExecution(execution_id=execution_id, reason=body.reason, force=body.force)
            return await self._commands.send(call, execution_id, command)

        def result(execution_id: str, outcome: Outcome | None, problem: answers.BulkProblem | None) -> answers.BulkCancelResult:
            cancelled: Literal["cancelled"] | None = None if outcome is None else "cancelled"
            return answers.BulkCancelResult(execution_id=execution_id, outcome=cancelled, problem=problem)

        return json_answer(await _carry_out(chosen, cancel_one, result, answers.BulkCancelled), 202)

    async def rerun(self, call: Call) -> ASGIApp:
        body: requests.BulkRerun = call.body
        key = idempotency_key(call)
        chosen = await self._choose_once(call.tenant_id, body, key, FINISHED_EXECUTIONS)

        async def rerun_one(execution_id: str) -> Outcome:
            command = commands.RerunExecution(
                execution_id=(new := new_id()),
                rerun_of=execution_id,
                variables=body.variables,
                idempotency_key=None if key is None else sha256(f"bulk\0{key}\0{execution_id}".encode()).hexdigest(),
            )
            return await self._commands.send(call, new, command)

        def result(execution_id: str, outcome: Outcome | None, problem: answers.BulkProblem | None) -> answers.BulkRerunResult:
            new_execution_id = None if outcome is None else outcome.result["executionId"]
            return answers.BulkRerunResult(execution_id=execution_id, new_execution_id=new_execution_id, problem=problem)

        return json_answer(await _carry_out(chosen, rerun_one, result, answers.BulkRerunDone), 202)

    async def _choose_once(
        self, tenant_id: str, body: requests.BulkRequest, key: str | None, statuses: frozenset[ExecutionStatus]
    ) -> Chosen:
        """With a key, the choice is written down before anything is sent: whoever asks again, also after we died half way, gets
        the rest of the same, and not re-runs of the re-runs, nor an end of what has begun since."""
        digest = sha256(body.model_dump_json(by_alias=True).encode()).digest()
        chosen = None if key is None else await self._bulk_requests.chosen(tenant_id, key)
        if chosen is None:
            chosen = await self._choose(tenant_id, body, statuses, digest)
            if key is not None:
                chosen = await self._bulk_requests.keep(tenant_id, key, chosen, self._clock.now())
        if chosen.body_sha256 != digest:
            raise key_reused()
        return chosen

    async def _choose(
        self, tenant_id: str, body: requests.BulkRequest, statuses: frozenset[ExecutionStatus], digest: bytes
    ) -> Chosen:
        wanted = filter_of(body.filter_)
        if wanted == ANYTHING and not body.all_:
            raise Invalid("empty_filter", "Give a filter, or say `all: true` if really all of them are meant.")
        statuses = wanted.statuses & statuses if wanted.statuses else statuses
        if not statuses:
            return Chosen(digest, [], more=False)
        narrowed = Filter(
            wanted.workflow_id, statuses, wanted.trigger_type, wanted.started_from, wanted.started_until, wanted.text
        )
        found = await self._lists.ids(tenant_id, narrowed, body.limit + 1)
        return Chosen(digest, found[: body.limit], more=len(found) > body.limit)


async def _carry_out(
    chosen: Chosen,
    send: Callable[[str], Awaitable[Outcome]],
    result: Callable[[str, Outcome | None, answers.BulkProblem | None], Any],
    answer: Callable[..., answers.Bulk],
) -> answers.Bulk:
    """A few at a time; the results in the order chosen. What is refused is a problem of that one alone."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(execution_id: str) -> tuple[Outcome | None, answers.BulkProblem | None]:
        async with slots:
            try:
                return await send(execution_id), None
            except Refusal as refusal:
                return None, answers.BulkProblem(code=refusal.code, detail=refusal.detail)
            except Unavailable as trouble:
                return None, answers.BulkProblem(code="unavailable", detail=str(trouble))

    done = await asyncio.gather(*(one(execution_id) for execution_id in chosen.execution_ids))
    outcomes = [outcome for outcome, _ in done if outcome is not None]
    return answer(
        matched=len(done),
        accepted=len(outcomes),
        more=chosen.more,
        position=max((outcome.position for outcome in outcomes), default=0),
        results=[result(execution_id, *each) for execution_id, each in zip(chosen.execution_ids, done, strict=True)],
    )
