"""What people do with agents: create, change, drain, cut off; and how an agent's process is let in. Pure.

A repeated command finds what it would do done, and answers the same.
"""

from collections.abc import Sequence
from typing import Any, Final

from runyard_shared.contracts.commands import (
    ChangeAgent,
    CreateAgent,
    DrainAgent,
    EnrolAgent,
    ResumeAgent,
    RevokeAgent,
    RotateAgentKey,
)
from runyard_shared.contracts.events import (
    AgentChanged,
    AgentCreated,
    AgentDrained,
    AgentEnrolled,
    AgentKeyRotated,
    AgentResumed,
    AgentRevoked,
)
from runyard_shared.contracts.jobs import SessionRefused
from runyard_shared.errors import Conflict, FieldProblem, Invalid, NotFound, Refusal
from runyard_shared.messaging.topology import agent_mailbox
from runyard_shared.sealing import KEY_BYTES, CannotSeal, fingerprint, seal

from runyard_dispatcher.agents import Account, Agent
from runyard_dispatcher.board import Board
from runyard_dispatcher.happening import Asked, Decision, Happening
from runyard_dispatcher.lifecycle import AGENT_STEPS, AgentStatus, AgentStep
from runyard_dispatcher.names import in_words, name_problems, names_problems, pool_problems

TRANSPORTS: Final = ("amqp", "https", "local")


def create_agent(board: Board, asked: Asked, command: CreateAgent) -> Decision:
    unknown_pool = pool_problems(board, asked.tenant_id, "pool", command.pool)
    problems = [*name_problems("name", command.name), *unknown_pool, *names_problems("tags", command.tags)]
    _raise(problems, "unknown_pool" if unknown_pool else "invalid_agent")
    agent = board.agents.get((asked.tenant_id, command.name))
    if agent is not None and not agent.revoked:
        raise Conflict(
            "agent_exists",
            f"there is an agent {command.name} already: choose another name, or rotate its key to get a new one for it",
            agentId=agent.agent_id,
        )
    if agent is None:
        agent = Agent(command.agent_id, asked.tenant_id, command.name, command.pool, created_at=asked.at)
    else:
        agent.status = AGENT_STEPS[agent.status, AgentStep.CREATE]
        agent.pool = command.pool
        agent.created_at = asked.at
        agent.capacity, agent.version, agent.actions = 0, "", []
        agent.registered_at = agent.last_heartbeat_at = None
        agent.reliability = 1.0
        agent.drained = False
        agent.announce_tags(())
    agent.give_tags(command.tags)
    agent.key_hash = command.key_hash
    agent.reason = "it has not enrolled yet: start it with its key"
    board.add_agent(agent)
    board.changes.agents[agent.agent_id] = agent
    event = AgentCreated(name=agent.name, pool=agent.pool, tags=sorted(agent.given_tags), by=asked.actor)
    return Decision(_shown(agent), Happening(agent, event))


def admit(board: Board, tenant_id: str, command: EnrolAgent, *, broker_accounts: bool) -> tuple[Agent, str]:
    """Whether the process may come in as the agent, and by which transport. Changes nothing; raises `Refusal`."""
    agent = _by_id(board, tenant_id, command.agent_id)
    if agent is None or agent.revoked or agent.key_hash != command.key_hash:
        detail = "this key is of no agent (any more): create the agent, or rotate its key, and start it with the new key"
        raise Refusal("agent_unknown", detail, 401)
    problems = []
    try:
        seal(command.public_key, b"")
    except CannotSeal:
        problems.append(FieldProblem("publicKey", f"must be an X25519 public key: {KEY_BYTES} bytes"))
    if command.transport not in ("auto", *TRANSPORTS):
        problems.append(FieldProblem("transport", f"must be auto, {', '.join(TRANSPORTS[:-1])} or {TRANSPORTS[-1]}"))
    _raise(problems, "invalid_enrolment")
    if agent.online and agent.public_key != command.public_key:
        raise Conflict(
            "agent_connected",
            f"another process is connected as agent {agent.name}: stop it and wait until the agent is offline, "
            "or create an agent of its own for this host",
        )
    if command.transport == "amqp" and not broker_accounts:
        raise Invalid("no_broker_accounts", "agents cannot come by AMQP here: start the agent with the transport https")
    if command.transport == "auto":
        return agent, "amqp" if broker_accounts else "https"
    return agent, command.transport


def enrol(board: Board, agent: Agent, command: EnrolAgent, transport: str) -> Happening:
    """The process that was admitted is the agent from now on; nothing of an earlier process with another key pair counts."""
    agent.status = AGENT_STEPS[agent.status, AgentStep.ENROL]
    if agent.public_key not in (None, command.public_key):
        _send_away(board, agent, "another process came with the agent's key")
    if not agent.online:
        agent.reason = "it has enrolled and not registered yet"
    agent.public_key = command.public_key
    agent.transport = transport
    agent.version = command.version
    if transport != "amqp" and agent.account is Account.GRANTED:
        agent.account = Account.VOID
    board.changes.agents[agent.agent_id] = agent
    return Happening(agent, AgentEnrolled(name=agent.name, key=fingerprint(command.public_key), transport=transport))


def change_agent(board: Board, asked: Asked, command: ChangeAgent) -> Decision:
    agent = _living(board, asked, command.agent_id)
    pool = agent.pool if command.pool is None else command.pool
    tags = sorted(agent.given_tags if command.tags is None else set(command.tags))
    unknown_pool = pool_problems(board, asked.tenant_id, "pool", pool)
    problems = [*unknown_pool, *names_problems("tags", tags)]
    _raise(problems, "unknown_pool" if unknown_pool else "invalid_agent")
    if (pool, tags) == (agent.pool, sorted(agent.given_tags)):
        return Decision(_shown(agent))
    board.placement.remove_agent(agent)
    agent.pool = pool
    agent.give_tags(tags)
    board.join_pool(agent)
    board.changes.agents[agent.agent_id] = agent
    return Decision(_shown(agent), Happening(agent, AgentChanged(name=agent.name, pool=pool, tags=tags, by=asked.actor)))


def rotate_agent_key(board: Board, asked: Asked, command: RotateAgentKey) -> Decision:
    agent = _living(board, asked, command.agent_id)
    if agent.key_hash == command.key_hash:
        return Decision(_shown(agent))
    _cut_off(board, agent, AgentStep.ROTATE, f"its key was rotated by {asked.actor}: start it with the new one", asked)
    agent.key_hash = command.key_hash
    return Decision(_shown(agent), Happening(agent, AgentKeyRotated(name=agent.name, by=asked.actor)))


def revoke_agent(board: Board, asked: Asked, command: RevokeAgent) -> Decision:
    agent = _known(board, asked, command.agent_id)
    if agent.revoked:
        return Decision(_shown(agent))
    _cut_off(board, agent, AgentStep.REVOKE, f"it was revoked by {asked.actor}", asked)
    agent.key_hash = None
    board.placement.remove_agent(agent)
    return Decision(_shown(agent), Happening(agent, AgentRevoked(name=agent.name, by=asked.actor)))


def drain_agent(board: Board, asked: Asked, command: DrainAgent) -> Decision:
    agent = _living(board, asked, command.agent_id)
    if agent.drained:
        return Decision(_shown(agent))
    agent.drained = True
    board.changes.agents[agent.agent_id] = agent
    return Decision(_shown(agent), Happening(agent, AgentDrained(name=agent.name, by=asked.actor)))


def resume_agent(board: Board, asked: Asked, command: ResumeAgent) -> Decision:
    agent = _living(board, asked, command.agent_id)
    if not agent.drained:
        return Decision(_shown(agent))
    agent.drained = False
    board.placement.touch(agent)
    board.changes.agents[agent.agent_id] = agent
    return Decision(_shown(agent), Happening(agent, AgentResumed(name=agent.name, by=asked.actor)))


def _cut_off(board: Board, agent: Agent, step: AgentStep, reason: str, asked: Asked) -> None:
    """Whoever is connected as the agent is so no more, and what it held is lost."""
    online = agent.online
    agent.status = AGENT_STEPS[agent.status, step]
    agent.reason = reason
    agent.health = 0
    agent.public_key = agent.transport = None
    if agent.account is Account.GRANTED:
        agent.account = Account.VOID
    if online:
        agent.void_session()
        board.lose_leases(agent, reason, asked.at)
    board.changes.agents[agent.agent_id] = agent
    _send_away(board, agent, reason)


def _send_away(board: Board, agent: Agent, reason: str) -> None:
    """To whoever is connected as the agent, registered or not."""
    refused = SessionRefused(session_id=agent.session_id or "", reason=reason, revoked=True)
    board.changes.orders[agent_mailbox(agent.tenant_id, agent.name)].append(refused)


def _by_id(board: Board, tenant_id: str, agent_id: str) -> Agent | None:
    agents = (agent for agent in board.agents.values() if agent.agent_id == agent_id and agent.tenant_id == tenant_id)
    return next(agents, None)


def _known(board: Board, asked: Asked, agent_id: str) -> Agent:
    agent = _by_id(board, asked.tenant_id, agent_id)
    if agent is None:
        raise NotFound("agent_not_found", f"there is no agent {agent_id}")
    return agent


def _living(board: Board, asked: Asked, agent_id: str) -> Agent:
    agent = _known(board, asked, agent_id)
    if agent.status is AgentStatus.REVOKED:
        raise Conflict("agent_revoked", f"agent {agent.name} was revoked: create it anew to use it again")
    return agent


def _raise(problems: Sequence[FieldProblem], code: str) -> None:
    if problems:
        raise Invalid(code, in_words(problems), tuple(problems))


def _shown(agent: Agent) -> dict[str, Any]:
    return {"agentId": agent.agent_id, "name": agent.name, "pool": agent.pool, "tags": sorted(agent.tags)}
