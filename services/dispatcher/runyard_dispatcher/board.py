"""All that the dispatcher knows, in memory, and what the running turn has changed of it.

A turn is: take a list of messages into the board, give free slots to waiting jobs, write the changes in one transaction, then
send what follows from them. The tables are the truth; a board whose turn failed is thrown away and loaded anew.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from runyard_shared.clock import rfc3339
from runyard_shared.contracts.actions import ActionType
from runyard_shared.contracts.commands import Reply
from runyard_shared.contracts.jobs import AgentOrder, CancelJob, RunJob
from runyard_shared.contracts.reports import JobDispatched, JobLost, JobRefused, JobWithdrawn, Report
from runyard_shared.messaging.topology import agent_mailbox

from runyard_dispatcher.agents import Agent
from runyard_dispatcher.connections import Connection
from runyard_dispatcher.hopeless import why_never
from runyard_dispatcher.jobs import Cancel, Demand, Hopeless, Job
from runyard_dispatcher.lifecycle import JOB_STEPS, JobState, JobStep
from runyard_dispatcher.placement import Placement
from runyard_dispatcher.pools import DEFAULT_POOL, Pool
from runyard_dispatcher.reason import waiting_reason
from runyard_dispatcher.spans import Dispatch


@dataclass(slots=True)
class Changes:
    """To be written: `jobs` (None: gone), `agents` (all of the row), `heard` (heartbeat and health only), `reasons` (None:
    gone), `position`, `pools` and `connections` by id (None: gone), `boxes` by connection and secret (None: gone),
    `action_types` by tenant and type, `answers`. To be sent once that is committed: `orders` by mailbox, and `reports`. For
    log and traces: `dispatches`."""

    jobs: dict[str, Job | None] = field(default_factory=dict)
    agents: dict[str, Agent] = field(default_factory=dict)
    heard: dict[str, Agent] = field(default_factory=dict)
    reasons: dict[Demand, str | None] = field(default_factory=dict)
    position: int | None = None
    pools: dict[str, Pool | None] = field(default_factory=dict)
    connections: dict[str, Connection | None] = field(default_factory=dict)
    boxes: dict[tuple[str, str], bytes | None] = field(default_factory=dict, repr=False)
    action_types: dict[tuple[str, str], ActionType] = field(default_factory=dict)
    answers: list[Reply] = field(default_factory=list)
    orders: defaultdict[str, list[AgentOrder]] = field(default_factory=lambda: defaultdict(list))
    reports: list[Report] = field(default_factory=list)
    dispatches: list[Dispatch] = field(default_factory=list)

    @property
    def to_write(self) -> bool:
        return not self.only_jobs or bool(self.jobs) or self.position is not None

    @property
    def empty(self) -> bool:
        return not (self.to_write or self.orders or self.reports)

    @property
    def only_jobs(self) -> bool:
        """Nothing but jobs and the position, as in most turns."""
        return not (
            self.agents
            or self.heard
            or self.reasons
            or self.pools
            or self.connections
            or self.boxes
            or self.action_types
            or self.answers
        )


class Board:
    """`position`: of the last order that was handled. `reasons`: why jobs wait, as written, by demand."""

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self.jobs: dict[str, Job] = {}
        self.agents: dict[tuple[str, str], Agent] = {}
        self.pools: dict[tuple[str, str], Pool] = {}
        self.connections: dict[tuple[str, str], Connection] = {}
        self.action_types: dict[tuple[str, str], ActionType] = {}
        self.review_due = False
        """Something was changed that jobs were placed by: whether those that wait still can ever run is asked anew."""
        self.reasons: dict[Demand, str] = {}
        self.placement = Placement()
        self.untold: dict[str, Job] = {}
        """Leased jobs whose dispatch was not reported yet, oldest first. Most start, and many end, before it need be."""
        self.changes = Changes()

    def take_changes(self) -> Changes:
        """The changes of the turn; the next ones count from here."""
        changes, self.changes = self.changes, Changes()
        return changes

    def add_agent(self, agent: Agent) -> None:
        """A new one, or one that was revoked and comes anew."""
        self.agents[agent.tenant_id, agent.name] = agent
        if not agent.revoked:
            self.join_pool(agent)

    def join_pool(self, agent: Agent) -> None:
        """The agent meets the jobs of its pool; it must be out of any other."""
        pool = self.pools.get((agent.tenant_id, agent.pool))
        agent.held = pool is not None and pool.paused
        self.placement.add_agent(agent)

    def has_pool(self, tenant_id: str, name: str) -> bool:
        return name == DEFAULT_POOL or (tenant_id, name) in self.pools

    def wait(self, job: Job, now: datetime, *, first: bool = False) -> None:
        """The job waits for an agent, unless none can ever run it."""
        hopeless = why_never(job.order, self)
        if hopeless is None:
            self.placement.wait(job, first=first)
        else:
            self.refuse(job, hopeless, now)

    def refuse(self, job: Job, hopeless: Hopeless, now: datetime) -> None:
        """A waiting job (in no line) can never be run."""
        job.state = JOB_STEPS[job.state, JobStep.REFUSE]
        job.since = now
        job.refusal = hopeless
        self.changes.jobs[job.order.job_id] = job
        self.changes.reports.append(job_refused(job, hopeless))

    def review(self, now: datetime) -> None:
        """Refuse those waiting jobs that can never be run as things are set up now, and say anew why the others wait."""
        self.review_due = False
        for job in self.jobs.values():
            if job.state is JobState.WAITING and (hopeless := why_never(job.order, self)) is not None:
                self.placement.leave(job)
                self.refuse(job, hopeless, now)
        self.explain_all()

    def lease_waiting(self, now: datetime) -> None:
        """Give every free slot to a waiting job, and say of the others why they wait. The last step of a turn."""
        changes = self.changes
        if self.review_due:
            self.review(now)
        for job, agent in self.placement.assign():
            job.state = JOB_STEPS[job.state, JobStep.LEASE]
            changes.dispatches.append(Dispatch(job.order, job.dispatch + 1, agent.name, job.since, now))
            job.since = now
            job.dispatch += 1
            job.agent = agent
            changes.jobs[job.order.job_id] = job
            changes.orders[agent_mailbox(agent.tenant_id, agent.name)].append(run_job(job, agent))
            self.untold[job.order.job_id] = job
        for demand in {job.demand for job in changes.jobs.values() if job is not None and job.state is JobState.WAITING}:
            self.explain(demand)

    def explain(self, demand: Demand) -> None:
        """Say why jobs of this demand wait, if it is not what was said before."""
        reason = waiting_reason(demand, self.placement.agents_for(demand), self.pools)
        if self.reasons.get(demand) != reason:
            self.reasons[demand] = self.changes.reasons[demand] = reason

    def explain_all(self) -> None:
        """The same for all demands, and forget those for which nothing waits."""
        for demand in self.placement.demands():
            self.explain(demand)
        for demand in [demand for demand in self.reasons if not self.placement.is_wanted(demand)]:
            del self.reasons[demand]
            self.changes.reasons[demand] = None

    def tell_dispatches(self, before: datetime) -> None:
        """Report the dispatch of jobs that were leased before then."""
        while self.untold:
            job_id, job = next(iter(self.untold.items()))
            if job.since >= before:
                return
            del self.untold[job_id]
            if job.agent is not None:
                self.changes.reports.append(job_dispatched(job, job.agent))

    def end_lease(self, job: Job, *, well: bool) -> None:
        """Free the slot of a leased job."""
        self.untold.pop(job.order.job_id, None)
        agent = job.agent
        assert agent is not None, "a leased job has an agent"  # noqa: S101
        del agent.leases[job.order.job_id]
        agent.count_result(well)
        self.placement.touch(agent)

    def withdraw(self, job: Job, now: datetime) -> None:
        """A waiting job (in no line) will not be sent."""
        job.state = JOB_STEPS[job.state, JobStep.WITHDRAW]
        job.since = now
        self.changes.jobs[job.order.job_id] = job
        self.changes.reports.append(job_withdrawn(job))

    def lose_leases(self, agent: Agent, reason: str, now: datetime) -> None:
        """The session of the agent has ended: the executions of its jobs are to decide what becomes of them."""
        for job in list(agent.leases.values()):
            self.end_lease(job, well=False)
            job.state = JOB_STEPS[job.state, JobStep.LOSE]
            job.since = now
            self.changes.jobs[job.order.job_id] = job
            self.changes.reports.append(job_lost(job, agent, reason))

    def resend_orders(self, job: Job) -> None:
        """Tell the agent of a leased job all it must know of it. Repetitions do no harm there."""
        agent = job.agent
        assert agent is not None, "a leased job has an agent"  # noqa: S101
        orders = self.changes.orders[agent_mailbox(agent.tenant_id, agent.name)]
        orders.append(run_job(job, agent))
        if job.cancel is not None:
            orders.append(cancel_job(job, job.cancel))

    def resend_all_orders(self) -> None:
        """After a time in which orders may have been lost."""
        for agent in self.agents.values():
            for job in agent.leases.values():
                self.resend_orders(job)

    def resend_all_reports(self) -> None:
        """After a start: a predecessor may have died between its commit and its reports."""
        for job in self.jobs.values():
            if job.state is JobState.WITHDRAWN:
                self.changes.reports.append(job_withdrawn(job))
            elif job.state is JobState.REFUSED and job.refusal is not None:
                self.changes.reports.append(job_refused(job, job.refusal))
            elif job.agent is not None and job.state is JobState.LEASED:
                self.changes.reports.append(job_dispatched(job, job.agent))
            elif job.agent is not None and job.state is JobState.LOST:
                self.changes.reports.append(job_lost(job, job.agent, job.agent.reason or "it was restarted"))


def run_job(job: Job, agent: Agent) -> RunJob:
    order = job.order
    return RunJob(
        tenant_id=order.tenant_id,
        execution_id=order.execution_id,
        job_id=order.job_id,
        node_id=order.node_id,
        attempt=order.attempt,
        dispatch=job.dispatch,
        session_id=agent.session_id or "",
        action=order.action,
        params=order.params,
        connection=order.connection,
        timeout_seconds=order.timeout_seconds,
        dispatched_at=rfc3339(job.since),
        traceparent=order.traceparent,
        contact=agent.contact,
    )


def cancel_job(job: Job, cancel: Cancel) -> CancelJob:
    return CancelJob(job_id=job.order.job_id, dispatch=job.dispatch, force=cancel is Cancel.FORCE)


def job_dispatched(job: Job, agent: Agent) -> JobDispatched:
    order = job.order
    return JobDispatched(
        tenant_id=order.tenant_id,
        execution_id=order.execution_id,
        job_id=order.job_id,
        dispatch=job.dispatch,
        agent=agent.name,
    )


def job_lost(job: Job, agent: Agent, reason: str) -> JobLost:
    order = job.order
    return JobLost(
        tenant_id=order.tenant_id,
        execution_id=order.execution_id,
        job_id=order.job_id,
        dispatch=job.dispatch,
        agent=agent.name,
        reason=reason,
    )


def job_withdrawn(job: Job) -> JobWithdrawn:
    order = job.order
    return JobWithdrawn(tenant_id=order.tenant_id, execution_id=order.execution_id, job_id=order.job_id, dispatch=job.dispatch)


def job_refused(job: Job, hopeless: Hopeless) -> JobRefused:
    order = job.order
    return JobRefused(
        tenant_id=order.tenant_id,
        execution_id=order.execution_id,
        job_id=order.job_id,
        dispatch=job.dispatch,
        reason=hopeless.reason,
        message=hopeless.message,
    )
