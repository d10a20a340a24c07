"""What agents say of themselves, and what their silence says. Pure; a repeated message does nothing.

Each function returns the event for the agent's stream in the log, or None if nothing of note happened.
"""

from dataclasses import dataclass
from datetime import datetime

from runyard_shared.contracts.base import Event
from runyard_shared.contracts.events import AgentOffline, AgentRegistered
from runyard_shared.contracts.jobs import AgentHeartbeat, AgentStatus, AgentStopping, RegisterAgent, SessionRefused
from runyard_shared.ids import derived_id
from runyard_shared.messaging.topology import agent_mailbox

from runyard_dispatcher.agents import Agent
from runyard_dispatcher.board import Board, cancel_job
from runyard_dispatcher.lifecycle import AGENT_STEPS, AgentStep
from runyard_dispatcher.settings import Patience


@dataclass(frozen=True)
class Happening:
    """Something for the agent's stream."""

    agent: Agent
    event: Event


def hear(board: Board, status: AgentStatus, now: datetime, patience: Patience) -> Happening | None:
    """Take one message of an agent into the board."""
    agent = board.agents.get((status.tenant_id, status.name))
    if isinstance(status, RegisterAgent):
        if agent is None:
            return _first_registration(board, status, now)
        if status.session_id != agent.session_id and status.session_id not in agent.void_sessions:
            return _new_session(board, agent, status, now)
    if agent is None or status.session_id != agent.session_id or not agent.online:
        _refuse(board, status, agent)
        return None
    if isinstance(status, AgentStopping):
        return _go_offline(board, agent, AgentStep.STOP, "it was stopped", now)
    _heartbeat(board, agent, status, now, patience)
    return None


def notice_silence(board: Board, elapsed_seconds: float, now: datetime, patience: Patience) -> list[Happening]:
    """`elapsed_seconds` have passed in which messages could be heard; declare offline whom they make silent for too long."""
    happenings = []
    for agent in board.agents.values():
        if not agent.online:
            continue
        agent.silent_seconds += elapsed_seconds
        before = agent.health
        agent.refresh_health(patience.heartbeat_seconds, patience.offline_after_seconds)
        if agent.silent_seconds >= patience.offline_after_seconds:
            reason = f"it has been silent for {patience.offline_after_seconds:g} s"
            happenings.append(_go_offline(board, agent, AgentStep.FALL_SILENT, reason, now))
        elif agent.health != before:
            board.changes.heard[agent.agent_id] = agent
    return happenings


def _first_registration(board: Board, status: RegisterAgent, now: datetime) -> Happening:
    agent = Agent(
        agent_id=derived_id(now, status.tenant_id, status.name),
        tenant_id=status.tenant_id,
        name=status.name,
        pool=status.pool,
        tags=frozenset(status.tags),
        capacity=status.capacity,
        version=status.version,
        actions=status.actions,
        session_id=status.session_id,
        registered_at=now,
        last_heartbeat_at=now,
    )
    board.add_agent(agent)
    board.changes.agents[agent.agent_id] = agent
    return Happening(agent, _registered(status))


def _new_session(board: Board, agent: Agent, status: RegisterAgent, now: datetime) -> Happening:
    if agent.online:
        agent.void_session()
        board.lose_leases(agent, "it was restarted", now)
    board.placement.remove_agent(agent)
    agent.status = AGENT_STEPS[agent.status, AgentStep.REGISTER]
    agent.reason = ""
    agent.session_id = status.session_id
    agent.pool = status.pool
    agent.tags = frozenset(status.tags)
    agent.capacity = status.capacity
    agent.version = status.version
    agent.actions = status.actions
    agent.registered_at = agent.last_heartbeat_at = now
    agent.silent_seconds = 0.0
    agent.health = round(100 * agent.reliability)
    board.placement.add_agent(agent)
    board.changes.agents[agent.agent_id] = agent
    return Happening(agent, _registered(status))


def _heartbeat(board: Board, agent: Agent, status: RegisterAgent | AgentHeartbeat, now: datetime, patience: Patience) -> None:
    agent.last_heartbeat_at = now
    agent.silent_seconds = 0.0
    agent.refresh_health(patience.heartbeat_seconds, patience.offline_after_seconds)
    board.changes.heard[agent.agent_id] = agent
    listed = set(status.leases)
    for job_id, job in agent.leases.items():
        if (job_id, job.dispatch) not in listed:
            # The order may still be under way, or the agent has finished the job and its release is.
            if (now - job.since).total_seconds() >= patience.resend_after_seconds:
                board.resend_orders(job)
        elif job.cancel is not None:
            board.changes.orders[agent_mailbox(agent.tenant_id, agent.name)].append(cancel_job(job, job.cancel))


def _go_offline(board: Board, agent: Agent, step: AgentStep, reason: str, now: datetime) -> Happening:
    agent.status = AGENT_STEPS[agent.status, step]
    agent.reason = reason
    agent.void_session()
    board.lose_leases(agent, reason, now)
    agent.health = 0
    board.changes.agents[agent.agent_id] = agent
    return Happening(agent, AgentOffline(name=agent.name, session_id=agent.session_id, reason=reason))


def _refuse(board: Board, status: AgentStatus, agent: Agent | None) -> None:
    if isinstance(status, AgentStopping):
        return
    if agent is None:
        reason = "the agent is not known here"
    elif status.session_id in agent.void_sessions:
        reason = (
            f"the session is void: {agent.reason}" if status.session_id == agent.session_id else "a later session took over"
        )
    else:
        reason = "the session is not known here"
    refusal = SessionRefused(session_id=status.session_id, reason=f"{reason}; register with a new session")
    board.changes.orders[agent_mailbox(status.tenant_id, status.name)].append(refusal)


def _registered(status: RegisterAgent) -> AgentRegistered:
    return AgentRegistered(
        name=status.name,
        session_id=status.session_id,
        pool=status.pool,
        tags=status.tags,
        capacity=status.capacity,
        version=status.version,
        actions=status.actions,
    )
