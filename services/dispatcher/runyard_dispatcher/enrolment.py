"""Letting agents in. An agent that comes by AMQP needs an account at the broker, and making one takes a call to somebody
else, so an enrolment is three steps: decide and write down that there may be an account; make it; decide again and answer.

If we die between them, the row says that there may be an account. Its password is known to nobody: the agent asks again and
gets another one, and once its key is rotated or revoked the account is deleted, by whoever leads then. So it is, too, when
that happens while an account is being made.
"""

import asyncio
import secrets
from collections import defaultdict
from typing import Any, Final, Protocol

import msgspec
import structlog
from runyard_shared.clock import Clock, rfc3339
from runyard_shared.contracts.commands import EnrolAgent, Problem, Reply, Request
from runyard_shared.contracts.link import AmqpAccess, Enrolment
from runyard_shared.errors import Refusal, Unavailable
from runyard_shared.messaging.answers import problem_of
from runyard_shared.sealing import seal

from runyard_dispatcher.agent_commands import admit, enrol
from runyard_dispatcher.agents import Account, Agent
from runyard_dispatcher.answering import Answering
from runyard_dispatcher.board import Board
from runyard_dispatcher.journal import Journal
from runyard_dispatcher.settings import Patience
from runyard_dispatcher.turns import Turns

_AT_ONCE: Final = 8
_RETRY_SECONDS: Final = 0.5
_PASSWORD_BYTES: Final = 32
_log = structlog.get_logger(__name__)


class Accounts(Protocol):
    """Accounts of agents at the broker. Both calls may be repeated, and raise `Unavailable`."""

    async def grant(self, agent_id: str, tenant_id: str, agent_name: str, password: str) -> str:
        """Make the account, or give it the new password; returns the user's name."""

    async def revoke(self, agent_id: str) -> None:
        """Delete the account and close its connections; no error if it is not there."""


class Enrolments:
    """`accounts` None: agents cannot come by AMQP here. `broker_url`: where those that do find the broker."""

    def __init__(
        self,
        turns: Turns,
        journal: Journal,
        answering: Answering,
        accounts: Accounts | None,
        clock: Clock,
        patience: Patience,
        *,
        broker_url: str,
        namespace: str,
    ) -> None:
        self.trouble: str | None = None
        self._turns = turns
        self._journal = journal
        self._answering = answering
        self._accounts = accounts
        self._clock = clock
        self._patience = patience
        self._broker_url = broker_url
        self._namespace = namespace
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._at_once = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._void: set[str] = set()
        self._wake = asyncio.Event()

    def begin(self, request: Request, command: EnrolAgent) -> None:
        """The answer follows."""
        task = asyncio.create_task(self._answer(request, command), name="enrolment")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def look(self, board: Board) -> None:
        """Within a turn: see which accounts must be deleted."""
        void = {agent.agent_id for agent in board.agents.values() if agent.account is Account.VOID}
        if void - self._void:
            self._wake.set()
        self._void = void

    async def drop(self) -> None:
        """This dispatcher leads no more: what is under way is broken off."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def delete_accounts_forever(self) -> None:
        """The accounts of agents that were cut off, as soon as they are, and again until it is done."""
        async with self._turns.turn() as (board, _):
            self.look(board)
        while True:
            if self._void and self._accounts is not None:
                await self._delete_accounts(self._accounts)
            elif self._void:
                self.trouble = "accounts of agents must be deleted at the broker: set RUNYARD_AMQP_MANAGEMENT_URL"
            else:
                self.trouble = None
            if self.trouble is None:
                await self._wake.wait()
                self._wake.clear()
            else:
                await asyncio.sleep(_RETRY_SECONDS)

    async def _delete_accounts(self, accounts: Accounts) -> None:
        self.trouble = None
        for agent_id in sorted(self._void):
            async with self._locks[agent_id]:
                if agent_id not in self._void:  # an enrolment has deleted it meanwhile, and made another one
                    continue
                try:
                    await self._delete_account(accounts, agent_id)
                except Unavailable as trouble:
                    self.trouble = f"an account at the broker that was cut off is not deleted yet: {trouble}"
                    _log.warning("an account is not deleted yet", agent_id=agent_id, reason=str(trouble))
                except Exception as error:  # noqa: BLE001 - the others are still to be deleted; health says so
                    self.trouble = f"an account at the broker that was cut off cannot be deleted: {error!r}"
                    _log.exception("an account cannot be deleted", agent_id=agent_id)

    async def _delete_account(self, accounts: Accounts, agent_id: str) -> None:
        """Holding the agent's lock."""
        await accounts.revoke(agent_id)
        async with self._turns.turn() as (board, _):
            for agent in board.agents.values():
                if agent.agent_id == agent_id and agent.account is Account.VOID:
                    agent.account = Account.NONE
                    board.changes.agents[agent_id] = agent
            self.look(board)

    async def _answer(self, request: Request, command: EnrolAgent) -> None:
        try:
            async with self._at_once, self._locks[command.agent_id]:
                reply = await self._enrol(request, command)
        except Refusal as refusal:
            reply = Reply(request_id=request.request_id, problem=problem_of(refusal))
        except Unavailable as trouble:
            problem = Problem(code="unavailable", detail=f"agents cannot be let in just now: {trouble}", status=503)
            reply = Reply(request_id=request.request_id, problem=problem)
        except Exception:  # noqa: BLE001 - whoever asked gives up waiting, and asks again
            _log.exception("an agent could not be let in", agent_id=command.agent_id)
            return
        await self._answering.answer([(request, reply)])

    async def _enrol(self, request: Request, command: EnrolAgent) -> Reply:
        """Holding the agent's lock."""
        access: AmqpAccess | None = None
        while True:
            async with self._turns.turn() as (board, _):
                known = await self._turns.answers([request.request_id])
                if known:
                    return known[request.request_id]
                agent, transport = admit(board, request.tenant_id, command, broker_accounts=self._accounts is not None)
                before = agent.account
                if before is Account.GRANTED and agent.public_key != command.public_key:
                    agent.account = Account.VOID  # whoever has the other key pair is to be cut off
                elif before is Account.NONE and transport == "amqp":
                    agent.account = Account.GRANTED
                if agent.account is not before:
                    board.changes.agents[agent.agent_id] = agent
                void = agent.account is Account.VOID
            if not void or self._accounts is None:
                break
            await self._delete_account(self._accounts, agent.agent_id)
        if transport == "amqp" and self._accounts is not None:
            access = await self._grant(self._accounts, agent, command.public_key)
        async with self._turns.turn() as (board, now):
            agent, transport = admit(board, request.tenant_id, command, broker_accounts=self._accounts is not None)
            position = await self._journal.record(enrol(board, agent, command, transport), now)
            enrolment = Enrolment(
                agent_id=agent.agent_id,
                tenant_id=agent.tenant_id,
                name=agent.name,
                pool=agent.pool,
                transport=transport,
                heartbeat_seconds=self._patience.heartbeat_seconds,
                offline_after_seconds=self._patience.offline_after_seconds,
                server_time=rfc3339(self._clock.now()),
                amqp=access,
            )
            result: dict[str, Any] = msgspec.to_builtins(enrolment)
            reply = Reply(request_id=request.request_id, result=result, position=position)
            board.changes.answers.append(reply)
            self.look(board)
            _log.info("an agent was let in", agent=agent.name, transport=transport, version=command.version)
        return reply

    async def _grant(self, accounts: Accounts, agent: Agent, public_key: bytes) -> AmqpAccess:
        """An account with a password that only the agent's process can read."""
        password = secrets.token_urlsafe(_PASSWORD_BYTES)
        username = await accounts.grant(agent.agent_id, agent.tenant_id, agent.name, password)
        return AmqpAccess(
            url=self._broker_url,
            namespace=self._namespace,
            username=username,
            sealed_password=seal(public_key, password.encode()),
        )
