"""The orchestrator's handlers on a real event log: outcome, redelivery, conflict."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any, get_args

import asyncpg
import pytest
from runyard_orchestrator.execution_handler import ExecutionHandler
from runyard_orchestrator.handlers import Handlers, InboxItem
from runyard_orchestrator.incident_handler import IncidentHandler
from runyard_orchestrator.orders import orders_of
from runyard_orchestrator.repository import Executions, Workflows
from runyard_orchestrator.schedule_handler import ScheduleHandler
from runyard_orchestrator.workflow_handler import WorkflowHandler
from runyard_shared.clock import Clock, FrozenClock
from runyard_shared.contracts import commands, events, jobs, reports
from runyard_shared.contracts.actions import ActionType
from runyard_shared.contracts.commands import Reply, Request, TimerDue
from runyard_shared.contracts.events import EVENT_TYPES
from runyard_shared.contracts.values import ErrorInfo, ExecutionStatus, JobStatus, Trigger
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.ids import new_id

from tests.engine import CATALOG, EPOCH, Json, action, chain


class Orchestrator:
    """The handlers as one process has them; several share one log."""

    def __init__(self, pool: asyncpg.Pool, clock: Clock) -> None:
        self.mapper = EventMapper(EVENT_TYPES)
        self.store = PostgresEventStore(pool, "orchestrator", self.mapper)
        self.workflows = Workflows(self.store, self.mapper)
        self.executions = Executions(self.store, self.mapper, self.workflows)
        self.handlers = Handlers(
            ExecutionHandler(self.store, self.workflows, self.executions, clock, random.Random(1)),
            WorkflowHandler(self.store, self.workflows, clock),
            ScheduleHandler(self.store, self.workflows, self.executions, clock),
            IncidentHandler(self.store, self.mapper, self.workflows, clock),
            self.workflows,
        )

    def forget(self) -> None:
        """As after a restart."""
        self.workflows.forget_all()
        self.executions.forget_all()

    async def ask(self, command: Any, *, tenant_id: str = "default") -> Reply:
        (reply,) = await self.ask_all([command], tenant_id=tenant_id)
        return reply

    async def ask_all(self, wanted: list[Any], *, tenant_id: str = "default") -> list[Reply]:
        requests = [
            Request(request_id=new_id(), tenant_id=tenant_id, actor="alice", command=command, reply_to="box")
            for command in wanted
        ]
        return [reply for _, reply in await self.handlers.handle(requests)]

    async def tell(self, *items: InboxItem) -> None:
        await self.handlers.handle(items)

    async def history(self, stream_id: str) -> list[Any]:
        return [self.mapper.decode(recorded) for recorded in await self.store.load(stream_id)]

    async def topics(self, stream_id: str) -> list[str]:
        return [event.topic for event in await self.history(stream_id)]

    async def publish(self, document: Json) -> str:
        workflow_id = new_id()
        fields: Json = {"workflow_id": workflow_id, "document": document, "source": "text", "format": "yaml"}
        for command in (
            commands.CreateWorkflow(**fields),
            commands.PublishWorkflow(workflow_id=workflow_id, catalog=CATALOG),
            commands.ActivateWorkflow(workflow_id=workflow_id),
        ):
            reply = await self.ask(command)
            assert reply.problem is None, reply.problem
        return workflow_id


def start(workflow_id: str, **fields: Any) -> commands.StartExecution:
    given: Json = {"execution_id": new_id(), "variables": {}, "trigger": Trigger(type="manual")}
    return commands.StartExecution(workflow_id=workflow_id, **(given | fields))


def report(kind: Any, execution_id: str, job_id: str, **fields: Any) -> Any:
    return kind(tenant_id="default", execution_id=execution_id, job_id=job_id, dispatch=1, agent="a1", **fields)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(EPOCH)


@pytest.fixture
async def orchestrator(pool: asyncpg.Pool, clock: FrozenClock) -> AsyncIterator[Orchestrator]:
    await migrate(pool, "orchestrator", "runyard_orchestrator", with_log=True)
    orchestrator = Orchestrator(pool, clock)
    await orchestrator.store.open()
    yield orchestrator
    await orchestrator.store.close()


@pytest.fixture
async def second(orchestrator: Orchestrator, pool: asyncpg.Pool, clock: FrozenClock) -> AsyncIterator[Orchestrator]:
    other = Orchestrator(pool, clock)
    await other.store.open()
    yield other
    await other.store.close()


async def test_a_run_starts_its_first_job_and_the_same_command_again_gives_the_same_answer(orchestrator: Orchestrator) -> None:
    workflow_id = await orchestrator.publish(chain(action("a")))
    command = start(workflow_id)
    first = await orchestrator.ask(command)
    again = await orchestrator.ask(command)
    assert first.result == again.result == {"executionId": command.execution_id}
    assert first.position is not None
    assert await orchestrator.topics(command.execution_id) == ["execution.started", "job.scheduled"]


async def test_a_redelivered_start_is_known_to_a_process_that_never_saw_it(
    orchestrator: Orchestrator, second: Orchestrator
) -> None:
    workflow_id = await orchestrator.publish(chain(action("a")))
    command = start(workflow_id)
    await orchestrator.ask(command)
    await orchestrator.ask(commands.DeactivateWorkflow(workflow_id=workflow_id))
    reply = await second.ask(command)
    assert reply.result == {"executionId": command.execution_id}
    assert await second.topics(command.execution_id) == ["execution.started", "job.scheduled"]


async def test_one_idempotency_key_makes_one_execution_even_at_once(orchestrator: Orchestrator) -> None:
    workflow_id = await orchestrator.publish(chain(action("a")))
    wanted = [start(workflow_id, idempotency_key="deploy-1") for _ in range(20)]
    replies = await orchestrator.ask_all(wanted)
    assert len({reply.result["executionId"] for reply in replies if reply.result}) == 1
    started = [event for event in await orchestrator.store.read(0, 1000) if event.topic == "execution.started"]
    assert len(started) == 1
    other = await orchestrator.ask(start(workflow_id, idempotency_key="deploy-1", variables={"x": 1}))
    assert other.problem is not None
    assert (other.problem.status, other.problem.code) == (422, "idempotency_key_reused")


async def test_a_whole_execution_runs_from_reports_and_a_new_process_continues_it(
    orchestrator: Orchestrator, second: Orchestrator
) -> None:
    workflow_id = await orchestrator.publish(chain(action("a"), action("b", params={"script": "{{ nodes.a.output.stdout }}"})))
    command = start(workflow_id)
    await orchestrator.ask(command)
    execution_id = command.execution_id
    (first_job,) = [e.job_id for e in await orchestrator.history(execution_id) if isinstance(e, events.JobScheduled)]
    await orchestrator.tell(report(reports.JobStarted, execution_id, first_job))
    await second.tell(
        report(reports.JobFinished, execution_id, first_job, status=JobStatus.COMPLETED, duration_ms=3, output={"stdout": "hi"})
    )
    scheduled = [e for e in await second.history(execution_id) if isinstance(e, events.JobScheduled)]
    assert scheduled[1].params == {"script": "hi"}
    # the first process still holds the older state: it notices, reloads and decides again
    done = report(reports.JobFinished, execution_id, scheduled[1].job_id, status=JobStatus.COMPLETED, duration_ms=3)
    await orchestrator.tell(done)
    await orchestrator.tell(done)
    assert (await orchestrator.topics(execution_id))[-1] == "execution.completed"


async def test_two_processes_told_the_same_report_at_once_record_it_once(
    orchestrator: Orchestrator, second: Orchestrator
) -> None:
    workflow_id = await orchestrator.publish(chain(action("a")))
    command = start(workflow_id)
    await orchestrator.ask(command)
    (job_id,) = [e.job_id for e in await orchestrator.history(command.execution_id) if isinstance(e, events.JobScheduled)]
    done = report(reports.JobFinished, command.execution_id, job_id, status=JobStatus.COMPLETED, duration_ms=3)
    await asyncio.gather(orchestrator.tell(done), second.tell(done))
    assert (await orchestrator.topics(command.execution_id)).count("job.completed") == 1


async def test_reports_of_many_executions_in_one_list_share_their_commits(orchestrator: Orchestrator) -> None:
    workflow_id = await orchestrator.publish(chain(action("a")))
    wanted = [start(workflow_id) for _ in range(100)]
    replies = await orchestrator.ask_all(wanted)
    assert [reply.result for reply in replies] == [{"executionId": command.execution_id} for command in wanted]


async def test_a_poisonous_item_does_not_keep_the_rest_of_its_list_from_being_handled(orchestrator: Orchestrator) -> None:
    workflow_id = await orchestrator.publish(chain(action("a")))
    command, other = start(workflow_id), start(workflow_id)
    await orchestrator.ask(other)
    good = Request(request_id="r", tenant_id="default", actor="a", command=command)
    with pytest.raises(TypeError, match="has no job"):
        await orchestrator.tell(report(reports.JobStarted, other.execution_id, new_id()), good)
    assert await orchestrator.topics(command.execution_id) == ["execution.started", "job.scheduled"]


async def test_what_comes_for_an_execution_that_is_gone_is_ignored(orchestrator: Orchestrator) -> None:
    """It was archived; an agent, an approver or a timer comes back after a year."""
    gone = new_id()
    head = await orchestrator.store.head()
    await orchestrator.tell(
        report(reports.JobStarted, gone, new_id()),
        TimerDue(stream_id=gone, timer_id="timeout"),
        reports.ApprovalReminded(tenant_id="default", execution_id=gone, approval_id=new_id()),
        reports.ChildEnded(
            tenant_id="default", execution_id=gone, node_id="each", child_id=new_id(), status=ExecutionStatus.COMPLETED
        ),
    )
    assert await orchestrator.store.head() == head


async def test_retries_set_a_durable_timer_and_its_due_time_schedules_the_next_job(
    orchestrator: Orchestrator, pool: asyncpg.Pool
) -> None:
    workflow_id = await orchestrator.publish(chain(action("a", maxRetries=1, retryDelaySeconds=30)))
    command = start(workflow_id)
    await orchestrator.ask(command)
    execution_id = command.execution_id
    (job_id,) = [e.job_id for e in await orchestrator.history(execution_id) if isinstance(e, events.JobScheduled)]
    error = ErrorInfo(reason="exit_code", message="exit code 1", exit_code=1)
    await orchestrator.tell(
        report(reports.JobFinished, execution_id, job_id, status=JobStatus.FAILED, duration_ms=3, error=error)
    )
    row = await pool.fetchrow("select timer_id, due_at from orchestrator.timer")
    assert row is not None
    assert (row["timer_id"], (row["due_at"] - EPOCH).total_seconds()) == ("retry:a", 30)
    due = TimerDue(stream_id=execution_id, timer_id="retry:a")
    await orchestrator.tell(due, due)
    assert (await orchestrator.topics(execution_id)).count("job.scheduled") == 2
    assert await pool.fetchval("select count(*) from orchestrator.timer") == 0


async def test_what_cannot_run_says_why(orchestrator: Orchestrator) -> None:
    unknown = await orchestrator.ask(start(new_id()))
    assert unknown.problem is not None
    assert unknown.problem.status == 404
    workflow_id = new_id()
    document = chain(action("a"))
    await orchestrator.ask(commands.CreateWorkflow(workflow_id=workflow_id, document=document, source="", format="json"))
    for code, then in (
        ("not_published", commands.PublishWorkflow(workflow_id=workflow_id, catalog=CATALOG)),
        ("not_active", commands.ActivateWorkflow(workflow_id=workflow_id)),
    ):
        refused = await orchestrator.ask(start(workflow_id))
        assert refused.problem is not None
        assert (refused.problem.status, refused.problem.code) == (409, code)
        await orchestrator.ask(then)
    assert (await orchestrator.ask(start(workflow_id))).problem is None


async def test_another_tenant_sees_nothing_of_a_workflow_or_an_execution(orchestrator: Orchestrator) -> None:
    workflow_id = await orchestrator.publish(chain(action("a")))
    command = start(workflow_id)
    await orchestrator.ask(command)
    for foreign in (
        start(workflow_id),
        commands.CancelExecution(execution_id=command.execution_id),
        commands.ArchiveWorkflow(workflow_id=workflow_id),
    ):
        reply = await orchestrator.ask(foreign, tenant_id="other")
        assert reply.problem is not None
        assert reply.problem.status == 404
    assert await orchestrator.topics(command.execution_id) == ["execution.started", "job.scheduled"]


async def test_the_id_of_one_kind_of_thing_is_not_found_as_another(orchestrator: Orchestrator) -> None:
    workflow_id = await orchestrator.publish(chain(action("a")))
    command = start(workflow_id)
    await orchestrator.ask(command)
    for mixed_up in (
        commands.PublishWorkflow(workflow_id=command.execution_id, catalog=CATALOG),
        commands.CancelExecution(execution_id=workflow_id),
        start(command.execution_id),
    ):
        orchestrator.forget()
        reply = await orchestrator.ask(mixed_up)
        assert reply.problem is not None
        assert reply.problem.status == 404


async def test_variables_get_their_defaults_and_all_their_problems_are_named(orchestrator: Orchestrator) -> None:
    schema = {
        "type": "object",
        "properties": {"host": {"type": "string", "default": "web-01"}, "n": {"type": "integer"}, "tags": {"type": "array"}},
        "required": ["n"],
    }
    workflow_id = await orchestrator.publish(chain(action("a")) | {"inputs": schema})
    refused = await orchestrator.ask(start(workflow_id, variables={"host": 5, "tags": "x"}))
    assert refused.problem is not None
    assert refused.problem.status == 422
    assert {error["path"] for error in refused.problem.errors} == {"variables", "variables.host", "variables.tags"}
    command = start(workflow_id, variables={"n": 1})
    await orchestrator.ask(command)
    (started, *_) = await orchestrator.history(command.execution_id)
    assert started.inputs == {"n": 1, "host": "web-01"}


async def test_drafts_never_change_what_runs_and_a_roll_back_does(orchestrator: Orchestrator) -> None:
    workflow_id = await orchestrator.publish(chain(action("a")))
    changed = chain(action("a"), action("b"))
    draft = commands.SaveDraft(workflow_id=workflow_id, document=changed, source="", format="json")
    await orchestrator.ask(draft)
    command = start(workflow_id)
    await orchestrator.ask(command)
    assert (await orchestrator.history(command.execution_id))[0].version == 1
    published = await orchestrator.ask(commands.PublishWorkflow(workflow_id=workflow_id, catalog=CATALOG))
    assert published.result is not None
    assert published.result["version"] == 2
    back = await orchestrator.ask(commands.RollBackWorkflow(workflow_id=workflow_id, version=1))
    assert back.result is not None
    assert back.result["version"] == 1
    missing = await orchestrator.ask(commands.RollBackWorkflow(workflow_id=workflow_id, version=9))
    assert missing.problem is not None
    assert missing.problem.status == 404


async def test_two_workflows_cannot_have_one_name(orchestrator: Orchestrator) -> None:
    workflow_id = await orchestrator.publish(chain(action("a")))
    again = await orchestrator.ask(
        commands.CreateWorkflow(workflow_id=new_id(), document=chain(action("a")), source="", format="json")
    )
    assert again.problem is not None
    assert (again.problem.code, again.problem.extra["workflowId"]) == ("workflow_name_taken", workflow_id)


async def test_an_action_type_that_an_agent_announced_can_be_published(orchestrator: Orchestrator) -> None:
    document = chain(action("a", action="acme.restart", params={}))
    workflow_id = new_id()
    await orchestrator.ask(commands.CreateWorkflow(workflow_id=workflow_id, document=document, source="", format="json"))
    refused = await orchestrator.ask(commands.PublishWorkflow(workflow_id=workflow_id, catalog=CATALOG))
    assert refused.problem is not None
    assert [error["path"] for error in refused.problem.errors] == ["nodes[0].action"]
    catalog = commands.Catalog(actions=[ActionType(type="acme.restart")])
    assert (await orchestrator.ask(commands.PublishWorkflow(workflow_id=workflow_id, catalog=catalog))).problem is None


def test_every_report_may_come_to_the_inbox() -> None:
    reported = {*get_args(reports.Report), *get_args(reports.AnyApprovalReport), *get_args(reports.FamilyMessage)}
    assert set(get_args(InboxItem)) == reported | {Request, TimerDue}


async def test_a_refused_job_fails_with_its_reason_also_if_the_refusal_comes_twice(
    orchestrator: Orchestrator, second: Orchestrator
) -> None:
    workflow_id = await orchestrator.publish(chain(action("a", connection=None, maxRetries=2)))
    command = start(workflow_id)
    await orchestrator.ask(command)
    job_id = (await orchestrator.history(command.execution_id))[1].job_id
    refused = reports.JobRefused(
        tenant_id="default",
        execution_id=command.execution_id,
        job_id=job_id,
        dispatch=0,
        reason="pool_unknown",
        message="there is no pool 'dmz' any more; make it, or change the workflow",
    )
    await orchestrator.tell(refused)
    await second.tell(refused, refused)
    history = await orchestrator.history(command.execution_id)
    assert [event.topic for event in history[2:]] == ["job.failed", "node.failed", "execution.failing", "execution.failed"]
    assert history[-1].error.reason == "pool_unknown"


async def test_a_long_execution_is_loaded_from_its_snapshot(
    orchestrator: Orchestrator, second: Orchestrator, pool: asyncpg.Pool
) -> None:
    document = chain(*(action(f"n{i}") for i in range(90)))
    workflow_id = await orchestrator.publish(document)
    command = start(workflow_id)
    await orchestrator.ask(command)
    execution_id = command.execution_id
    for _ in range(80):
        job_id = next(
            e.job_id for e in reversed(await orchestrator.history(execution_id)) if isinstance(e, events.JobScheduled)
        )
        await orchestrator.tell(report(reports.JobFinished, execution_id, job_id, status=JobStatus.COMPLETED, duration_ms=1))
    assert await pool.fetchval("select version from orchestrator.snapshot") >= 200
    await pool.execute("delete from orchestrator.event where stream_id = $1 and version between 2 and 190", execution_id)
    await second.ask(commands.CancelExecution(execution_id=execution_id))
    assert "execution.cancelled" in await second.topics(execution_id)


async def test_the_orders_to_the_dispatcher_follow_from_the_log(orchestrator: Orchestrator) -> None:
    workflow_id = await orchestrator.publish(chain(action("a", pool="dmz", tags=["linux"])))
    command = start(workflow_id)
    await orchestrator.ask(command)
    await orchestrator.ask(commands.CancelExecution(execution_id=command.execution_id, force=True))
    orders = [order for recorded in await orchestrator.store.read(0) for _, order in orders_of(recorded)]
    assert [type(order) for order in orders] == [jobs.PlaceJob, jobs.WithdrawJob]
    place, withdraw = orders
    assert isinstance(place, jobs.PlaceJob)
    assert (place.pool, place.tags, place.execution_id) == ("dmz", ["linux"], command.execution_id)
    assert isinstance(withdraw, jobs.WithdrawJob)
    assert (withdraw.job_id, withdraw.force) == (place.job_id, True)
