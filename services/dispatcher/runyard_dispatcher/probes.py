"""Connections that are being tried out by an agent. They are in memory alone: a test that dies with us is asked for again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from runyard_shared.clock import Clock, rfc3339
from runyard_shared.contracts.commands import Reply, Request, TestConnection
from runyard_shared.contracts.events import ConnectionTested
from runyard_shared.contracts.jobs import ConnectionProbed, ProbeConnection
from runyard_shared.errors import Conflict, Refusal
from runyard_shared.messaging.answers import problem_of
from runyard_shared.messaging.topology import agent_mailbox

from runyard_dispatcher.agents import Agent
from runyard_dispatcher.answering import Answering
from runyard_dispatcher.board import Board
from runyard_dispatcher.connection_commands import known_connection
from runyard_dispatcher.connections import Connection, Tested
from runyard_dispatcher.happening import Happening
from runyard_dispatcher.journal import Journal
from runyard_dispatcher.turns import Turns
from runyard_dispatcher.vault import Vault

_log = structlog.get_logger(__name__)
_TIMED_OUT: Final = 504
_LONGEST_MESSAGE: Final = 2_000
"""Characters of what an agent says of a connection: it is for people, and is kept."""


@dataclass(frozen=True)
class Probe:
    """Agent `agent` was asked to try the connection out."""

    request: Request
    connection_id: str
    agent: str
    session_id: str | None
    until: datetime


class Probes:
    def __init__(
        self, turns: Turns, journal: Journal, answering: Answering, vault: Vault, clock: Clock, timeout_seconds: float
    ) -> None:
        self._turns = turns
        self._journal = journal
        self._answering = answering
        self._vault = vault
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._under_way: dict[str, Probe] = {}

    async def begin(self, request: Request, command: TestConnection) -> None:
        try:
            async with self._turns.turn() as (board, now):
                connection = known_connection(board, request.tenant_id, command.connection_id)
                agent, public_key = choose_agent(board, connection, command.agent)
                box = self._vault.seal_for(public_key, connection)
                until = now + timedelta(seconds=self._timeout_seconds)
                probe = Probe(request, connection.connection_id, agent.name, agent.session_id, until)
                self._under_way[request.request_id] = probe
        except Refusal as refusal:
            await self._answering.answer([(request, Reply(request_id=request.request_id, problem=problem_of(refusal)))])
            return
        order = ProbeConnection(probe_id=request.request_id, sealed_connection=box)
        await self._turns.post(agent_mailbox(agent.tenant_id, agent.name), [order])

    async def heard(self, probed: ConnectionProbed) -> None:
        """The answer of the agent that was asked; any other is ignored."""
        probe = self._under_way.get(probed.probe_id)
        if probe is None or (probe.request.tenant_id, probe.agent, probe.session_id) != (
            probed.tenant_id,
            probed.name,
            probed.session_id,
        ):
            _log.info("the result of a connection's test is ignored: nobody waits for it", agent=probed.name)
            return
        request, message, position = probe.request, probed.message[:_LONGEST_MESSAGE], None
        async with self._turns.turn() as (board, now):
            try:
                connection = known_connection(board, request.tenant_id, probe.connection_id)
            except Refusal as refusal:  # it was deleted meanwhile
                reply = Reply(request_id=request.request_id, problem=problem_of(refusal))
            else:
                connection.tested = Tested(ok=probed.ok, message=message, agent=probed.name, at=rfc3339(now))
                board.changes.connections[connection.connection_id] = connection
                event = ConnectionTested(
                    name=connection.name, agent=probed.name, ok=probed.ok, message=message, by=request.actor
                )
                position = await self._journal.record(Happening(connection, event), now)
                result = {
                    "ok": probed.ok,
                    "message": message,
                    "agent": probed.name,
                    "durationMs": probed.duration_ms,
                }
                reply = Reply(request_id=request.request_id, result=result, position=position)
        del self._under_way[probed.probe_id]
        await self._answering.answer([(request, reply)])

    async def give_up_late_ones(self) -> None:
        now = self._clock.now()
        late = [probe for probe in self._under_way.values() if probe.until <= now]
        for probe in late:
            del self._under_way[probe.request.request_id]
        await self._answering.answer([(probe.request, self._no_answer(probe)) for probe in late])

    def drop(self) -> None:
        """This dispatcher leads no more: the agents' answers go to another."""
        self._under_way.clear()

    def _no_answer(self, probe: Probe) -> Reply:
        detail = (
            f"agent {probe.agent} did not say within {self._timeout_seconds:g} s how the connection did: "
            "look at the agent's log, or choose another agent"
        )
        refusal = Refusal("test_timed_out", detail, _TIMED_OUT)
        return Reply(request_id=probe.request.request_id, problem=problem_of(refusal))


def choose_agent(board: Board, connection: Connection, name: str | None) -> tuple[Agent, bytes]:
    """The agent that is named, else the healthiest that may use the connection; and the key to seal for. Raises `Conflict`."""
    if not connection.enabled:
        raise Conflict("connection_disabled", f"connection {connection.name} is disabled: enable it to test it")
    if not connection.readable:
        raise Conflict(
            "connection_unreadable",
            f"the secrets of connection {connection.name} were sealed with a master key that the dispatcher does not have: "
            "add that key to RUNYARD_MASTER_KEYS, or enter the secrets again",
        )
    online = [
        (agent, agent.public_key)
        for agent in board.agents.values()
        if agent.tenant_id == connection.tenant_id and agent.online and agent.public_key is not None
    ]
    allowed = [(agent, key) for agent, key in online if connection.allowed_in(agent.pool)]
    if name is None:
        if not allowed:
            where = f" in pool {' or '.join(connection.pools)}" if connection.pools else ""
            raise Conflict("no_agent_online", f"no agent{where} is online that could try the connection out: start one")
        return min(allowed, key=lambda chosen: (-chosen[0].health, chosen[0].name))
    for agent, key in allowed:
        if agent.name == name:
            return agent, key
    if any(agent.name == name for agent, _ in online):
        raise Conflict(
            "connection_not_allowed",
            f"agent {name} is in a pool that may not use connection {connection.name}, only {', '.join(connection.pools)}",
        )
    raise Conflict("no_agent_online", f"agent {name} is not online: start it, or choose another one")
