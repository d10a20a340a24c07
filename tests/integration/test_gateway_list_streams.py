"""Lists as they change: the page that a reader keeps is the one that the list gives; who may have a stream, and how many."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from tests.gateway import CHAIN, House, Json, house
from tests.integration.test_gateway_approvals import asked, gate, person
from tests.stream_readers import Seen, StreamReader

FINISHED = {"completed", "failed", "cancelled"}


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


class KeptPage:
    """A page as the web app keeps it: what it was, and each change. `id_name`: of its rows."""

    def __init__(self, id_name: str) -> None:
        self.id_name = id_name
        self.rows: dict[str, Json] = {}
        self.count: Json = {}
        self.counts: Json = {}
        self.changes: list[Seen] = []
        self.pages = 0
        self._changed = asyncio.Event()

    def take(self, seen: Seen) -> None:
        if seen.event == "page":
            self.pages += 1
            rows = {row[self.id_name]: row for row in seen.data["items"]}
            for row_id in rows.keys() & self.rows.keys():
                self._replace(rows[row_id])
            self.rows = rows
            self.count = seen.data.get("count", {})
        elif seen.event == "gone":
            del self.rows[seen.data[self.id_name]]
        elif seen.event == "counts":
            self.counts |= seen.data
        elif seen.event == "count":
            self.count = seen.data
        else:
            self._replace(seen.data)
        self.changes.append(seen)
        self._changed.set()

    def _replace(self, row: Json) -> None:
        known = self.rows.get(row[self.id_name])
        if known is not None and known["status"] in FINISHED:
            assert row["status"] == known["status"], "what has finished never runs again"
        self.rows[row[self.id_name]] = row

    async def until(self, wanted: Callable[["KeptPage"], Any]) -> None:
        try:
            async with asyncio.timeout(30):
                while not wanted(self):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"the page stayed as {self.rows} {self.count} after {self.changes}") from None


@asynccontextmanager
async def kept(home: House, path: str, id_name: str, **options: Any) -> AsyncIterator[tuple[KeptPage, StreamReader]]:
    """The page of the stream at `path`, from its first frame on."""
    page = KeptPage(id_name)
    reader = StreamReader(lambda: home.gateway.address, path, page.take, **options)
    reading = asyncio.create_task(reader.read())
    try:
        await page.until(lambda each: each.pages)
        yield page, reader
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_the_page_that_a_reader_keeps_is_what_the_list_gives(home: House) -> None:
    chain, waits = await home.publish(), await home.publish(gate("Waits"))
    old = [await home.run(chain) for _ in range(2)]
    filters = ("limit=3", f"workflowId={chain}", "status=running", "status=completed&status=cancelled", "q=wait&limit=2")
    async with (
        kept(home, f"/executions/stream?{filters[0]}", "executionId") as (newest, reader),
        kept(home, f"/executions/stream?{filters[1]}", "executionId") as (of_chain, _),
        kept(home, f"/executions/stream?{filters[2]}", "executionId") as (running, _),
        kept(home, f"/executions/stream?{filters[3]}", "executionId") as (finished, _),
        kept(home, f"/executions/stream?{filters[4]}", "executionId") as (named, _),
    ):
        pages = (newest, of_chain, running, finished, named)
        new = [await home.run(chain), await home.run(waits), await home.run(waits)]
        await home.complete(old[0])
        reader.cut()
        await home.call("POST", f"/executions/{old[1]}/cancel", status=202, json={"reason": "no longer needed"})
        await home.complete(new[0])
        for page, chosen in zip(pages, filters, strict=True):
            items = (await home.call("GET", f"/executions?{chosen}"))["items"]
            expected = [(row["executionId"], row["status"], row["jobs"], row["pendingApprovals"]) for row in items]
            await page.until(shows(expected))
        for page, chosen in zip(pages, filters, strict=True):
            others = "&".join(each for each in chosen.split("&") if not each.startswith("limit="))
            counts = await home.call("GET", f"/executions/counts?{others}")
            assert counts["pendingApprovals"]["count"] == 2
            await page.until(tells(counts))
        assert newest.pages == 2 and [each.pages for each in pages[1:]] == [1, 1, 1, 1]
        assert {each.data["executionId"] for each in running.changes if each.event == "gone"} >= {old[0], old[1]}
        assert finished.rows.keys() == {*old, new[0]} and named.rows.keys() == {new[1], new[2]}


def tells(counts: Json) -> Callable[[KeptPage], bool]:
    return lambda page: bool(page.counts == counts)


def shows(expected: list[tuple[str, str, Json, int]]) -> Callable[[KeptPage], bool]:
    return lambda page: in_order(page) == expected


def in_order(page: KeptPage) -> list[tuple[str, str, Json, int]]:
    rows = sorted(page.rows.values(), key=lambda row: (row["startedAt"], row["executionId"]), reverse=True)
    return [(row["executionId"], row["status"], row["jobs"], row["pendingApprovals"]) for row in rows]


async def test_an_approver_sees_what_waits_come_and_go_and_is_told_how_many_and_nobody_else_is(home: House) -> None:
    alice, bob = await person(home, "alice"), await person(home, "bob")
    async with (
        kept(home, "/approvals/stream?mine=true", "approvalId", token=alice.key) as (mine, _),
        kept(home, "/approvals/stream", "approvalId", token=bob.key) as (bobs, _),
        kept(home, "/approvals/stream", "approvalId") as (every, _),
    ):
        assert (mine.count, mine.rows) == ({"waiting": 0, "more": False}, {})
        _, first = await asked(home, gate("First", approvers=["alice"]))
        _, second = await asked(home, gate("Second", approvers=["alice"]))
        await mine.until(lambda page: page.rows.keys() == {first, second} and page.count["waiting"] == 2)
        assert (await alice.answers(first)).status_code == 200
        await mine.until(lambda page: page.rows.keys() == {second} and page.count["waiting"] == 1)
        await every.until(lambda page: page.rows.get(first, {}).get("status") == "approved")
        assert every.rows[second]["status"] == "pending" and every.count == {"waiting": 0, "more": False}
        assert (bobs.rows, len(bobs.changes)) == ({}, 1)


async def test_a_stream_ends_when_its_key_is_revoked_or_its_user_disabled(home: House) -> None:
    execution_id = await home.run(await home.publish())
    await home.call("POST", "/users", status=201, json={"name": "eve", "roles": ["viewer"]})
    keys = [await home.call("POST", "/api-keys", status=201, json={"user": "eve"}) for _ in range(2)]
    paths = (f"/executions/{execution_id}/events", "/events", "/executions/stream", "/approvals/stream")
    readers = [
        StreamReader(lambda: home.gateway.address, path, lambda seen: None, token=key["key"]) for key in keys for path in paths
    ]
    reading = [asyncio.create_task(each.read()) for each in readers]
    first, second = readers[:4], readers[4:]
    try:
        await until(lambda: [each.connections for each in readers] == [1] * 8, readers)
        await home.http.delete(f"/api/v1/api-keys/{keys[0]['keyId']}")
        await until(lambda: all(401 in each.refusals for each in first), readers)
        assert all(each.connections == 1 and not each.refusals for each in second)
        await home.call("PATCH", "/users/eve", json={"disabled": True})
        await until(lambda: all(401 in each.refusals for each in second), readers)
    finally:
        for each in reading:
            each.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def until(wanted: Callable[[], bool], readers: Sequence[StreamReader]) -> None:
    try:
        async with asyncio.timeout(30):
            while not wanted():  # noqa: ASYNC110 - readers have no common event
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError([(each.connections, each.refusals) for each in readers]) from None


async def test_more_streams_than_the_gateway_holds_are_refused_and_come_in_when_others_leave(pool: asyncpg.Pool) -> None:
    async with house(pool, max_streams=2) as home:
        await home.publish(CHAIN)
        async with kept(home, "/executions/stream", "executionId"), kept(home, "/approvals/stream", "approvalId"):
            refused = await home.http.get("/api/v1/events")
            assert (refused.status_code, refused.json()["code"]) == (503, "too_many_streams")
            assert int(refused.headers["retry-after"]) >= 1
            missing = await home.http.get("/api/v1/executions/01890000-0000-7000-8000-000000000000/events")
            assert missing.status_code == 503, "refused before anything is read"
        async with kept(home, "/executions/stream?status=failed", "executionId") as (_, reader):
            # a refusal is no stream, and takes no place
            missing = await home.http.get("/api/v1/executions/01890000-0000-7000-8000-000000000000/events")
            assert missing.status_code == 404
            assert reader.connections == 1
