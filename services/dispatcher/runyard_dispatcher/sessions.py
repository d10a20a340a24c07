"""What agents say of themselves, and what their silence says. Pure; a repeated message does nothing.

Each function returns what happened, for the agent's stream in the log, or None if nothing of note did.
"""

from datetime import datetime

from runyard_shared.contracts.actions import ACTIONS
from runyard_shared.contracts.events import AgentOffline, AgentRegistered
from runyard_shared.contracts.jobs import AgentHeartbeat, AgentStopping, RegisterAgent, SessionRefused
from runyard_shared.messaging.topology import agent_mailbox

from runyard_dispatcher.agents import Agent
from runyard_dispatcher.board import Board, cancel_job
from runyard_dispatcher.happening import Happening
from runyard_dispatcher.lifecycle import AGENT_STEPS, AgentStep
from runyard_dispatcher.settings import Patience

SessionStatus = RegisterAgent | AgentHeartbeat | AgentStopping


def hear(board: Board, status: SessionStatus, now: datetime, patience: Patience) -> Happening | None:
    """Take one message of an agent into the board."""
    agent = board.agents.get((status.tenant_id, status.name))
    if agent is None or not agent.enrolled:
        _turn_away(board, status, agent)
        return None
    if (
        isinstance(status, RegisterAgent)
        and status.session_id != agent.session_id
        and status.session_id not in agent.void_sessions
    ):
        return _new_session(board, agent, status, now)
    if status.session_id != agent.session_id or not agent.online:
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


def _new_session(board: Board, agent: Agent, status: RegisterAgent, now: datetime) -> Happening:
    if agent.online:
        agent.void_session()
        board.lose_leases(agent, "it was restarted", now)
    board.placement.remove_agent(agent)
    agent.status = AGENT_STEPS[agent.status, AgentStep.REGISTER]
    agent.reason = ""
    agent.session_id = status.session_id
    agent.contact = status.contact
    agent.announce_tags(status.tags)
    agent.capacity = status.capacity
    agent.version = status.version
    agent.actions = status.actions
    agent.registered_at = agent.last_heartbeat_at = now
    agent.silent_seconds = 0.0
    agent.health = round(100 * agent.reliability)
    board.join_pool(agent)
    _announce(board, status)
    board.changes.agents[agent.agent_id] = agent
    return Happening(
        agent,
        AgentRegistered(
            name=agent.name,
            session_id=status.session_id,
            pool=agent.pool,
            tags=sorted(agent.tags),
            capacity=status.capacity,
            version=status.version,
            actions=status.actions,
        ),
    )


def _announce(board: Board, status: RegisterAgent) -> None:
    """Remember the action types that the agent offers beyond those that come with Runyard."""
    for action_type in status.action_types:
        key = (status.tenant_id, action_type.type)
        if action_type.type not in ACTIONS and board.action_types.get(key) != action_type:
            board.action_types[key] = board.changes.action_types[key] = action_type
            board.review_due = True


def _heartbeat(board: Board, agent: Agent, status: RegisterAgent | AgentHeartbeat, now: datetime, patience: Patience) -> None:
    agent.last_heartbeat_at = now
    agent.silent_seconds = 0.0
    agent.refresh_health(patience.heartbeat_seconds, patience.offline_after_seconds)
    board.changes.heard[agent.agent_id] = agent
    back = isinstance(status, RegisterAgent) and _back_in_contact(board, agent, status)
    listed = set(status.leases)
    for job_id, job in agent.leases.items():
        if (job_id, job.dispatch) not in listed:
            # The order may still be under way, or the agent has finished the job and its release is.
            if back or (now - job.since).total_seconds() >= patience.resend_after_seconds:
                board.resend_orders(job)
        elif job.cancel is not None:
            board.changes.orders[agent_mailbox(agent.tenant_id, agent.name)].append(cancel_job(job, job.cancel))


def _back_in_contact(board: Board, agent: Agent, status: RegisterAgent) -> bool:
    """Whether it will begin none of the orders that were sent before."""
    if status.contact <= agent.contact:
        return False
    agent.contact = status.contact
    board.changes.agents[agent.agent_id] = agent
    return True


def _go_offline(board: Board, agent: Agent, step: AgentStep, reason: str, now: datetime) -> Happening:
    agent.status = AGENT_STEPS[agent.status, step]
    agent.reason = reason
    agent.void_session()
    board.lose_leases(agent, reason, now)
    agent.health = 0
    board.changes.agents[agent.agent_id] = agent
    return Happening(agent, AgentOffline(name=agent.name, session_id=agent.session_id or "", reason=reason))


def _turn_away(board: Board, status: SessionStatus, agent: Agent | None) -> None:
    """Nobody who enrolled: no new session would change that."""
    if agent is None:
        reason = f"there is no agent {status.name}: create it, and start it with its key"
    elif agent.revoked:
        reason = f"{agent.reason}: create it anew, and start it with the new key"
    else:
        reason = agent.reason
    _send_refusal(board, status, reason, revoked=True)


def _refuse(board: Board, status: SessionStatus, agent: Agent) -> None:
    if status.session_id not in agent.void_sessions:
        reason = "the session is not known here"
    elif status.session_id == agent.session_id:
        reason = f"the session is void: {agent.reason}"
    else:
        reason = "a later session took over"
    _send_refusal(board, status, f"{reason}; register with a new session", revoked=False)


def _send_refusal(board: Board, status: SessionStatus, reason: str, *, revoked: bool) -> None:
    if isinstance(status, AgentStopping):
        return
    refused = SessionRefused(session_id=status.session_id, reason=reason, revoked=revoked)
    board.changes.orders[agent_mailbox(status.tenant_id, status.name)].append(refused)
