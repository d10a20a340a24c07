"""What agents say over HTTPS, handed to the queues it is for. Each item is held against the agent that sent it; reports are in
the inbox of their execution, durable, before the agent is told so."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from runyard_shared.contracts.jobs import OutputChunk, OutputSealed
from runyard_shared.contracts.link import LinkMessage
from runyard_shared.contracts.reports import JobFinished, JobStarted
from runyard_shared.errors import Forbidden, Invalid, Unavailable
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.senders import trespass
from runyard_shared.messaging.topology import AGENT_STATUS, JOB_OUTPUT, LIVE_OUTPUT, orchestrator_inbox

from runyard_gateway.http.agent_keys import AgentIdentity

_decode = msgspec.json.Decoder(list[LinkMessage]).decode


def parse_messages(body: bytes) -> list[Any]:
    """Raises `Invalid` (`invalid_messages`) for anything that is no list of `LinkMessage`."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = f"The body is no list of messages as an agent of this version sends them: {error}."
        raise Invalid("invalid_messages", detail) from error


class AgentMessages:
    """`patience_seconds`: how long the queues may take before the agent is told to try again."""

    def __init__(self, bus: Bus, patience_seconds: float) -> None:
        self._bus = bus
        self._patience_seconds = patience_seconds

    async def take(self, agent: AgentIdentity, messages: Sequence[Any]) -> None:
        """Returns once all are safe. Raises `Forbidden` if one is not this agent's to say, and none was taken; `Unavailable`:
        some may have been taken all the same."""
        for message in messages:
            if wrong := trespass(message, agent.tenant_id, agent.name):
                raise Forbidden("not_for_this_agent", f"Nothing was taken: {wrong}.")
        by_queue: dict[str, list[Any]] = {}
        for message in messages:
            by_queue.setdefault(_queue_of(message), []).append(message)
        try:
            async with asyncio.timeout(self._patience_seconds):
                for queue, items in by_queue.items():
                    if queue == JOB_OUTPUT:
                        await self._bus.broadcast(LIVE_OUTPUT, items)
                    await self._bus.send(queue, items)
        except TimeoutError:
            why = self._bus.trouble or "the queues do not take them in time"
            raise Unavailable(f"the messages are not safe yet: {why}") from None


def _queue_of(message: Any) -> str:
    match message:
        case OutputChunk() | OutputSealed():
            return JOB_OUTPUT
        case JobStarted() | JobFinished():
            return orchestrator_inbox(message.execution_id)
        case _:
            return AGENT_STATUS
