"""Timers come when they are due, not before, and again until their owner reacts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from runyard_shared.clock import Clock, FrozenClock, SystemClock
from runyard_shared.errors import Unavailable
from runyard_shared.eventstore.store import ClearTimer, SetTimer
from runyard_shared.ids import new_id
from runyard_shared.timers import DueTimer, Timers

from tests.eventstores import AT, SCHEMA, Log, make_log, open_log, until


def after(seconds: float) -> Any:
    return AT + timedelta(seconds=seconds)


@pytest.fixture
async def log(postgres_url: str) -> AsyncIterator[Log]:
    await make_log(postgres_url)
    async with open_log(postgres_url) as log:
        yield log


class Receiver:
    """Takes due timers, and notes what it got."""

    def __init__(self) -> None:
        self.batches: list[list[DueTimer]] = []
        self.away = False

    async def __call__(self, due: list[DueTimer]) -> None:
        if self.away:
            raise Unavailable("the broker is away")
        self.batches.append(due)

    @property
    def ids(self) -> list[str]:
        return [timer.timer_id for batch in self.batches for timer in batch]


@asynccontextmanager
async def running(log: Log, clock: Clock, receiver: Receiver, poll_seconds: float = 0.02) -> AsyncIterator[Timers]:
    timers = Timers(log.pool, SCHEMA, clock, receiver, poll_seconds=poll_seconds, redeliver_seconds=5)
    log.store.on_timer = timers.hint
    await timers.start()
    try:
        yield timers
    finally:
        await timers.stop()


async def several_looks() -> None:
    await asyncio.sleep(0.15)


async def test_a_timer_comes_when_it_is_due_and_not_before(log: Log) -> None:
    stream, clock, receiver = new_id(), FrozenClock(AT), Receiver()
    await log.append(stream, 0, "a", timers=[SetTimer("second", after(20)), SetTimer("first", after(10), {"attempt": 2})])
    async with running(log, clock, receiver):
        clock.advance(9.999)
        await several_looks()
        assert receiver.ids == []
        clock.advance(0.001)
        await until(lambda: receiver.ids == ["first"])
        clock.advance(10)
        await until(lambda: "second" in receiver.ids)
    assert receiver.batches[0] == [DueTimer(stream, "first", "default", after(10), {"attempt": 2})]


async def test_a_due_timer_comes_again_until_an_append_clears_it(log: Log) -> None:
    stream, clock, receiver = new_id(), FrozenClock(AT), Receiver()
    await log.append(stream, 0, "a", timers=[SetTimer("t", AT)])
    async with running(log, clock, receiver):
        await until(lambda: receiver.ids == ["t"])
        await several_looks()
        assert receiver.ids == ["t"], "not again at once"
        clock.advance(5)
        await until(lambda: receiver.ids == ["t", "t"])
        await log.append(stream, 1, "b", timers=[ClearTimer("t")])
        clock.advance(5)
        await several_looks()
    assert receiver.ids == ["t", "t"]


async def test_a_moved_timer_comes_at_its_new_time_only(log: Log) -> None:
    stream, clock, receiver = new_id(), FrozenClock(AT), Receiver()
    await log.append(stream, 0, "a", timers=[SetTimer("t", after(10))])
    await log.append(stream, 1, "b", timers=[SetTimer("t", after(20))])
    async with running(log, clock, receiver):
        clock.advance(15)
        await several_looks()
        assert receiver.ids == []
        clock.advance(5)
        await until(lambda: receiver.ids == ["t"])
        await log.append(stream, 2, "c", timers=[SetTimer("t", after(20.5))])
        clock.advance(0.5)
        await until(lambda: receiver.ids == ["t", "t"])


async def test_a_timer_that_could_not_be_handed_on_comes_as_soon_as_it_can(log: Log) -> None:
    receiver = Receiver()
    receiver.away = True
    await log.append(new_id(), 0, "a", timers=[SetTimer("t", AT)])
    async with running(log, FrozenClock(AT), receiver) as timers:
        await until(lambda: timers.trouble == "timers are not delivered: the broker is away")
        receiver.away = False
        await until(lambda: receiver.ids == ["t"])
        await until(lambda: timers.trouble is None)
    assert timers.trouble == "the timer loop is not running"


async def test_a_timer_of_this_process_does_not_wait_for_the_poll(log: Log) -> None:
    clock, receiver = SystemClock(), Receiver()
    async with running(log, clock, receiver, poll_seconds=60):
        await several_looks()
        due_at = clock.now() + timedelta(seconds=0.1)
        await log.append(new_id(), 0, "a", timers=[SetTimer("t", due_at)])
        await until(lambda: receiver.ids == ["t"], timeout=5)
        assert clock.now() >= due_at


async def test_a_backlog_comes_whole_and_in_order_and_stuck_owners_do_not_hold_up_others(log: Log) -> None:
    clock, receiver = FrozenClock(AT), Receiver()
    backlog = [SetTimer(f"{number:04}", after(number // 3 - 1000)) for number in range(1200)]
    await log.append(new_id(), 0, "a", timers=backlog)
    async with running(log, clock, receiver):
        await until(lambda: len(receiver.ids) == 1200)
        assert receiver.ids == sorted(receiver.ids)
        assert max(map(len, receiver.batches)) <= 500
        await log.append(new_id(), 0, "b", timers=[SetTimer("later", AT)])
        await until(lambda: receiver.ids[1200:] == ["later"])
