"""Traces: whose ids are whose, and what the log tells of executions, however often it is read and wherever one begins."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable

import asyncpg
import msgspec
import pytest
from runyard_approvals.approval import events as approvals
from runyard_approvals.approval_spans import ApprovalSpans
from runyard_orchestrator.execution_spans import ExecutionSpans
from runyard_orchestrator.settings import Settings
from runyard_shared import tracing
from runyard_shared.clock import rfc3339
from runyard_shared.contracts.events import EVENT_TYPES, ExecutionCompleted, ExecutionStarted
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.values import ApprovalStatus, JobStatus, Trigger
from runyard_shared.eventstore import traces
from runyard_shared.eventstore.checkpoint import Checkpoint
from runyard_shared.eventstore.mapper import EventMapper
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.eventstore.traces import Told, Traces
from runyard_shared.ids import new_id
from runyard_shared.trace_context import (
    own_trace_id,
    read_traceparent,
    span_id,
    span_id_of,
    trace_id_of,
    traceparent,
    within,
)
from runyard_shared.tracing import Span
from structlog.testing import capture_logs

from tests.engine import EPOCH, Json, action, chain, edge
from tests.otlp import Collector, collector
from tests.unit.test_families import finish_all, for_each, say
from tests.world import World

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
STARTED = ExecutionStarted(
    workflow_id="019ab2c4-7e00-7000-8000-000000000001",
    workflow_name="Test",
    version=1,
    trigger=Trigger(type="manual"),
    inputs={},
    started_by="alice",
    traceparent=CALLER,
)


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (CALLER, CALLER),
        (f" {CALLER} ", CALLER),
        ("01-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03-later", CALLER),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-02", f"{CALLER[:-2]}00"),
        ("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more", None),
        ("00-00000000000000000000000000000000-b7ad6b7169203331-01", None),
        ("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01", None),
        ("ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", None),
        (CALLER.upper(), None),
        ("", None),
        (None, None),
    ],
)
def test_a_context_that_others_send_is_read_as_the_standard_says_and_ignored_if_it_is_none(
    header: str | None, read: str | None
) -> None:
    assert read_traceparent(header) == read


def test_the_trace_of_an_execution_is_found_by_its_id_and_spans_have_the_ids_of_what_they_are_of() -> None:
    execution_id, job_id = new_id(), new_id()
    context = traceparent(own_trace_id(execution_id), span_id(execution_id), sampled=True)
    assert trace_id_of(context) == execution_id.replace("-", "")
    job = within(context, job_id)
    assert job == within(within(context, new_id()), job_id)
    assert span_id_of(job) == job_id.replace("-", "")[16:]
    runs = {within(context, job_id, "run", dispatch) for dispatch in (1, 2)}
    assert len({job, *runs}) == 3
    assert {trace_id_of(each) for each in runs} == {trace_id_of(context)}


def told(told_by: Told, rows: list[Recorded]) -> list[Span]:
    return [span for row in rows if (span := told_by.take(row)) is not None]


async def ran(world: World, document: Json, context: str | None = CALLER) -> str:
    execution_id = await world.run(await world.publish(document), traceparent=context)
    await finish_all(world)
    return execution_id


async def test_each_execution_and_attempt_of_a_job_is_one_span_within_what_began_it() -> None:
    world = World()
    document = chain(say("first", "hello", maxRetries=1), for_each("each", "[1, 2]", say("leaf", "{{ item }}")))
    execution_id = await world.run(await world.publish(document), traceparent=CALLER)
    await world.settle()
    await world.start(world.job_of("first"))
    await world.finish(world.job_of("first"), status=JobStatus.FAILED)
    world.clock.advance(100)
    await world.settle()
    await finish_all(world)

    spans = told(ExecutionSpans(), world.log.events)

    by_name = {span.name: span for span in spans}
    root = by_name["workflow Test"]
    assert (root.parent, trace_id_of(root.context)) == (CALLER, trace_id_of(CALLER))
    assert root.context == within(CALLER, execution_id)
    firsts = [span for span in spans if span.name == "job first"]
    assert [(span.error, span.attributes["runyard.job.attempt"], span.parent) for span in firsts] == [
        ("exit_code", 1, root.context),
        (None, 2, root.context),
    ]
    assert [name for name, _ in firsts[0].events] == ["started"]
    leaves = [span for span in spans if span.name == "job leaf"]
    iterations = [by_name["iteration each[0]"], by_name["iteration each[1]"]]
    assert [span.parent for span in leaves] == [span.context for span in iterations]
    assert {span.parent for span in iterations} == {root.context}
    assert {span.attributes["runyard.execution.id"] for span in spans} == {execution_id}
    assert len({span.context for span in spans}) == len(spans)
    assert all(span.ended_at >= span.began_at for span in spans)


async def test_an_orchestrator_that_comes_back_and_reads_the_log_again_tells_the_same_spans() -> None:
    world = World()
    await ran(world, chain(say("first", "hello"), say("second", "hello")))
    rows = world.log.events
    whole = told(ExecutionSpans(), rows)
    for killed_at in range(len(rows)):
        after = await _from(world, ExecutionSpans(), killed_at)
        assert after == [span for span in whole if span in after]
        assert [span.name for span in told(ExecutionSpans(), rows[:killed_at])] + [span.name for span in after] == [
            span.name for span in whole
        ]


async def test_what_was_forgotten_is_read_again() -> None:
    world = World()
    await ran(world, chain(for_each("each", "[1, 2, 3]", say("leaf", "{{ item }}"), concurrency=3)))
    whole = told(ExecutionSpans(), world.log.events)
    assert await _from(world, ExecutionSpans(capacity=1), 0) == whole


async def test_a_redelivered_report_makes_no_second_span() -> None:
    world = World()
    execution_id = await world.run(await world.publish(chain(say("first", "hello"))), traceparent=CALLER)
    await world.settle()
    await world.finish(world.job_of("first"))
    await world.handlers.handle(world.delivered)
    world.restart()
    await world.handlers.handle(world.delivered)
    spans = told(ExecutionSpans(), world.log.events)
    assert [span.name for span in spans] == ["job first", "workflow Test"]
    assert spans[1].context == within(CALLER, execution_id)


@pytest.mark.parametrize("context", [None, f"{CALLER[:-2]}00"])
async def test_what_is_not_traced_or_not_sampled_has_no_spans_and_is_not_read_again(context: str | None) -> None:
    world = World()
    await ran(world, chain(action("first")), context)
    spans = ExecutionSpans()
    assert told(spans, world.log.events) == []
    events = [row.data for row in world.log.events]
    assert any(b"traceparent" in bytes(data) for data in events) == (context is not None)


async def test_a_subworkflow_is_part_of_the_trace_of_its_parent() -> None:
    world = World()
    await world.publish(chain(say("inside", "hello")) | {"name": "Child"})
    document = chain({"id": "sub", "type": "subworkflow", "workflow": "Child"})
    execution_id = await ran(world, document)
    spans = {span.name: span for span in told(ExecutionSpans(), world.log.events)}
    assert spans["workflow Child"].parent == spans["workflow Test"].context == within(CALLER, execution_id)
    assert spans["job inside"].parent == spans["workflow Child"].context


async def test_an_approval_is_a_span_from_the_question_to_the_decision() -> None:
    world = World()
    ask = {"id": "ask", "type": "approval", "message": "Go on?"}
    document = {"name": "Test", "nodes": [ask], "edges": [edge("trigger", "ask")]}
    execution_id = await world.run(await world.publish(document), traceparent=CALLER)
    ((approval_id, order),) = world.asked.items()
    execution = within(CALLER, execution_id)
    opened = approvals.ApprovalOpened(
        execution_id=order.execution_id,
        root_execution_id=order.root_execution_id,
        node_id=order.node_id,
        workflow_name=order.workflow_name,
        started_by=order.started_by,
        message=order.message,
        requested_at=rfc3339(EPOCH),
        traceparent=order.traceparent,
    )
    resolved = approvals.ApprovalResolved(execution_id=execution_id, status=ApprovalStatus.APPROVED, approvals=1)
    rows = [
        Recorded(
            position=number,
            stream_id=approval_id,
            version=number,
            tenant_id="default",
            topic=event.topic,
            recorded_at=EPOCH,
            data=msgspec.Raw(msgspec.json.encode(event)),
        )
        for number, event in enumerate((opened, resolved), 1)
    ]
    spans = ApprovalSpans()
    assert not spans.knows(rows[1])
    (span,) = told(spans, rows)
    assert (span.name, span.parent, span.context) == ("approval ask", execution, within(execution, approval_id))
    assert span.error is None


async def _from(world: World, spans: ExecutionSpans, position: int) -> list[Span]:
    """What a loop tells that begins there, as `Traces` does it."""
    return await traces.spans_of(world.log.events[position:], spans, world.log)


def test_nothing_of_opentelemetry_is_loaded_where_tracing_is_off() -> None:
    program = (
        "import sys, runyard_gateway.app, runyard_orchestrator.app, runyard_dispatcher.app, runyard_approvals.app,"
        " runyard_agent.app; print([name for name in sys.modules if 'opentelemetry' in name or 'protobuf' in name])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
async def tracing_to(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    with collector() as spans:
        for name, value in {"ENDPOINT": spans.url, "TIMEOUT": "0.2", "HEADERS": "x-key=secret"}.items():
            monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}", value)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        yield spans
        await tracing.stop_tracing()


async def test_a_collector_that_is_away_is_said_once_and_its_return_too(tracing_to: Collector) -> None:
    tracing.start_tracing("gateway", Settings(tracing=True))
    job = Span("job", within(CALLER, new_id()), CALLER, 1, 2, {"runyard.job.attempt": 1}, error="timeout")
    tracing_to.away = True
    with capture_logs() as logs:
        for _ in range(3):
            assert not await tracing.export([job])
        tracing_to.away = False
        assert await tracing.export([job])
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("warning", "traces cannot be sent, and are dropped while that lasts"),
        ("info", "traces can be sent again"),
    ]
    (span,) = tracing_to.spans
    assert (span.service, span.name, span.error) == ("runyard-gateway", "job", "timeout")
    assert (span.trace_id, span.parent) == (trace_id_of(CALLER), span_id_of(CALLER))


async def test_what_was_recorded_leaves_before_the_process_ends(tracing_to: Collector) -> None:
    tracing.start_tracing("agent", Settings(tracing=True))
    for _ in range(1000):
        tracing.record(Span("run", within(CALLER, new_id()), CALLER, 1, 2, {}))
    tracing.record(Span("not sampled", f"{CALLER[:-2]}00", None, 1, 2, {}))
    await tracing.stop_tracing()
    assert len(tracing_to.spans) == 1000
    tracing.record(Span("too late", CALLER, None, 1, 2, {}))  # is dropped, and hurts nobody


async def test_a_share_of_executions_is_traced_and_every_process_chooses_the_same(
    tracing_to: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    executions = [new_id() for _ in range(2000)]
    chosen = []
    for service in ("gateway", "orchestrator"):
        tracing.start_tracing(service, Settings(tracing=True))
        chosen.append([each for each in executions if tracing.begin_trace(each) is not None])
        assert tracing.begin_trace(executions[0], CALLER) == within(CALLER, executions[0])
        unsampled = f"{CALLER[:-2]}00"
        assert tracing.begin_trace(executions[0], unsampled) == within(unsampled, executions[0])
        await tracing.stop_tracing()
    assert chosen[0] == chosen[1]
    assert 400 < len(chosen[0]) < 600
    assert tracing.begin_trace(executions[0], CALLER) is None


async def test_spans_of_the_log_wait_for_a_collector_that_is_away_and_come_once(
    tracing_to: Collector, pool: asyncpg.Pool
) -> None:
    store = PostgresEventStore(pool, "orchestrator", EventMapper(EVENT_TYPES))
    await store.open()
    told_from = Traces(store, Checkpoint(pool, "orchestrator", "traces"), ExecutionSpans())
    store.on_commit = told_from.committed
    tracing.start_tracing("orchestrator", Settings(tracing=True))
    await told_from.start()
    tracing_to.away = True
    executions = [new_id() for _ in range(3)]
    for execution_id in executions:
        await store.append(execution_id, 0, [STARTED, ExecutionCompleted()], tenant_id="default", at=EPOCH)
    await until(lambda: tracing_to.requests >= 1)
    tracing_to.away = False
    await until(lambda: len(tracing_to.spans) == 3)
    await told_from.stop()
    await told_from.start()
    await told_from.stop()
    await store.close()
    assert [span.span_id for span in tracing_to.spans] == [span_id(each) for each in executions]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what it waits for happens in another thread
            await asyncio.sleep(0.02)
