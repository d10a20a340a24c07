"""Carries out the dispatcher's orders: takes leases, starts as many jobs as there are free slots, cancels, gives up.

A lease goes waiting → starting (its `JobStarted` is on its way) → running → reporting. What has not begun can be given up at
any time without a word: the dispatcher sees that no heartbeat lists it, and sends it again if the lease is still good.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from runyard_shared.contracts.jobs import AgentOrder, CancelJob, LinkTaken, ProbeConnection, RunJob, SessionRefused
from runyard_shared.contracts.link import Enrolment
from runyard_shared.contracts.reports import JobStarted
from runyard_shared.messaging.topology import orchestrator_inbox
from runyard_shared.sealing import OpeningKey

from runyard_agent.actions.base import Action
from runyard_agent.delivery import Delivery
from runyard_agent.job import not_run, run_job
from runyard_agent.job_log import JobLog, named
from runyard_agent.leases import Lease, Leases, Phase, RecentKeys, Stop
from runyard_agent.metrics import JOBS_GIVEN_BACK, JOBS_RUN
from runyard_agent.probing import Probing
from runyard_agent.reports import Reports
from runyard_agent.session import Session
from runyard_agent.settings import Settings

log = structlog.get_logger(__name__)
_SETTLE_SECONDS: Final = 10
"""For what is left to reach the server when the agent stops."""
_SETTLE_REVOKED_SECONDS: Final = 1
"""The server takes nothing more: only the stopped processes are waited for."""


class Runner:
    def __init__(
        self,
        settings: Settings,
        enrolment: Enrolment,
        key: OpeningKey,
        session: Session,
        leases: Leases,
        reports: Reports,
        delivery: Delivery,
        actions: Mapping[str, Action[Any]],
        probing: Probing,
    ) -> None:
        self._settings = settings
        self._agent = enrolment.name
        self._key = key
        self._session = session
        self._leases = leases
        self._reports = reports
        self._delivery = delivery
        self._actions = actions
        self._probing = probing
        self._waiting: deque[Lease] = deque()
        self._free = settings.agent_capacity
        self._starting: set[asyncio.Task[None]] = set()
        self._cancelled_ahead = RecentKeys(enrolment.offline_after_seconds * 2)
        self._stopping: str | None = None
        self._job_log = JobLog()

    async def handle(self, orders: Sequence[AgentOrder]) -> None:
        """Orders from the mailbox. Never waits for a job."""
        for order in orders:
            match order:
                case RunJob():
                    self._take(order)
                case CancelJob():
                    self._cancel(order)
                case SessionRefused():
                    self._session.refused(order.session_id, order.reason, revoked=order.revoked)
                case ProbeConnection():
                    self._probing.take(order)
                case LinkTaken():
                    pass  # among gateways
        self._start_waiting()

    def give_up_waiting(self, reason: str) -> None:
        """Nothing that has not begun begins any more."""
        self._give_up(reason, Phase.WAITING, Phase.STARTING)

    def _give_up(self, reason: str, *phases: Phase) -> None:
        for lease in self._leases.held():
            if lease.phase in phases and lease.stopping is None:
                log.info("job given back", **named(lease.job), reason=reason)
                JOBS_GIVEN_BACK.inc()
                self._leases.give_up(lease)
        self._waiting.clear()

    async def stop(self) -> None:
        """Take nothing new, let running jobs end for `stop_grace_seconds`, then stop them; deliver every report."""
        await self._stop("the agent stops", self._settings.stop_grace_seconds, _SETTLE_SECONDS)

    async def abandon(self) -> None:
        """The agent is not let in any more: stop running jobs at once."""
        await self._stop("the agent was revoked", 0, _SETTLE_REVOKED_SECONDS)

    async def _stop(self, reason: str, grace_seconds: float, settle_seconds: float) -> None:
        self._stopping = reason
        # not what is starting: its start may be known already, and nobody would hear that it did not run
        self._give_up(reason, Phase.WAITING)
        if grace_seconds:
            await self._ended(within=grace_seconds)
        for lease in self._leases.held():
            if lease.phase is not Phase.REPORTING:
                log.warning("job stopped", **named(lease.job), reason=reason)
                lease.stop(Stop.AGENT_STOPPED)
        await self._ended(within=self._settings.kill_grace_seconds + settle_seconds)
        await self._probing.stop()
        # in this order: the results of jobs that still wait for their output to be delivered go to the spool
        await self._delivery.stop()
        await self._reports.stop()

    def _take(self, job: RunJob) -> None:
        refusal = self._refusal(job)
        if refusal is not None:
            log.info("job not taken", **named(job), reason=refusal)
            return
        lease = self._leases.add(job)
        if lease is None:
            log.info("job not taken", **named(job), reason="this lease came before")
        elif (job.job_id, job.dispatch) in self._cancelled_ahead:
            self._end_unrun(lease)
        else:
            self._waiting.append(lease)
            if len(self._waiting) > self._free:
                reason = f"all {self._settings.agent_capacity} slots are in use"
                log.info("job waits", **named(job), reason=reason, ahead=len(self._waiting) - 1)

    def _refusal(self, job: RunJob) -> str | None:
        if self._stopping is not None:
            return self._stopping
        if job.session_id != self._session.id:
            return "it is for an earlier session of this agent"
        if not self._session.in_contact:
            return "the server was out of reach for too long: the job may have been given to another agent"
        if job.contact != self._session.contact:
            return "it was sent before the server was out of reach: the job may have been given to another agent"
        return None

    def _cancel(self, order: CancelJob) -> None:
        key = (order.job_id, order.dispatch)
        lease = self._leases.get(key)
        if lease is None:
            # It has ended here, or its RunJob was lost and comes again.
            self._cancelled_ahead.add(key)
        elif lease.phase is Phase.WAITING:
            self._waiting.remove(lease)
            self._end_unrun(lease)
        elif lease.phase is Phase.STARTING or (lease.phase is Phase.RUNNING and order.force):
            lease.stop(Stop.CANCELLED)
        else:
            log.info("job not cancelled", **named(lease.job), reason=f"it is {lease.phase.value}", force=order.force)

    def _end_unrun(self, lease: Lease) -> None:
        reason = "it was cancelled" if self._stopping is None else self._stopping
        log.info("job not run", **named(lease.job), reason=reason)
        lease.phase = Phase.REPORTING
        self._reports.end(not_run(lease.job, self._agent))

    def _start_waiting(self) -> None:
        by_inbox: dict[str, list[Lease]] = {}
        while self._waiting and self._free:
            lease = self._waiting.popleft()
            lease.phase = Phase.STARTING
            self._free -= 1
            by_inbox.setdefault(orchestrator_inbox(lease.job.execution_id), []).append(lease)
        for inbox, leases in by_inbox.items():
            task = asyncio.create_task(self._start(inbox, leases), name=f"starts to {inbox}")
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _start(self, inbox: str, leases: list[Lease]) -> None:
        """Run the jobs once their starts are safe in the inbox, and only if the dispatcher still counts on this session."""
        try:
            safe = await self._reports.starts(inbox, [self._started(lease.job) for lease in leases])
        except BaseException:
            self._dismiss(leases)
            raise
        if not safe or not self._session.in_contact:
            reason = "its start was not safe with the server" if not safe else "the server was out of reach for too long"
            for lease in leases:
                log.info("job given back", **named(lease.job), reason=reason)
            self._dismiss(leases)
            return
        for lease in leases:
            if lease.phase is Phase.GIVEN_UP:
                self._free += 1
            elif lease.stopping is not None:
                self._free += 1
                self._end_unrun(lease)
            else:
                lease.phase = Phase.RUNNING
                self._job_log.runs(lease.job)
                lease.task = asyncio.create_task(self._run(lease))
        self._start_waiting()

    def _dismiss(self, leases: list[Lease]) -> None:
        """Their starts may not be known: give them back."""
        self._free += len(leases)
        JOBS_GIVEN_BACK.inc(len(leases))
        for lease in leases:
            self._leases.give_up(lease)
        self._start_waiting()

    async def _run(self, lease: Lease) -> None:
        # of this task alone: whatever an action logs says which job it is of
        structlog.contextvars.bind_contextvars(job_id=lease.job.job_id, execution_id=lease.job.execution_id)
        try:
            finished = await run_job(lease, self._actions, self._delivery, self._agent, self._key)
            lease.phase = Phase.REPORTING
            self._reports.end(finished)
            self._job_log.ended(lease.job, finished)
            JOBS_RUN.labels(finished.status.value).inc()
        finally:
            self._free += 1
            lease.task = None
            self._start_waiting()

    def _started(self, job: RunJob) -> JobStarted:
        return JobStarted(
            tenant_id=job.tenant_id,
            execution_id=job.execution_id,
            job_id=job.job_id,
            dispatch=job.dispatch,
            agent=self._agent,
            dispatched_at=job.dispatched_at,
        )

    async def _ended(self, within: float) -> None:
        """Until no job runs and every report is delivered, at most `within` seconds."""
        try:
            async with asyncio.timeout(within):
                while tasks := [*self._starting, *(lease.task for lease in self._leases.held() if lease.task is not None)]:
                    await asyncio.wait(tasks)
                await self._reports.delivered()
        except TimeoutError:
            log.debug("jobs are still running or being reported", seconds=within)
