"""Event streams over HTTP: snapshot, resume, gaps, slow readers, the end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg
import pytest
from runyard_shared.contracts.jobs import OutputChunk
from runyard_shared.messaging.topology import LIVE_OUTPUT

from tests.gateway import CHAIN, TOKEN, Frame, House, frames, house


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


@asynccontextmanager
async def watching(home: House, path: str, last_event_id: int | None = None) -> AsyncIterator[AsyncIterator[Frame]]:
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    async with home.http.stream("GET", f"/api/v1{path}", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield frames(answer)


async def following(stream: AsyncIterator[Frame]) -> Frame:
    """The next event."""
    while (frame := await anext(stream)).comment:
        pass
    return frame


async def live(stream: AsyncIterator[Frame]) -> None:
    """Reads on until the comment that says that what follows comes live."""
    while not (await anext(stream)).comment:
        pass


async def rest_of(stream: AsyncIterator[Frame]) -> list[Frame]:
    return [frame async for frame in stream if not frame.comment]


async def all_of(home: House, path: str, last_event_id: int | None = None) -> list[Frame]:
    """Everything until the server ends the stream."""
    async with asyncio.timeout(20), watching(home, path, last_event_id) as stream:
        return await rest_of(stream)


async def stored(home: House, execution_id: str) -> list[tuple[int, str]]:
    rows = await home.pool.fetch("select position, topic from read.event where stream_id = $1 order by position", execution_id)
    return [(row["position"], row["topic"]) for row in rows]


def positions(seen: list[Frame]) -> list[tuple[int | None, str]]:
    return [(frame.position, frame.event) for frame in seen if frame.event not in ("snapshot", "end", "output")]


async def test_a_watcher_sees_a_snapshot_then_every_event_once_then_the_end(home: House) -> None:
    workflow_id = await home.publish()
    started = await home.call("POST", f"/workflows/{workflow_id}/run", status=202, json={})
    execution_id = started["executionId"]
    watcher = asyncio.create_task(all_of(home, f"/executions/{execution_id}/events"))
    await home.complete(execution_id)
    seen = await watcher
    assert (seen[0].event, seen[-1].event, seen[-1].data) == ("snapshot", "end", {"executionId": execution_id})
    snapshot = seen[0]
    assert snapshot.position == snapshot.data["asOf"] and snapshot.data["executionId"] == execution_id
    assert positions(seen) == [each for each in await stored(home, execution_id) if each[0] > snapshot.data["asOf"]]
    completed = next(frame for frame in seen if frame.event == "job.completed")
    assert completed.data["specversion"] == "1.0"
    assert completed.data["type"] == "runyard.job.completed.v1"
    assert (completed.data["subject"], completed.data["tenant"]) == (execution_id, "default")
    assert completed.data["sequence"] == str(completed.position)
    assert completed.data["data"]["output"] == {"stdout": "done\n", "exitCode": 0}


async def test_a_reader_that_resumes_anywhere_misses_and_repeats_nothing(home: House) -> None:
    execution_id = await home.run(await home.publish())
    await home.complete(execution_id)
    history = await stored(home, execution_id)
    for last, _ in history:
        seen = await all_of(home, f"/executions/{execution_id}/events", last)
        assert positions(seen) == [each for each in history if each[0] > last]
        assert [frame.event for frame in seen].count("end") == 1 and seen[-1].event == "end"
    by_parameter = await all_of(home, f"/executions/{execution_id}/events?lastEventId={history[-2][0]}")
    assert [frame.event for frame in by_parameter] == ["execution.completed", "end"]


async def test_a_cancelled_execution_is_followed_until_its_running_job_has_ended(home: House) -> None:
    execution_id = await home.run(await home.publish())
    job_id = await home.start_job(execution_id)
    watcher = asyncio.create_task(all_of(home, f"/executions/{execution_id}/events"))
    await home.call("POST", f"/executions/{execution_id}/cancel", status=202)
    detail = await home.until(execution_id, "cancelled")
    assert detail["banner"] == "Cancelled by admin; 1 job is still running to its end"
    assert not watcher.done()
    await home.finish_job(execution_id, job_id)
    topics = [frame.event for frame in await watcher]
    assert topics.index("execution.cancelled") < topics.index("job.completed") < topics.index("end")


async def test_events_whose_broadcast_was_lost_come_from_the_store_in_their_place(
    home: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution_id = await home.run(await home.publish())
    async with asyncio.timeout(20), watching(home, f"/executions/{execution_id}/events") as stream:
        seen = [await following(stream)]
        heard, lost = home.bus.broadcast, 0

        async def lose_every_other(exchange: str, items: list[object]) -> None:
            nonlocal lost
            lost += 1
            if lost % 2:
                await heard(exchange, items)

        monkeypatch.setattr(home.bus, "broadcast", lose_every_other)
        await home.complete(execution_id)
        seen += await rest_of(stream)
    assert lost > 2
    assert positions(seen) == [each for each in await stored(home, execution_id) if each[0] > seen[0].data["asOf"]]


async def test_the_last_event_is_seen_even_if_its_broadcast_was_lost(home: House, monkeypatch: pytest.MonkeyPatch) -> None:
    execution_id = await home.run(await home.publish())
    job_id = await home.start_job(execution_id)
    await home.detail_when(execution_id, lambda detail: detail["jobs"][0]["status"] == "running")
    async with asyncio.timeout(20), watching(home, f"/executions/{execution_id}/events") as stream:
        await following(stream)

        async def lose(exchange: str, items: list[object]) -> None:
            pass

        monkeypatch.setattr(home.bus, "broadcast", lose)
        await home.call("POST", f"/executions/{execution_id}/cancel", status=202)
        assert (await following(stream)).event == "execution.cancelled"
        await home.finish_job(execution_id, job_id)
        assert (await rest_of(stream))[-1].event == "end"


async def test_output_is_shown_as_it_comes_and_characters_are_never_cut(home: House) -> None:
    execution_id = await home.run(await home.publish())
    job_id = await home.start_job(execution_id)
    async with asyncio.timeout(20), watching(home, f"/executions/{execution_id}/events") as stream:
        await live(stream)
        text = "Größe: 5 €\n".encode()
        cut = text.index("€".encode()) + 1
        for number, (offset, data) in enumerate([(0, text[:cut]), (cut, text[cut:]), (1000, b"\xff later")]):
            chunk = OutputChunk(
                tenant_id="default",
                execution_id=execution_id,
                job_id=job_id,
                stream="stdout",
                number=number,
                offset=offset,
                data=data,
            )
            await home.bus.broadcast(LIVE_OUTPUT, [chunk])
        seen = [await following(stream) for _ in range(3)]
    assert {(frame.event, frame.position, frame.data["jobId"], frame.data["stream"]) for frame in seen} == {
        ("output", None, job_id, "stdout")
    }
    assert [(frame.data["offset"], frame.data["text"]) for frame in seen] == [
        (0, "Größe: 5 "), (cut - 1, "€\n"), (1000, "\ufffd later"),
    ]  # fmt: skip


async def test_a_reader_that_reads_too_slowly_is_cut_off_and_others_go_on(pool: asyncpg.Pool) -> None:
    async with house(pool, stream_buffer_bytes=200_000) as home:
        execution_id = await home.run(await home.publish())
        job_id = await home.start_job(execution_id)
        slow = await stuck_reader(home, f"/api/v1/executions/{execution_id}/events")
        async with asyncio.timeout(30), watching(home, f"/executions/{execution_id}/events") as stream:
            await live(stream)
            received = 0
            for number in range(400):
                chunk = OutputChunk(
                    tenant_id="default", execution_id=execution_id, job_id=job_id, stream="stdout", number=number,
                    offset=number * 50_000, data=b"x" * 50_000,
                )  # fmt: skip
                await home.bus.broadcast(LIVE_OUTPUT, [chunk])
                received += (await following(stream)).event == "output"
            assert received == 400
            # The slow one has no more than its socket's buffers; then its connection is gone.
            with pytest.raises(ConnectionResetError):
                while await asyncio.get_running_loop().sock_recv(slow, 1 << 20):
                    pass
                raise ConnectionResetError
            await home.finish_job(execution_id, job_id)
            assert (await following(stream)).event == "job.completed"
        slow.close()


async def stuck_reader(home: House, path: str) -> socket.socket:
    """A client that asks for a stream, reads its first bytes, and then no more."""
    address = urlsplit(home.gateway.address)
    client = socket.socket()
    client.setblocking(False)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, (address.hostname or "", address.port or 0))
    await loop.sock_sendall(client, f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    assert (await loop.sock_recv(client, 100)).startswith(b"HTTP/1.1 200")
    return client


async def test_silence_is_filled_with_comments(pool: asyncpg.Pool) -> None:
    async with house(pool, keep_alive_seconds=0.1) as home:
        execution_id = await home.run(await home.publish())
        async with asyncio.timeout(20), home.http.stream("GET", f"/api/v1/executions/{execution_id}/events") as answer:
            text = ""
            async for part in answer.aiter_text():
                text += part
                if text.count(": keep-alive\n\n") >= 3:
                    break


async def test_all_events_of_the_tenant_are_streamed_and_paged(home: House) -> None:
    execution_id = await home.run(await home.publish())
    await home.complete(execution_id)
    total = await home.pool.fetchval("select count(*) from read.event")
    async with asyncio.timeout(20), watching(home, "/events?after=2") as stream:
        first = [await following(stream) for _ in range(total - 2)]
        assert [frame.position for frame in first] == list(range(3, total + 1))
        await home.call("POST", "/workflows", status=201, json=CHAIN | {"name": "new"})
        live = await following(stream)
        assert (live.event, live.position) == ("workflow.created", total + 1)
    page = await home.call("GET", "/events.json", params={"after": 1, "limit": 4})
    assert [event["sequence"] for event in page["items"]] == ["2", "3", "4", "5"]
    rest = await home.call("GET", "/events.json", params={"cursor": page["nextCursor"], "limit": 200})
    assert [int(event["sequence"]) for event in rest["items"]] == list(range(6, total + 2)) and rest["nextCursor"] is None


async def test_stopping_the_gateway_ends_its_streams_in_good_order(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        execution_id = await home.run(await home.publish())
        async with asyncio.timeout(30), watching(home, f"/executions/{execution_id}/events") as stream:
            assert (await following(stream)).event == "snapshot"
            stopping = asyncio.create_task(home.gateway.stop())
            assert await rest_of(stream) == []
        await home.http.aclose()
        await stopping


async def test_history_that_was_archived_is_said_to_be_gone_before_a_stream_begins(home: House) -> None:
    await home.publish()
    await home.pool.execute(
        "insert into orchestrator.archived_month (tenant_id, month, part, events, first_position, last_position)"
        " values ('default', '2020-01-01', 1, 2, 1, 2), ('acme', '2020-01-01', 1, 2, 1, 9)"
    )
    for path in ("/events?after=1", "/events.json?after=1"):
        gone = await home.call("GET", path, status=410)
        assert (gone["code"], gone["completeAfter"]) == ("archived", 2)
    async with asyncio.timeout(30), watching(home, "/events", last_event_id=2) as stream:
        assert (await following(stream)).position == 3
