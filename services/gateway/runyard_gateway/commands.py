"""Sending commands to the services on somebody's behalf, and their refusals as exceptions."""

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from runyard_shared.contracts.commands import Command, Problem, RerunExecution, StartExecution
from runyard_shared.errors import FieldProblem, Refusal, Unavailable
from runyard_shared.messaging.requests import Requests
from runyard_shared.messaging.topology import DISPATCHER_COMMANDS, PROJECTIONS_COMMANDS, approvals_inbox, orchestrator_inbox

from runyard_gateway.http.operation import Call
from runyard_gateway.metrics import ANSWER
from runyard_gateway.request_spans import request_context, told

StartCommand = StartExecution | RerunExecution


@dataclass(slots=True)
class Outcome:
    """`position` of the commit; a read that waits for it sees what the command did."""

    result: dict[str, Any]
    position: int


class Commands:
    def __init__(self, requests: Requests, timeout_seconds: float) -> None:
        self._requests = requests
        self._timeout_seconds = timeout_seconds

    async def send(self, call: Call, stream_id: str, command: Command) -> Outcome:
        """Raises the orchestrator's `Refusal`, or `Unavailable` if it does not answer; the command may still be carried out."""
        with ANSWER.time():
            return await self._ask(orchestrator_inbox(stream_id), call, command, about=stream_id)

    async def begin(self, call: Call, command: StartCommand, operation: str) -> Outcome:
        """`send` of what begins an execution. Where that is traced, the request is the first span, within whoever sent it."""
        context = request_context(call, command.execution_id)
        if context is None:
            return await self.send(call, command.execution_id, command)
        with told(call, operation, context, command.execution_id):
            return await self.send(call, command.execution_id, replace(command, traceparent=context))

    async def send_to_approvals(self, call: Call, stream_id: str, command: Command) -> dict[str, Any]:
        """As `send`; the result alone, as positions of that log mean nothing to a read model."""
        return (await self._ask(approvals_inbox(stream_id), call, command, about=stream_id)).result

    async def send_to_dispatcher(
        self, call: Call, command: Command, *, request_id: str | None = None, timeout_seconds: float | None = None
    ) -> dict[str, Any]:
        """As `send`; the result alone, as the dispatcher's views show at once what a command did. `request_id`: where one
        call sends several of a kind, or something that is done anew each time."""
        return (await self._ask(DISPATCHER_COMMANDS, call, command, request_id, timeout_seconds)).result

    async def send_to_projections(self, call: Call, command: Command) -> dict[str, Any]:
        """As `send`; the result alone, as what it did shows in the projections' own views."""
        return (await self._ask(PROJECTIONS_COMMANDS, call, command)).result

    async def _ask(
        self,
        queue: str,
        call: Call,
        command: Command,
        request_id: str | None = None,
        timeout_seconds: float | None = None,
        *,
        about: str = "",
    ) -> Outcome:
        reply = await self._requests.ask(
            queue,
            command,
            tenant_id=call.tenant_id,
            actor=call.identity.actor,
            request_id=request_id or call.request_id(type(command).__name__, about),
            timeout_seconds=timeout_seconds or self._timeout_seconds,
        )
        if reply.problem is not None:
            raise refusal_of(reply.problem)
        if reply.result is None:
            raise Unavailable(f"the answer from {queue} was empty")
        return Outcome(reply.result, reply.position or 0)


def refusal_of(problem: Problem) -> Refusal:
    errors = tuple(FieldProblem(error.get("path", ""), error.get("message", "")) for error in problem.errors)
    return Refusal(problem.code, problem.detail, problem.status, errors, problem.extra)
