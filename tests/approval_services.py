"""The approvals service with the test around it: as the orchestrator, which orders and is told, and as the gateway, which
asks."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import msgspec
import runyard_approvals.app
import runyard_approvals.settings
from runyard_approvals.reports import MAPPER
from runyard_shared.clock import Clock, SystemClock
from runyard_shared.contracts import reports
from runyard_shared.contracts.approvals import CancelApproval, RequestApproval
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.commands import AnswerApproval, Command, Reply
from runyard_shared.contracts.feed import Recorded
from runyard_shared.ids import new_id
from runyard_shared.messaging.amqp.declare import delete_topology
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_shared.messaging.requests import Requests
from runyard_shared.messaging.topology import (
    ORCHESTRATOR_PARTITIONS,
    TOPOLOGY,
    approvals_inbox,
    orchestrator_inbox_partition,
)

from tests.approvals import request

ReportT = TypeVar("ReportT", bound=reports.ApprovalReport)


class Desk:
    """Orders approvals, answers them, and keeps what is reported of them."""

    def __init__(self, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.bus = bus
        self.pool = pool
        self.reports: list[reports.ApprovalReport] = []
        self._requests = Requests(bus, new_id())

    async def open(self) -> None:
        for partition in range(ORCHESTRATOR_PARTITIONS):
            await self.bus.consume(orchestrator_inbox_partition(partition), reports.AnyApprovalReport, self._told)
        await self._requests.open()

    async def close(self) -> None:
        await self._requests.close()

    async def _told(self, items: Sequence[reports.AnyApprovalReport]) -> None:
        self.reports += items

    async def order(self, *orders: RequestApproval | CancelApproval) -> None:
        by_queue: dict[str, list[Any]] = {}
        for order in orders:
            by_queue.setdefault(approvals_inbox(order.approval_id), []).append(order)
        for queue, items in by_queue.items():
            await self.bus.send(queue, items)

    async def opened(self, **fields: Any) -> str:
        """The id of an approval that was asked for now and is open."""
        order = request(new_id(), **({"at": SystemClock().now()} | fields))
        await self.order(order)
        await self.events_when(order.approval_id, 1)
        return order.approval_id

    async def cancel(self, approval_id: str, reason: str = "enough") -> None:
        await self.order(CancelApproval(tenant_id="default", approval_id=approval_id, reason=reason))

    async def ask(self, command: Command, *, actor: str = "alice", tenant_id: str = "default") -> Reply:
        target: str = getattr(command, "approval_id", "") or getattr(command, "channel_id", "")
        return await self._requests.ask(approvals_inbox(target), command, tenant_id=tenant_id, actor=actor, timeout_seconds=30)

    async def answer(self, approval_id: str, decision: str = "approved", *, actor: str = "alice", **fields: Any) -> Reply:
        return await self.ask(AnswerApproval(approval_id=approval_id, decision=decision, **fields), actor=actor)

    async def result(self, command: Command, **who: Any) -> dict[str, Any]:
        reply = await self.ask(command, **who)
        assert reply.problem is None, reply.problem
        assert reply.result is not None
        return reply.result

    def of(self, approval_id: str, kind: type[ReportT]) -> list[ReportT]:
        """What was reported, each thing once however often it came."""
        found = [each for each in self.reports if isinstance(each, kind) and each.approval_id == approval_id]
        return [each for number, each in enumerate(found) if each not in found[:number]]

    async def told(self, approval_id: str, kind: type[ReportT], count: int = 1) -> list[ReportT]:
        """Waits for so many different reports."""
        async with asyncio.timeout(30):
            while len(self.of(approval_id, kind)) < count:  # noqa: ASYNC110 - it waits for another process
                await asyncio.sleep(0.01)
        return self.of(approval_id, kind)

    async def events(self, approval_id: str) -> list[Event]:
        rows = await self.pool.fetch(
            "select position, stream_id::text, version, tenant_id, topic, recorded_at, data::text from approvals.event"
            " where stream_id = $1 order by version",
            approval_id,
        )
        return [MAPPER.decode(_recorded(row)) for row in rows]

    async def events_when(self, approval_id: str, count: int) -> list[Event]:
        """Waits until the stream has so many."""
        async with asyncio.timeout(30):
            while len(found := await self.events(approval_id)) < count:  # noqa: ASYNC110 - it waits for another process
                await asyncio.sleep(0.01)
        return found


def _recorded(row: asyncpg.Record) -> Recorded:
    fields = dict(row)
    return Recorded(**(fields | {"data": msgspec.Raw(fields["data"].encode())}))


@asynccontextmanager
async def approvals_service(
    bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", clock: Clock | None = None, **settings: Any
) -> AsyncIterator[runyard_approvals.app.Service]:
    """A running service; `settings` are its own."""
    chosen = runyard_approvals.settings.Settings(**({"allow_private_notifications": True} | settings))
    service = await runyard_approvals.app.create(chosen, bus=bus, pool=pool, clock=clock or SystemClock())
    await service.start()
    try:
        yield service
    finally:
        await service.stop()


@asynccontextmanager
async def desk(bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]") -> AsyncIterator[Desk]:
    made = Desk(bus, pool)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def rabbit_bus(amqp_url: str, namespace: str) -> AsyncIterator[RabbitBus]:
    """A connection to the broker; the one that was opened first takes all queues with it."""
    bus = RabbitBus(amqp_url, namespace=namespace)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()
        await delete_topology(amqp_url, namespace, TOPOLOGY)


class Process:
    """The service as a process of its own, for `kill -9`; `settings` are environment variables."""

    def __init__(self, database_url: str, amqp_url: str, namespace: str, **settings: str) -> None:
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")} | {
            "RUNYARD_DATABASE_URL": database_url,
            "RUNYARD_AMQP_URL": amqp_url,
            "RUNYARD_AMQP_NAMESPACE": namespace,
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "runyard_approvals"]
        self._process = subprocess.Popen(command, env=self._environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
