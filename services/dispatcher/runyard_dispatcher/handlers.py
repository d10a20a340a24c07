"""The shell around the board: one turn at a time, each written in one transaction before anything is sent.

If we die before the commit, the messages come again. If we die after it, they come again too and are told by their position or
have no effect; what should have been sent is sent again from the tables when they are next loaded.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from runyard_shared.clock import Clock
from runyard_shared.contracts.jobs import AgentOrder, AgentStatus, PlacementOrder
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.outage import outages_as_unavailable
from runyard_shared.eventstore.store import EventStore
from runyard_shared.messaging.bus import Bus

from runyard_dispatcher import tables
from runyard_dispatcher.agent_log import AgentLog
from runyard_dispatcher.board import Board, Changes
from runyard_dispatcher.orders import take_orders
from runyard_dispatcher.reporter import Reporter
from runyard_dispatcher.sessions import hear, notice_silence
from runyard_dispatcher.settings import Patience

if TYPE_CHECKING:
    from runyard_dispatcher.tables import Connection

_WRITE_TIMEOUT_SECONDS: Final = 30
_STARTED_BY_THEN: Final = timedelta(seconds=0.5)
"""A job that can start has started so long after its dispatch."""
_log = structlog.get_logger(__name__)


class Handlers:
    """Works while it leads, from `begin` to `end`; else its handlers raise `Unavailable`. `lost` is set when the database
    connection failed: end, and begin again on a new one."""

    def __init__(self, bus: Bus, store: EventStore, clock: Clock, patience: Patience) -> None:
        self.lost = asyncio.Event()
        self._bus = bus
        self._agent_log = AgentLog(store)
        self._reporter = Reporter(bus)
        self._clock = clock
        self._patience = patience
        self._turns = asyncio.Lock()
        self._connection: Connection | None = None
        self._board: Board | None = None

    async def begin(self, connection: "Connection") -> None:
        """Load the board and send again whatever a predecessor may not have sent. The connection holds the lead."""
        async with self._turns:
            self._connection = connection
            self._board = None
            self.lost.clear()
        await self.handle_orders(())

    async def end(self) -> None:
        async with self._turns:
            self._connection = self._board = None
        await self._reporter.drop()

    async def handle_orders(self, orders: Sequence[PlacementOrder]) -> None:
        """Orders of the orchestrator, in log order."""
        async with self._turn() as (board, now):
            ignored = take_orders(board, orders, now)
        if ignored:
            _log.info("orders ignored: handled before, or their job has moved on", orders=len(ignored), first=ignored[0])

    async def handle_statuses(self, statuses: Sequence[AgentStatus]) -> None:
        """Registrations, heartbeats and farewells of agents."""
        async with self._turn() as (board, now):
            for status in statuses:
                happening = hear(board, status, now, self._patience)
                if happening is not None:
                    await self._agent_log.record(happening, now)
                    _log.info(happening.event.topic, agent=happening.agent.name, session_id=happening.agent.session_id)

    async def rescue(self, elapsed_seconds: float) -> None:
        """`elapsed_seconds` have passed in which agents could be heard: declare the silent ones offline, tell of jobs that were
        sent and may not have started, renew the reasons."""
        async with self._turn() as (board, now):
            for happening in notice_silence(board, elapsed_seconds, now, self._patience):
                await self._agent_log.record(happening, now)
                _log.warning(happening.event.topic, agent=happening.agent.name, reason=happening.agent.reason)
            board.tell_dispatches(now - _STARTED_BY_THEN)
            board.explain_all()

    async def reconnected(self) -> None:
        """The broker is back: orders may have been lost, and agents could not be heard."""
        try:
            async with self._turn() as (board, _):
                board.resend_all_orders()
                for agent in board.agents.values():
                    agent.silent_seconds = 0.0
        except Unavailable as trouble:
            _log.info("orders are not sent again now, but when this dispatcher leads", trouble=str(trouble))

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[tuple[Board, datetime]]:
        async with self._turns:
            if self._connection is None:
                raise Unavailable("this dispatcher does not lead")
            now = self._clock.now()
            board, self._board = self._board, None  # kept only if the turn is written
            try:
                with outages_as_unavailable():
                    if board is None:
                        board = await tables.load(self._connection)
                        board.resend_all_orders()
                        board.resend_all_reports()
                    yield board, now
                    board.lease_waiting(now)
                    changes = board.take_changes()
                    if changes.to_write:
                        async with asyncio.timeout(_WRITE_TIMEOUT_SECONDS):
                            await tables.save(self._connection, changes, now)
            except Unavailable:
                self.lost.set()
                raise
            self._board = board
            await self._send(changes)

    async def _send(self, changes: Changes) -> None:
        if changes.reports:
            self._reporter.send(changes.reports)
        if changes.orders:
            await asyncio.gather(*(self._post(mailbox, orders) for mailbox, orders in changes.orders.items()))

    async def _post(self, mailbox: str, orders: Sequence[AgentOrder]) -> None:
        try:
            await self._bus.post(mailbox, orders)
        except Unavailable as trouble:
            _log.warning(
                "orders not sent; they are again when the agent does not list them", mailbox=mailbox, trouble=str(trouble)
            )
