"""The approvals service on a real log and a real broker: outcome, redelivery, conflict, and death at the worst moment."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from runyard_approvals.approval import events
from runyard_approvals.approval.decide import Retries
from runyard_approvals.approval_handler import ApprovalHandler
from runyard_approvals.links import Links
from runyard_approvals.notifications.channels import Channels
from runyard_approvals.reports import MAPPER
from runyard_approvals.repository import Approvals
from runyard_approvals.secret import Secret
from runyard_shared.clock import FrozenClock, SystemClock, rfc3339
from runyard_shared.contracts import commands, reports
from runyard_shared.contracts.commands import Reply, Request, TimerDue
from runyard_shared.contracts.values import ApprovalStatus
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.ids import new_id
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.topology import approvals_inbox

from tests.approval_services import Desk, Process, approvals_service, desk, rabbit_bus
from tests.approvals import request

T0 = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)


@pytest.fixture
async def one(pool: asyncpg.Pool) -> AsyncIterator[Desk]:
    """One service in the test's own process."""
    bus = MemoryBus()
    async with approvals_service(bus, pool), desk(bus, pool) as made:
        yield made
    await bus.close()


async def topics(one: Desk, approval_id: str) -> list[str]:
    return [event.topic for event in await one.events(approval_id)]


async def test_an_answer_is_confirmed_and_reported_to_the_stream_that_asked(one: Desk) -> None:
    stream = new_id()
    approval_id = await one.opened(execution_id=stream, root_execution_id=new_id())
    reply = await one.answer(approval_id, note="fine", via="web")
    (resolved,) = await one.told(approval_id, reports.ApprovalResolved)
    assert reply.result == {
        "approvalId": approval_id,
        "status": "approved",
        "respondedBy": "alice",
        "responseNote": "fine",
        "respondedVia": "web",
        "respondedAt": resolved.responded_at,
        "approvals": 1,
        "minApprovals": 1,
    }
    assert reply.position is None
    assert resolved == reports.ApprovalResolved(
        tenant_id="default",
        execution_id=stream,
        approval_id=approval_id,
        status=ApprovalStatus.APPROVED,
        responded_at=resolved.responded_at,
        responded_by="alice",
        note="fine",
        via="web",
    )


async def test_a_vote_is_reported_and_the_approval_stays_open(one: Desk) -> None:
    approval_id = await one.opened(min_approvals=2)
    first = await one.answer(approval_id)
    assert first.result is not None
    assert (first.result["status"], first.result["approvals"], first.result["respondedBy"]) == ("pending", 1, None)
    (voted,) = await one.told(approval_id, reports.ApprovalVoted)
    assert (voted.by, voted.approvals) == ("alice", 1)
    again = await one.answer(approval_id)
    assert again.problem is not None
    assert (again.problem.status, again.problem.code) == (409, "already_answered")
    assert one.of(approval_id, reports.ApprovalResolved) == []


async def test_everything_may_come_twice(one: Desk) -> None:
    order = request(new_id(), at=SystemClock().now(), channels=["nobody"])
    await one.order(order, order)
    await one.order(order)
    asked = Request(
        request_id=new_id(),
        tenant_id="default",
        actor="alice",
        command=commands.AnswerApproval(approval_id=order.approval_id, decision="approved"),
    )
    inbox = approvals_inbox(order.approval_id)
    await one.bus.send(inbox, [asked, asked])
    await one.bus.send(inbox, [asked])
    await one.cancel(order.approval_id)
    await one.order(order)
    assert await topics(one, order.approval_id) == ["approval.opened", "approval.notified", "approval.resolved"]


async def test_a_request_delivered_again_gets_the_first_answer_again(one: Desk) -> None:
    approval_id = await one.opened()
    asked = Request(
        request_id="r1",
        tenant_id="default",
        actor="alice",
        command=commands.AnswerApproval(approval_id=approval_id, decision="approved"),
        reply_to="replies.test",
    )
    replies: list[Reply] = []

    async def keep(items: Any) -> None:
        replies.extend(items)

    await one.bus.open_mailbox("replies.test", Reply, keep)
    for _ in range(2):
        await one.bus.send(approvals_inbox(approval_id), [asked])
    async with asyncio.timeout(30):
        while len(replies) < 2:  # noqa: ASYNC110 - it waits for the mailbox
            await asyncio.sleep(0.01)
    assert replies[0] == replies[1]
    assert replies[0].problem is None


async def test_a_cancelled_approval_is_reported_as_cancelled_with_the_reason(one: Desk) -> None:
    approval_id = await one.opened(timeout_seconds=60)
    await one.cancel(approval_id, "the deployment was called off")
    (resolved,) = await one.told(approval_id, reports.ApprovalResolved)
    assert (resolved.status, resolved.note, resolved.responded_by) == ("cancelled", "the deployment was called off", None)
    late = await one.answer(approval_id)
    assert late.problem is not None
    assert (late.problem.status, late.problem.extra["decision"]) == (409, "cancelled")
    assert await one.pool.fetchval("select count(*) from approvals.timer") == 0


async def test_deadlines_come_by_themselves(one: Desk) -> None:
    approval_id = await one.opened(
        approvers=["alice"],
        remind_after_seconds=0.05,
        escalate_after_seconds=0.1,
        escalate_to=["mia"],
        timeout_seconds=0.4,
    )
    (escalated,) = await one.told(approval_id, reports.ApprovalEscalated)
    assert escalated.to == ["mia"]
    assert len(one.of(approval_id, reports.ApprovalReminded)) == 1
    (resolved,) = await one.told(approval_id, reports.ApprovalResolved)
    assert resolved.status == ApprovalStatus.EXPIRED
    assert await topics(one, approval_id) == [
        "approval.opened",
        "approval.reminded",
        "approval.escalated",
        "approval.resolved",
    ]


async def test_another_tenant_finds_no_approval_and_changes_nothing(one: Desk) -> None:
    approval_id = await one.opened()
    for wanted, tenant in ((approval_id, "other"), (new_id(), "default"), ("nonsense", "default")):
        command = commands.AnswerApproval(approval_id=wanted, decision="approved")
        reply = await one.ask(command, tenant_id=tenant)
        assert reply.problem is not None
        assert (reply.problem.status, reply.problem.code) == (404, "approval_not_found")
    assert await topics(one, approval_id) == ["approval.opened"]


async def test_a_decision_whose_process_died_before_reporting_it_is_reported_by_the_next(pool: asyncpg.Pool) -> None:
    await migrate(pool, "approvals", "runyard_approvals", with_log=True)
    approval_id = new_id()
    await _decided_and_died(pool, approval_id)
    bus = MemoryBus()
    async with desk(bus, pool) as told, approvals_service(bus, pool):
        (resolved,) = await told.told(approval_id, reports.ApprovalResolved)
        assert (resolved.status, resolved.responded_by) == ("rejected", "alice")
    await bus.close()


async def _decided_and_died(pool: asyncpg.Pool, approval_id: str) -> None:
    """A process without a relay: it commits, and nothing goes out."""
    store = PostgresEventStore(pool, "approvals", MAPPER)
    secret, clock = Secret([b"x" * 32]), SystemClock()
    handler = ApprovalHandler(
        store,
        Approvals(store, MAPPER),
        Channels(pool, secret),
        Links(secret, "http://runyard"),
        clock,
        lambda *_: None,
        Retries(),
    )
    await store.open()
    command = commands.AnswerApproval(approval_id=approval_id, decision="rejected")
    answer = Request(request_id="r1", tenant_id="default", actor="alice", command=command)
    await handler.handle(approval_id, [request(approval_id, at=clock.now()), answer])
    await store.close()


def _check_one_winner(replies: list[Reply], asked: int) -> str:
    """The winner's name; everybody else was told it, and when that was."""
    (winner,) = [reply.result for reply in replies if reply.result is not None]
    problems = [reply.problem for reply in replies if reply.problem is not None]
    assert len(problems) == asked - 1
    for problem in problems:
        assert (problem.status, problem.code) == (409, "already_resolved")
        assert problem.extra == {
            "respondedBy": winner["respondedBy"],
            "respondedAt": winner["respondedAt"],
            "decision": winner["status"],
        }
    return str(winner["respondedBy"])


async def test_of_a_hundred_answers_at_once_through_two_processes_one_wins_and_the_others_learn_who(
    amqp_url: str, namespace: str, pool: asyncpg.Pool
) -> None:
    async with (
        rabbit_bus(amqp_url, namespace) as ours,
        rabbit_bus(amqp_url, namespace) as other,
        approvals_service(ours, pool),
        approvals_service(other, pool),
        desk(ours, pool) as told,
    ):
        approval_id = await told.opened()
        replies = await asyncio.gather(
            *(told.answer(approval_id, ("approved", "rejected")[n % 2], actor=f"user-{n}") for n in range(100))
        )
        winner = _check_one_winner(replies, 100)
        (resolved,) = await told.told(approval_id, reports.ApprovalResolved)
        assert resolved.responded_by == winner
        assert await topics(told, approval_id) == ["approval.opened", "approval.resolved"]


async def test_two_processes_that_both_believe_they_hold_an_approval_still_decide_it_once(pool: asyncpg.Pool) -> None:
    """As when a connection is lost and its process does not know yet: each has an inbox of its own here."""
    first, second = MemoryBus(), MemoryBus()
    async with (
        approvals_service(first, pool),
        approvals_service(second, pool),
        desk(first, pool) as one,
        desk(second, pool) as two,
    ):
        for _ in range(10):
            approval_id = await one.opened()
            desks = [one, two] * 10
            replies = await asyncio.gather(*(each.answer(approval_id, actor=f"user-{n}") for n, each in enumerate(desks)))
            winner = _check_one_winner(replies, 20)
            (resolved,) = await one.told(approval_id, reports.ApprovalResolved)
            assert resolved.responded_by == winner
    await first.close()
    await second.close()


async def test_a_decision_and_a_timeout_within_a_millisecond_have_one_outcome_everywhere(pool: asyncpg.Pool) -> None:
    """One process's clock is a millisecond behind: for it there is still time, for the other there is not."""
    count = 1000
    early, late = FrozenClock(T0), FrozenClock(T0)
    first, second = MemoryBus(), MemoryBus()
    async with (
        approvals_service(first, pool, early),
        approvals_service(second, pool, late),
        desk(first, pool) as one,
        desk(second, pool) as two,
    ):
        orders = [request(new_id(), at=T0, timeout_seconds=60) for _ in range(count)]
        await one.order(*orders)
        early.advance(59.999)
        late.advance(60)
        random.Random(7).shuffle(orders)

        async def answered(approval_id: str) -> Reply:
            await asyncio.sleep(random.random() / 10)
            return await one.answer(approval_id)

        async def timed_out(approval_id: str) -> None:
            await asyncio.sleep(random.random() / 10)
            await second.send(approvals_inbox(approval_id), [TimerDue(stream_id=approval_id, timer_id="expire")])

        both = [(answered(order.approval_id), timed_out(order.approval_id)) for order in orders]
        results = await asyncio.gather(*(asyncio.gather(*pair) for pair in both))
        outcomes: Counter[str] = Counter()
        for order, (reply, _) in zip(orders, results, strict=True):
            opened, *rest = await one.events(order.approval_id)
            assert isinstance(opened, events.ApprovalOpened)
            (decision,) = [event for event in rest if isinstance(event, events.ApprovalResolved)]
            told = reply.result["status"] if reply.result is not None else reply.problem and reply.problem.extra["decision"]
            (reported,) = await one.told(order.approval_id, reports.ApprovalResolved)
            (reported_by_other,) = await two.told(order.approval_id, reports.ApprovalResolved)
            assert decision.status == told == reported.status == reported_by_other.status
            outcomes[decision.status] += 1
        assert set(outcomes) == {"approved", "expired"}, outcomes
        assert await pool.fetchval("select count(*) from approvals.timer") == 0
    await first.close()
    await second.close()


async def test_a_thousand_open_approvals_outlive_a_kill_of_the_service(
    postgres_url: str, amqp_url: str, namespace: str, pool: asyncpg.Pool
) -> None:
    process = Process(postgres_url, amqp_url, namespace)
    process.start()
    try:
        async with rabbit_bus(amqp_url, namespace) as rabbit, desk(rabbit, pool) as told:
            await told.ask(commands.ListChannels())
            orders = [request(new_id(), at=SystemClock().now(), timeout_seconds=3600) for _ in range(1000)]
            sending = asyncio.create_task(told.order(*orders))
            await _until_count(pool, 100)
            process.kill()
            await sending
            process.start()
            await _until_count(pool, 1000)
            process.kill()
            process.start()
            answering = [asyncio.create_task(told.answer(order.approval_id, note="ok")) for order in orders]
            await told.told(orders[0].approval_id, reports.ApprovalResolved)
            process.kill()
            process.start()
            replies = await asyncio.gather(*answering)
            for order, reply in zip(orders, replies, strict=True):
                assert reply.result is not None, reply.problem
                (resolved,) = await told.told(order.approval_id, reports.ApprovalResolved)
                assert resolved.responded_at == reply.result["respondedAt"]
            rows = await pool.fetch("select topic, count(*) from approvals.event group by topic")
            assert dict(map(tuple, rows)) == {"approval.opened": 1000, "approval.resolved": 1000}
    finally:
        process.kill()


async def _until_count(pool: asyncpg.Pool, count: int) -> None:
    async with asyncio.timeout(60):
        while await pool.fetchval("select count(*) from approvals.event") < count:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.01)


async def test_an_expiry_that_passed_while_the_service_was_down_happens_when_it_is_back(pool: asyncpg.Pool) -> None:
    bus = MemoryBus()
    clock = FrozenClock(T0)
    async with desk(bus, pool) as told:
        async with approvals_service(bus, pool, clock):
            approval_id = await told.opened(at=T0, timeout_seconds=60)
        clock.advance(3600)
        async with approvals_service(bus, pool, clock):
            (resolved,) = await told.told(approval_id, reports.ApprovalResolved)
            assert (resolved.status, resolved.responded_at) == ("expired", rfc3339(T0 + timedelta(hours=1)))
    await bus.close()
