"""Runs an action as an agent would, without an agent: for the tests of packages that bring actions.

Parameters are checked, the connection comes out of a sealed box, its secrets are redacted, timeout and cancel interrupt the
action. Only nobody is told: what the job gave is in the answer.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.jobs import OutputChunk, OutputMessage, RunJob
from runyard_shared.contracts.reports import JobFinished
from runyard_shared.contracts.values import ErrorInfo, JobStatus
from runyard_shared.ids import new_id
from runyard_shared.sealing import OpeningKey, seal

from runyard_agent.actions.base import Action
from runyard_agent.delivery import Delivery, Owner
from runyard_agent.job import run_job
from runyard_agent.leases import Lease, Stop
from runyard_agent.settings import Settings

__all__ = ["OpenedConnection", "Ran", "run_action"]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a job ended. `streams`: all that was written to each of them, as it would have been kept."""

    status: JobStatus
    output: Mapping[str, Any]
    error: ErrorInfo | None
    streams: Mapping[str, bytes] = field(default_factory=dict)


async def run_action(
    action: type[Action[Any]],
    params: Mapping[str, Any],
    *,
    connection: OpenedConnection | None = None,
    timeout_seconds: float = 0,
    cancel: asyncio.Event | None = None,
    settings: Settings | None = None,
    job_id: str | None = None,
) -> Ran:
    """Make the action, run one job with it, and close it. `cancel`: once set, the job is stopped as by a forced cancel.

    Raises `pydantic.ValidationError` if the output of a completed job is not what the action's `output` says.
    """
    key = OpeningKey.generate()
    box = seal(key.public, msgspec.json.encode(connection)) if connection is not None else None
    job = RunJob(
        tenant_id="test",
        execution_id=new_id(),
        job_id=job_id or new_id(),
        node_id="node",
        attempt=1,
        dispatch=1,
        session_id="test",
        action="tested",
        params=dict(params),
        connection=connection.name if connection is not None else None,
        sealed_connection=box,
        timeout_seconds=timeout_seconds,
    )
    # as it would come: over the wire
    job = msgspec.json.decode(msgspec.json.encode(job), type=RunJob)
    lease, kept = Lease(job), _Kept()
    instance = action(settings or Settings())
    ended: list[JobFinished] = []

    async def run() -> None:
        ended.append(await run_job(lease, {"tested": instance}, kept, "test", key))

    lease.task = running = asyncio.create_task(run())
    canceller = asyncio.create_task(_stop_when(cancel, lease)) if cancel is not None else None
    try:
        await running
    finally:
        if canceller is not None:
            canceller.cancel()
        await instance.close()
    (finished,) = ended
    if finished.status is JobStatus.COMPLETED and instance.output is not None:
        instance.output.model_validate(finished.output)
    return Ran(finished.status, finished.output, finished.error, kept.streams())


async def _stop_when(cancel: asyncio.Event, lease: Lease) -> None:
    await cancel.wait()
    lease.stop(Stop.CANCELLED)


class _Kept(Delivery):
    """Takes the place of what sends outputs: everything is safe at once."""

    def __init__(self) -> None:
        self._messages: list[OutputMessage] = []

    def put(self, message: OutputMessage, size: int, owner: Owner) -> None:
        self._messages.append(message)
        asyncio.get_running_loop().call_soon(owner.safe, size)

    def streams(self) -> dict[str, bytes]:
        streams: dict[str, bytearray] = {}
        for message in self._messages:
            if isinstance(message, OutputChunk):
                streams.setdefault(message.stream, bytearray()).extend(message.data)
        return {name: bytes(data) for name, data in streams.items()}
