"""Processes divide their work among themselves: every part is done by one of them, evenly, whoever comes or goes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg
import pytest
from runyard_shared.errors import Unavailable
from runyard_shared.shares import Share, Shares

PARTS = ("relay", "inbox 0", "inbox 1", "inbox 2", "inbox 3")


class Worker:
    """One process: what it does is in `does`."""

    def __init__(self, pool: asyncpg.Pool, service: str = "sample", weights: dict[str, int] | None = None) -> None:
        self.weights = weights or {}
        self.does: list[str] = []
        self.able = True
        self.refuses: set[str] = set()
        self.shares = Shares(pool, service, [self._share(name) for name in PARTS], able=lambda: self.able)

    def _share(self, name: str) -> Share:
        async def begin() -> None:
            if name in self.refuses:
                raise Unavailable(f"{name} cannot begin")
            self.does.append(name)

        async def end() -> None:
            self.does.remove(name)

        return Share(name, begin, end, self.weights.get(name, 1))


@asynccontextmanager
async def at_work(*workers: Worker) -> AsyncIterator[None]:
    try:
        for worker in workers:
            await worker.shares.start()
        yield
    finally:
        for worker in workers:
            await worker.shares.stop()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - locks of the database tell nobody
            await asyncio.sleep(0.02)


def each_is_done_once(*workers: Worker) -> bool:
    return sorted(part for worker in workers for part in worker.does) == sorted(PARTS)


async def test_one_process_does_everything_at_once(pool: asyncpg.Pool) -> None:
    alone = Worker(pool)
    async with at_work(alone):
        assert each_is_done_once(alone)
        assert alone.shares.standing() == dict.fromkeys(PARTS, "here")
    assert alone.does == []


async def test_who_comes_gets_an_even_part_and_who_goes_is_replaced(pool: asyncpg.Pool) -> None:
    first, second = Worker(pool), Worker(pool)
    async with at_work(first):
        async with at_work(second):
            await until(lambda: {len(first.does), len(second.does)} == {2, 3} and each_is_done_once(first, second))
            await until(lambda: list(second.shares.standing().values()).count("here") == len(second.does))
            assert any(holder.startswith("sample@") for holder in second.shares.standing().values())
        await until(lambda: each_is_done_once(first))


async def test_what_is_more_work_counts_for_more(pool: asyncpg.Pool) -> None:
    weights = {"relay": 4}
    first, second = Worker(pool, weights=weights), Worker(pool, weights=weights)
    async with at_work(first, second):
        await until(lambda: first.does == ["relay"] and each_is_done_once(first, second))


async def test_a_process_whose_session_ends_is_replaced_and_shares_again_when_it_is_back(pool: asyncpg.Pool) -> None:
    first, second = Worker(pool), Worker(pool)
    async with at_work(first, second):
        await until(lambda: min(len(first.does), len(second.does)) == 2 and each_is_done_once(first, second))
        sql = "select pg_terminate_backend(pid) from pg_stat_activity "
        sql += "where application_name like 'sample@%' and datname = current_database()"  # other tests share the server
        await pool.execute(sql)
        await until(lambda: first.shares.trouble is None and second.shares.trouble is None)
        await until(lambda: each_is_done_once(first, second) and min(len(first.does), len(second.does)) == 2)


async def test_who_cannot_reach_the_broker_leaves_its_part_to_others_and_alone_keeps_it(
    pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard_shared.shares.UNABLE_SECONDS", 0.1)
    cut_off, other = Worker(pool), Worker(pool)
    async with at_work(cut_off):
        cut_off.able = False
        await asyncio.sleep(0.6)
        assert each_is_done_once(cut_off)
        async with at_work(other):
            await until(lambda: each_is_done_once(other))
            assert cut_off.does == []
            cut_off.able = True
            await until(lambda: each_is_done_once(cut_off, other) and len(cut_off.does) == 2)


async def test_what_cannot_begin_in_one_process_is_taken_by_another(pool: asyncpg.Pool) -> None:
    unlucky, other = Worker(pool), Worker(pool)
    unlucky.refuses = set(PARTS)
    async with at_work(unlucky):
        assert unlucky.shares.trouble == "the work cannot be shared out: relay cannot begin"
        async with at_work(other):
            await until(lambda: each_is_done_once(other))


async def test_services_do_not_meet(pool: asyncpg.Pool) -> None:
    one, other = Worker(pool), Worker(pool, "another")
    async with at_work(one, other):
        assert each_is_done_once(one)
        assert each_is_done_once(other)
