"""The shell around the board: one turn at a time, each written in one transaction before anything is sent.

If we die before the commit, the messages come again. If we die after it, they come again too and are told by their position or
have no effect; what should have been sent is sent again from the tables when they are next loaded.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final

import structlog
from msgspec.structs import replace
from runyard_shared.clock import Clock
from runyard_shared.contracts.commands import Reply
from runyard_shared.contracts.jobs import AgentOrder, RunJob
from runyard_shared.errors import Refusal, Unavailable
from runyard_shared.eventstore.outage import outages_as_unavailable
from runyard_shared.messaging.bus import Bus
from runyard_shared.sealing import CannotOpen, CannotSeal
from runyard_shared.tracing import tracing

from runyard_dispatcher import metrics, tables
from runyard_dispatcher.board import Board, Changes
from runyard_dispatcher.reporter import Reporter
from runyard_dispatcher.spans import Dispatch, tell_dispatch
from runyard_dispatcher.vault import Vault

if TYPE_CHECKING:
    from runyard_dispatcher.tables import Database

_WRITE_TIMEOUT_SECONDS: Final = 30
_EACH: Final = 4
"""So many dispatches of one turn get lines of their own in the log."""
_log = structlog.get_logger(__name__)


class Turns:
    """There are turns while it leads, from `begin` to `end`; else they raise `Unavailable`. `lost` is set when the database
    connection failed: end, and begin again on a new one."""

    def __init__(self, bus: Bus, clock: Clock, vault: Vault) -> None:
        self.lost = asyncio.Event()
        self._bus = bus
        self._clock = clock
        self._vault = vault
        self._reporter = Reporter(bus)
        self._lock = asyncio.Lock()
        self._database: Database | None = None
        self._board: Board | None = None

    async def begin(self, database: "Database") -> None:
        """Load the board and send again whatever a predecessor may not have sent. The connection holds the lead."""
        async with self._lock:
            self._database = database
            self._board = None
            self.lost.clear()
            with outages_as_unavailable():
                await tables.show_sealing_key(database, self._vault.public_key)
        async with self.turn():
            pass

    async def end(self) -> None:
        async with self._lock:
            self._database = self._board = None
        await self._reporter.drop()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[tuple[Board, datetime]]:
        """The board to change, and the time. What is changed is written and sent at the end; after an exception nothing is."""
        async with self._lock:
            database = self._leading()
            now = self._clock.now()
            board, self._board = self._board, None  # kept only if the turn is written
            try:
                with outages_as_unavailable():
                    if board is None:
                        board = await tables.load(database, self._vault)
                        board.resend_all_orders()
                        board.resend_all_reports()
                    yield board, now
                    board.lease_waiting(now)
                    changes = board.take_changes()
                    if changes.to_write:
                        async with asyncio.timeout(_WRITE_TIMEOUT_SECONDS):
                            await tables.save(database, changes, now)
                        metrics.written(changes, now)
            except Unavailable:
                self.lost.set()
                raise
            except Refusal:
                if board is not None and board.changes.empty:  # it was refused before anything changed
                    self._board = board
                raise
            self._board = board
            await self._send(board, changes)

    async def answers(self, request_ids: Sequence[str]) -> dict[str, Reply]:
        """Within a turn: what was answered to those requests before."""
        return await tables.answers(self._leading(), request_ids)

    async def forget_answers(self, before: datetime) -> None:
        """Within a turn: they are not asked for again."""
        await tables.forget_answers(self._leading(), before)

    async def post(self, mailbox: str, orders: Sequence[AgentOrder]) -> None:
        """To an agent, if it can be reached."""
        try:
            await self._bus.post(mailbox, orders)
        except Unavailable as trouble:
            _log.warning(
                "orders not sent; they are again when the agent does not list them", mailbox=mailbox, reason=str(trouble)
            )

    def _leading(self) -> "Database":
        if self._database is None:
            raise Unavailable("this dispatcher does not lead")
        return self._database

    async def _send(self, board: Board, changes: Changes) -> None:
        if changes.dispatches:
            _say(changes.dispatches)
            if tracing():
                for dispatch in changes.dispatches:
                    tell_dispatch(dispatch)
        if changes.reports:
            self._reporter.send(changes.reports)
        if changes.orders:
            sealing = _Sealing(board, self._vault)
            mailed = [(mailbox, [sealing.sealed(order) for order in orders]) for mailbox, orders in changes.orders.items()]
            await asyncio.gather(*(self.post(mailbox, orders) for mailbox, orders in mailed))


def _say(dispatches: list[Dispatch]) -> None:
    """A line for each job that got an agent, and under load one for all of a turn."""
    if not _log.is_enabled_for(logging.INFO):
        return
    if len(dispatches) > _EACH:
        _log.info("jobs dispatched", job_ids=", ".join([f"{each.order.job_id}/{each.lease}" for each in dispatches]))
        return
    for each in dispatches:
        order = each.order
        _log.info(
            "job dispatched",
            tenant_id=order.tenant_id,
            execution_id=order.execution_id,
            job_id=order.job_id,
            dispatch=each.lease,
            agent=each.agent,
        )


class _Sealing:
    """Puts connections into the orders of one turn: each for the agent that gets it, once for all its jobs."""

    def __init__(self, board: Board, vault: Vault) -> None:
        self._board = board
        self._vault = vault
        self._boxes: dict[tuple[str, str, str], bytes | None] = {}

    def sealed(self, order: AgentOrder) -> AgentOrder:
        if not isinstance(order, RunJob) or order.connection is None:
            return order
        job = self._board.jobs.get(order.job_id)
        if job is None or job.agent is None or job.agent.public_key is None:
            return order
        key = (order.tenant_id, order.connection, job.agent.name)
        if key not in self._boxes:
            self._boxes[key] = self._box(order.tenant_id, order.connection, job.agent.public_key)
        return replace(order, sealed_connection=self._boxes[key])

    def _box(self, tenant_id: str, name: str, public_key: bytes) -> bytes | None:
        """None if there is nothing to seal any more: the agent then fails the job for want of it."""
        connection = self._board.connections.get((tenant_id, name))
        if connection is None:
            _log.warning("a job is sent again whose connection was deleted meanwhile", connection=name)
            return None
        try:
            return self._vault.seal_for(public_key, connection)
        except (CannotOpen, CannotSeal) as problem:
            _log.error("a job is sent without its connection", connection=name, reason=str(problem))
            return None
