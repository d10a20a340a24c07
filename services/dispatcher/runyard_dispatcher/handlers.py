"""What comes in by queues, taken into the board turn by turn: orders, what agents say, and requests of people."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from runyard_shared.contracts.commands import EnrolAgent, Reply, Request, RotateSecrets, TestConnection
from runyard_shared.contracts.jobs import AgentStatus, ConnectionProbed, PlacementOrder
from runyard_shared.errors import Refusal, Unavailable
from runyard_shared.messaging.answers import problem_of

from runyard_dispatcher.answering import Answering
from runyard_dispatcher.board import Board
from runyard_dispatcher.commands import Commands
from runyard_dispatcher.enrolment import Enrolments
from runyard_dispatcher.happening import Asked, Happening
from runyard_dispatcher.journal import Journal
from runyard_dispatcher.orders import take_orders
from runyard_dispatcher.probes import Probes
from runyard_dispatcher.rotation import Rotation
from runyard_dispatcher.sessions import hear, notice_silence
from runyard_dispatcher.settings import Patience
from runyard_dispatcher.turns import Turns

_STARTED_BY_THEN: Final = timedelta(seconds=0.5)
"""A job that can start has started so long after its dispatch."""
_ANSWERS_KEPT: Final = timedelta(days=1)
"""As long as an Idempotency-Key counts."""
_FOR_NOW: Final = 500
"""The status of refusals that tell to ask again: those are not the last word."""
_log = structlog.get_logger(__name__)


class Handlers:
    """Its handlers raise `Unavailable` while this dispatcher does not lead."""

    def __init__(
        self,
        turns: Turns,
        journal: Journal,
        commands: Commands,
        enrolments: Enrolments,
        probes: Probes,
        answering: Answering,
        rotation: Rotation,
        patience: Patience,
    ) -> None:
        self._turns = turns
        self._journal = journal
        self._commands = commands
        self._enrolments = enrolments
        self._probes = probes
        self._answering = answering
        self._rotation = rotation
        self._patience = patience

    async def handle_orders(self, orders: Sequence[PlacementOrder]) -> None:
        """Orders of the orchestrator, in log order."""
        async with self._turns.turn() as (board, now):
            ignored = take_orders(board, orders, now)
        if ignored:
            _log.info(
                "orders ignored: handled before, or their job has moved on", orders=len(ignored), first=ignored[0].position
            )

    async def handle_statuses(self, statuses: Sequence[AgentStatus]) -> None:
        """Registrations, heartbeats and farewells of agents, and how connections did that they tried out."""
        async with self._turns.turn() as (board, now):
            for status in statuses:
                if isinstance(status, ConnectionProbed):
                    continue
                happening = hear(board, status, now, self._patience)
                if happening is not None:
                    await self._journal.record(happening, now)
                    _log.info(happening.event.topic, **_named(happening), session_id=status.session_id)
        for status in statuses:
            if isinstance(status, ConnectionProbed):
                await self._probes.heard(status)

    async def handle_requests(self, requests: Sequence[Request]) -> None:
        """Commands of people, each carried out once however often it comes, and of agents that want in. Those that need
        somebody else's answer are under way when this returns; if we die then, whoever asked gets none and asks again."""
        done: list[tuple[Request, Reply]] = []
        async with self._turns.turn() as (board, now):
            known = await self._turns.answers([request.request_id for request in requests])
            for request in requests:
                if isinstance(request.command, EnrolAgent | TestConnection | RotateSecrets):
                    continue
                if request.request_id in known:
                    _log.info("a known request is answered as before, and not carried out", request_id=request.request_id)
                else:
                    asked = Asked(request.tenant_id, request.actor, request.request_id, now)
                    reply = await self._carry_out(board, request, asked)
                    known[request.request_id] = reply
                    if reply.problem is None or reply.problem.status < _FOR_NOW:
                        board.changes.answers.append(reply)
                done.append((request, known[request.request_id]))
            self._enrolments.look(board)
        await self._answering.answer(done)
        for request in requests:
            if isinstance(request.command, EnrolAgent):
                self._enrolments.begin(request, request.command)
            elif isinstance(request.command, TestConnection):
                await self._probes.begin(request, request.command)
            elif isinstance(request.command, RotateSecrets):
                await self._answering.answer([(request, await self._rotation.answer(request, request.command))])

    async def rescue(self, elapsed_seconds: float) -> None:
        """`elapsed_seconds` have passed in which agents could be heard: declare the silent ones offline, tell of jobs that were
        sent and may not have started, renew the reasons."""
        async with self._turns.turn() as (board, now):
            for happening in notice_silence(board, elapsed_seconds, now, self._patience):
                await self._journal.record(happening, now)
                _log.warning(happening.event.topic, **_named(happening))
            board.tell_dispatches(now - _STARTED_BY_THEN)
            board.explain_all()
            await self._turns.forget_answers(now - _ANSWERS_KEPT)
        await self._probes.give_up_late_ones()

    async def reconnected(self) -> None:
        """The broker is back: orders may have been lost, and agents could not be heard."""
        try:
            async with self._turns.turn() as (board, _):
                board.resend_all_orders()
                for agent in board.agents.values():
                    agent.silent_seconds = 0.0
        except Unavailable as trouble:
            _log.info("orders are not sent again now, but when this dispatcher leads", reason=str(trouble))

    async def _carry_out(self, board: Board, request: Request, asked: Asked) -> Reply:
        try:
            decision = self._commands.carry_out(board, asked, request.command)
        except Refusal as refusal:
            return Reply(request_id=request.request_id, problem=problem_of(refusal))
        position = None
        if decision.happening is not None:
            position = await self._journal.record(decision.happening, asked.at)
            _log.info(decision.happening.event.topic, name=decision.happening.subject.name, actor=asked.actor)
        return Reply(request_id=request.request_id, result=decision.result, position=position)


def _named(happening: Happening) -> dict[str, str]:
    subject = happening.subject
    return {"tenant_id": subject.tenant_id, "agent": subject.name, "agent_id": subject.stream_id}
