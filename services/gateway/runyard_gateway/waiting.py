"""What an execution does and why it waits (R11), each in words; nothing active is left without one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from runyard_gateway.answers import RunningNode, WaitingRow
from runyard_gateway.approvers import approver_words
from runyard_gateway.durations import duration
from runyard_gateway.graph import Graph
from runyard_gateway.queries.columns import instant
from runyard_gateway.queries.execution_rows import Running, Waiting


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What reasons refer to: the graph that runs, why jobs wait for agents (by job id), the workflow of each child (by id)."""

    graph: Graph
    agents: Mapping[str, str] = field(default_factory=dict)
    children: Mapping[str, str] = field(default_factory=dict)


def waiting_row(each: Waiting, around: Surroundings, now: datetime) -> WaitingRow:
    name = around.graph.title(each.node_id) if each.node_id else None
    words = _words(each, name or "", around, now)
    return WaitingRow(
        reason=each.reason,  # type: ignore[arg-type]  # the view's words are those of the answer
        node_id=each.node_id,
        node_name=name,
        item=each.item,
        since=each.since,
        until=each.until,
        detail=f"{each.item}: {words}" if each.item else words,
        job_id=each.job_id,
        approval_id=each.approval_id,
        child_execution_id=each.child_id,
    )


def running_node(each: Running, graph: Graph) -> RunningNode:
    name = graph.title(each.node_id)
    on = f" on {each.agent}" if each.agent else ""
    if each.jobs > 1:
        words = f"{each.jobs} jobs of {name} are running{on}"
    elif each.started:
        words = f"{name} is running{on}"
    else:
        words = f"{name} was sent to {each.agent} and is about to start"
    return RunningNode(
        node_id=each.node_id,
        node_name=name,
        jobs=each.jobs,
        agent=each.agent,
        since=instant(each.since),
        detail=f"{words}, attempt {each.attempt}" if each.jobs == 1 and each.attempt > 1 else words,
    )


def _words(each: Waiting, name: str, around: Surroundings, now: datetime) -> str:  # noqa: PLR0911 - one for each reason
    match each.reason:
        case "agent":
            return around.agents.get(each.job_id or "") or f"{name} is waiting for an agent in pool {each.pool}"
        case "retry":
            return f"retry {(each.attempt or 2) - 1} of {(each.max_attempts or 2) - 1} of {name} {_in(each, now)}"
        case "delay":
            return f"{name} goes on {_in(each, now)}"
        case "approval":
            expires = f", expires {_in(each, now)}" if each.until else ""
            return f"waiting for approval by {approver_words(each.approvers or [])}{expires}"
        case "subworkflow":
            workflow = around.children.get(each.child_id or "")
            return f"waiting for child execution {each.child_id}" + (
                f" of {workflow}" if workflow else ", which is about to start"
            )
        case "jobs":
            return f"failing, and waiting for {each.count} running {'job' if each.count == 1 else 'jobs'} to end"
        case other:
            return other


def _in(each: Waiting, now: datetime) -> str:
    if each.until is None:
        return "soon"
    seconds = (datetime.fromisoformat(each.until) - now).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else "now"
