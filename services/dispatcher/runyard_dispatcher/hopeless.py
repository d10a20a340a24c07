"""Why a job can never be run as things are set up (R52): better said at once than waited for. Pure."""

from typing import TYPE_CHECKING

from runyard_shared.contracts.actions import ACTIONS
from runyard_shared.contracts.jobs import PlaceJob

from runyard_dispatcher.jobs import Hopeless

if TYPE_CHECKING:
    from runyard_dispatcher.board import Board


def why_never(order: PlaceJob, board: "Board") -> Hopeless | None:
    """None if some agent may run it, now or later. Of several problems the first gives the reason; the message has all."""
    problem, pool = _place_problem(order, board)
    problems = [problem] if problem is not None else []
    if order.connection is not None:
        problems += _connection_problems(order, order.connection, pool, board)
    if not problems:
        return None
    return Hopeless(reason=problems[0].reason, message="; ".join(problem.message for problem in problems))


def _place_problem(order: PlaceJob, board: "Board") -> tuple[Hopeless | None, str]:
    """What is wrong with where it is to run, and the pool of whichever agent would run it. A named agent may be of any pool."""
    if order.agent is None:
        if board.has_pool(order.tenant_id, order.pool):
            return None, order.pool
        message = f"there is no pool {order.pool}: create it, or name another one in the node"
        return Hopeless(reason="pool_unknown", message=message), order.pool
    agent = board.agents.get((order.tenant_id, order.agent))
    if agent is None:
        message = f"there is no agent {order.agent}: create it, or name another one in the node"
        return Hopeless(reason="agent_unknown", message=message), order.pool
    if agent.revoked:
        message = f"agent {order.agent} was revoked: create it anew, or name another one in the node"
        return Hopeless(reason="agent_revoked", message=message), agent.pool
    return None, agent.pool


def _connection_problems(order: PlaceJob, name: str, pool: str, board: "Board") -> list[Hopeless]:
    connection = board.connections.get((order.tenant_id, name))
    if connection is None:
        message = f"there is no connection {name}: create it, or name another one in the node"
        return [Hopeless(reason="connection_unknown", message=message)]
    problems = []
    if not connection.enabled:
        problems.append(Hopeless(reason="connection_disabled", message=f"connection {name} is disabled: enable it"))
    if not connection.allowed_in(pool):
        message = f"connection {name} may not be used in pool {pool}, only in {', '.join(connection.pools)}: allow it there"
        problems.append(Hopeless(reason="connection_not_allowed", message=message))
    kinds = _kinds_for(order, board)
    if kinds is not None and connection.kind not in kinds:
        takes = f"one of kind {' or '.join(kinds)}" if kinds else "no connection"
        message = f"connection {name} is of kind {connection.kind}, and {order.action} takes {takes}"
        problems.append(Hopeless(reason="connection_wrong_kind", message=message))
    if not connection.readable:
        message = (
            f"the secrets of connection {name} were sealed with a master key that the dispatcher does not have: "
            "add that key to RUNYARD_MASTER_KEYS, or enter the secrets again"
        )
        problems.append(Hopeless(reason="connection_unreadable", message=message))
    return problems


def _kinds_for(order: PlaceJob, board: "Board") -> list[str] | None:
    """The kinds of connection that the action takes; None if nobody has told what the action is."""
    built_in = ACTIONS.get(order.action)
    if built_in is not None:
        return list(built_in.connections)
    announced = board.action_types.get((order.tenant_id, order.action))
    return None if announced is None else announced.connections
