"""The orchestrator's real handlers and routes on a log in memory, with a world around them that answers as it is told to.

Messages wait in `inbox` until a test delivers them, in whatever order and number it likes; so property tests can play every
kind of weather with nothing but the real engine in between.
"""

import asyncio
import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from runyard_orchestrator.execution.evolve import replay
from runyard_orchestrator.execution.state import ExecutionState
from runyard_orchestrator.execution_handler import ExecutionHandler
from runyard_orchestrator.handlers import Handlers
from runyard_orchestrator.incident_handler import IncidentHandler
from runyard_orchestrator.orders import orders_of
from runyard_orchestrator.repository import Executions, Workflows
from runyard_orchestrator.schedule_handler import ScheduleHandler
from runyard_orchestrator.workflow_handler import WorkflowHandler
from runyard_shared.clock import FrozenClock
from runyard_shared.contracts import approvals, commands, events, jobs, reports
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.commands import Problem, Reply, Request, TimerDue
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ApprovalStatus, ErrorInfo, JobStatus, Trigger
from runyard_shared.errors import VersionConflict
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.store import NOTHING, Claim, ClaimTaken, ClearAllTimers, Commit, SetTimer, Snapshot, TimerChange
from runyard_shared.ids import derived_id

from tests.engine import CATALOG, EPOCH, Json

TENANT = "default"


class MemoryLog:
    """An event store that forgets when the test ends."""

    def __init__(self) -> None:
        self.events: list[Recorded] = []
        self.streams: dict[str, list[Recorded]] = {}
        self.claims: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.timers: dict[tuple[str, str], SetTimer] = {}
        self._mapper = EventMapper(EVENT_TYPES)

    async def append(self, stream_id: str, expected_version: int, events: Sequence[Event], **options: Any) -> Commit:
        return await self.submit(stream_id, expected_version, events, **options)

    def submit(
        self,
        stream_id: str,
        expected_version: int,
        events: Sequence[Event],
        *,
        tenant_id: str,
        at: datetime,
        correlation_id: str | None = None,
        causation_id: str | None = None,
        timers: Sequence[TimerChange] = (),
        claims: Sequence[Claim] = (),
        snapshot: Snapshot | None = None,
        decided_on: Mapping[str, int] = NOTHING,
    ) -> "asyncio.Future[Commit]":
        done: asyncio.Future[Commit] = asyncio.get_running_loop().create_future()
        stream = self.streams.setdefault(stream_id, [])
        taken = next((claim for claim in claims if (tenant_id, claim.scope, claim.key) in self.claims), None)
        if taken is not None:
            done.set_exception(ClaimTaken(taken, self.claims[tenant_id, taken.scope, taken.key]))
            return done
        decided_on = {stream_id: expected_version, **decided_on}
        if any(len(self.streams.get(known, ())) != version for known, version in decided_on.items()):
            done.set_exception(VersionConflict(stream_id, expected_version))
            return done
        for claim in claims:
            self.claims[tenant_id, claim.scope, claim.key] = claim.value
        for event in events:
            recorded = Recorded(
                position=len(self.events) + 1,
                stream_id=stream_id,
                version=len(stream) + 1,
                tenant_id=tenant_id,
                topic=event.topic,
                recorded_at=at,
                data=msgspec.Raw(msgspec.json.encode(event)),
                correlation_id=correlation_id,
            )
            self.events.append(recorded)
            stream.append(recorded)
        for change in timers:
            self._change(stream_id, change)
        done.set_result(Commit(len(self.events), len(stream)))
        return done

    def _change(self, stream_id: str, change: TimerChange) -> None:
        if isinstance(change, ClearAllTimers):
            self.timers = {key: timer for key, timer in self.timers.items() if key[0] != stream_id}
        elif isinstance(change, SetTimer):
            self.timers[change.stream_id or stream_id, change.timer_id] = change
        else:
            self.timers.pop((change.stream_id or stream_id, change.timer_id), None)

    async def load(self, stream_id: str, after_version: int = 0) -> list[Recorded]:
        return self.streams.get(stream_id, [])[after_version:]

    async def load_snapshot(self, stream_id: str) -> Snapshot | None:
        return None

    async def read(self, after: int, limit: int = 1000) -> list[Recorded]:
        return self.events[after : after + limit]

    async def head(self) -> int:
        return len(self.events)

    async def claimed(self, tenant_id: str, scope: str, key: str) -> dict[str, Any] | None:
        return self.claims.get((tenant_id, scope, key))

    async def last_claimed(self, tenant_id: str, scope: str) -> tuple[str, dict[str, Any]] | None:
        return max((await self.claims_of(tenant_id, scope)).items(), key=lambda claim: claim[0], default=None)

    async def claims_of(self, tenant_id: str, scope: str) -> dict[str, dict[str, Any]]:
        return {key[2]: value for key, value in self.claims.items() if key[:2] == (tenant_id, scope)}


class World:
    """`inbox`: messages for the orchestrator by stream, oldest first. `jobs`: orders for agents. `asked`: for people."""

    def __init__(self) -> None:
        self.clock = FrozenClock(EPOCH)
        self.log = MemoryLog()
        self.mapper = EventMapper(EVENT_TYPES)
        self.inbox: dict[str, list[Any]] = {}
        self.delivered: list[Any] = []
        self.jobs: dict[str, jobs.PlaceJob] = {}
        self.withdrawn: set[str] = set()
        self.asked: dict[str, approvals.RequestApproval] = {}
        self.cancelled: set[str] = set()
        self._routed = 0
        self._ids = 0
        self.restart()

    def restart(self) -> None:
        """A process that knows nothing but the log."""
        self.workflows = Workflows(self.log, self.mapper)
        self.executions = Executions(self.log, self.mapper, self.workflows)
        self.handlers = Handlers(
            ExecutionHandler(self.log, self.workflows, self.executions, self.clock, random.Random(1)),
            WorkflowHandler(self.log, self.workflows, self.clock),
            ScheduleHandler(self.log, self.workflows, self.executions, self.clock),
            IncidentHandler(self.log, self.mapper, self.workflows, self.clock),
            self.workflows,
        )

    # --- commands

    def new_id(self) -> str:
        self._ids += 1
        return derived_id(self.clock.now(), "world", self._ids)

    async def ask(self, command: Any, actor: str = "alice") -> Reply:
        request = Request(request_id=self.new_id(), tenant_id=TENANT, actor=actor, command=command, reply_to="box")
        ((_, reply),) = await self.handlers.handle([request])
        self.route()
        return reply

    async def publish(self, document: Json) -> str:
        workflow_id = self.new_id()
        fields: Json = {"workflow_id": workflow_id, "document": document, "source": "", "format": "json"}
        for command in (
            commands.CreateWorkflow(**fields),
            commands.PublishWorkflow(workflow_id=workflow_id, catalog=CATALOG),
            commands.ActivateWorkflow(workflow_id=workflow_id),
        ):
            reply = await self.ask(command)
            assert reply.problem is None, reply.problem
        return workflow_id

    async def run(self, workflow_id: str, variables: Json | None = None, *, traceparent: str | None = None) -> str:
        execution_id = self.new_id()
        trigger = Trigger(type="manual", user="alice")
        command = commands.StartExecution(
            execution_id=execution_id,
            workflow_id=workflow_id,
            variables=variables or {},
            trigger=trigger,
            traceparent=traceparent,
        )
        reply = await self.ask(command)
        assert reply.problem is None, reply.problem
        return execution_id

    async def rerun(self, execution_id: str, from_node: str | None = None, **variables: Any) -> str | Problem:
        again = self.new_id()
        command = commands.RerunExecution(
            execution_id=again,
            rerun_of=execution_id,
            from_node=from_node,
            variables=variables,
        )
        reply = await self.ask(command)
        return reply.problem or again

    async def cancel(self, execution_id: str, *, force: bool = False) -> Reply:
        return await self.ask(commands.CancelExecution(execution_id=execution_id, reason="enough", force=force))

    # --- messages

    async def deliver(self, *items: Any) -> None:
        self.delivered += items
        await self.handlers.handle(items)
        self.route()

    async def deliver_next(self, stream_id: str) -> None:
        """The oldest message of a stream: what comes from one relay stays in order."""
        waiting = self.inbox[stream_id]
        item = waiting.pop(0)
        if not waiting:
            del self.inbox[stream_id]
        await self.deliver(item)

    def route(self) -> None:
        """What the relay makes of the new events."""
        for recorded in self.log.events[self._routed :]:
            for _, item in orders_of(recorded):
                match item:
                    case jobs.PlaceJob():
                        self.jobs[item.job_id] = item
                    case jobs.WithdrawJob():
                        self.withdrawn.add(item.job_id)
                    case jobs.ReleaseJob():
                        self.jobs.pop(item.job_id, None)
                    case jobs.RequeueJob():
                        pass
                    case approvals.RequestApproval():
                        self.asked[item.approval_id] = item
                    case approvals.CancelApproval():
                        self.cancelled.add(item.approval_id)
                    case Request(command=commands.CancelExecution() as command):
                        self.inbox.setdefault(command.execution_id, []).append(item)
                    case _:
                        self.inbox.setdefault(item.execution_id, []).append(item)
        self._routed = len(self.log.events)

    # --- answers of the world

    async def start(self, job_id: str, agent: str = "a1") -> None:
        order = self.jobs[job_id]
        await self.deliver(
            reports.JobStarted(tenant_id=TENANT, execution_id=order.execution_id, job_id=job_id, dispatch=1, agent=agent)
        )

    async def refuse(self, job_id: str) -> None:
        order = self.jobs[job_id]
        await self.deliver(
            reports.JobRefused(
                tenant_id=TENANT,
                execution_id=order.execution_id,
                job_id=job_id,
                dispatch=0,
                reason="connection_disabled",
                message="the connection 'web-hosts' is disabled",
            )
        )

    async def finish(
        self, job_id: str, status: JobStatus = JobStatus.COMPLETED, output: Json | None = None, agent: str = "a1"
    ) -> None:
        order = self.jobs[job_id]
        error = ErrorInfo(reason="exit_code", message="exit code 1", exit_code=1) if status == JobStatus.FAILED else None
        await self.deliver(
            reports.JobFinished(
                tenant_id=TENANT,
                execution_id=order.execution_id,
                job_id=job_id,
                dispatch=1,
                agent=agent,
                status=status,
                duration_ms=1,
                output=output or {},
                error=error,
            )
        )

    async def withdraw(self, job_id: str) -> None:
        order = self.jobs[job_id]
        await self.deliver(reports.JobWithdrawn(tenant_id=TENANT, execution_id=order.execution_id, job_id=job_id, dispatch=0))

    async def resolve(self, approval_id: str, status: ApprovalStatus, by: str = "bob") -> None:
        order = self.asked[approval_id]
        await self.deliver(
            reports.ApprovalResolved(
                tenant_id=TENANT,
                execution_id=order.execution_id,
                approval_id=approval_id,
                status=status,
                responded_by=by if status in (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED) else None,
                note="noted",
                via="api",
                responded_at="2026-01-01T00:00:00.000Z",
            )
        )

    async def fire(self, stream_id: str, timer_id: str) -> None:
        state = self.state(stream_id)
        self.clock.advance(max(0.0, (state.timers[timer_id] - self.clock.now()).total_seconds()))
        await self.deliver(TimerDue(stream_id=stream_id, timer_id=timer_id))

    async def settle(self) -> None:
        """Deliver what waits between executions, in order."""
        while self.inbox:
            await self.deliver_next(next(iter(self.inbox)))

    # --- what there is to see

    def state(self, stream_id: str) -> ExecutionState:
        """As it is in the log."""
        history = self.history(stream_id)
        first = history[0]
        assert isinstance(first, events.ExecutionStarted | events.IterationStarted)
        graph = self.workflows.known_graph(first.workflow_id, first.version)
        if isinstance(first, events.IterationStarted):
            graph = graph.body(first.body)
        times = [recorded.recorded_at for recorded in self.log.streams[stream_id]]
        return replay(stream_id, TENANT, zip(history, times, strict=True), graph)

    def history(self, stream_id: str) -> list[Event]:
        return [self.mapper.decode(recorded) for recorded in self.log.streams[stream_id]]

    def topics(self, stream_id: str) -> list[str]:
        return [recorded.topic for recorded in self.log.streams[stream_id]]

    def executions_and_iterations(self) -> list[str]:
        return [
            stream_id
            for stream_id, stream in self.log.streams.items()
            if stream and stream[0].topic in (events.ExecutionStarted.topic, events.IterationStarted.topic)
        ]

    def job_of(self, node_id: str) -> str:
        """The oldest open job of a node."""
        return next(job_id for job_id, order in self.jobs.items() if order.node_id == node_id)
