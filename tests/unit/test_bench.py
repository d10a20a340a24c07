"""What the benchmark's figures rest on: its own reading of answers and event streams, and its arithmetic."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from runyard_bench.client import Client, Refused
from runyard_bench.connection import ConnectionLost, Frame
from runyard_bench.quantities import percentile

CHUNKS = [b'id: 7\nevent: job.completed\ndata: {"a": 1}\n\n: k', b'eep-alive\n\nevent: end\ndata: {"b": "x y"}\n\n']
EVENTS = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in CHUNKS)
    + b"0\r\n\r\n"
)


async def _serving(*answers: bytes, cut: int = 1_000_000) -> tuple[asyncio.Server, Client]:
    """A server that gives the next of `answers`, in pieces of `cut` bytes, for each request, and a client of it."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while left and await reader.readuntil(b"\r\n\r\n"):
            answer = left.pop(0)
            for start in range(0, len(answer), cut):
                writer.write(answer[start : start + cut])
                await writer.drain()
                await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    return server, Client(f"http://127.0.0.1:{port}", "key")


async def _until(condition: Callable[[], bool], work: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await work()


@pytest.mark.parametrize("cut", [1, 3, 50, 1000])
async def test_event_frames_arrive_whole_however_the_network_cuts_them(cut: int) -> None:
    server, client = await _serving(EVENTS, cut=cut)
    frames: list[Frame] = []
    async with server, client.stream("/events", frames.append):
        await _until(lambda: len(frames) == 2, lambda: asyncio.sleep(0.001))
    assert [(frame.event, frame.data) for frame in frames] == [("job.completed", b'{"a": 1}'), ("end", b'{"b": "x y"}')]


async def test_a_refusal_is_told_in_the_words_of_the_api() -> None:
    body = b'{"code": "workflow_name_taken"}'
    server, client = await _serving(b"HTTP/1.1 409 Conflict\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
    async with server:
        with pytest.raises(Refused, match=r"409.*workflow_name_taken"):
            await client.call("POST", "/workflows", {"name": "x"})
        client.close()


async def test_an_answer_that_never_comes_to_its_end_is_no_answer() -> None:
    server, client = await _serving(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    async with server:
        with pytest.raises(ConnectionLost):
            await client.call("GET", "/executions")


def test_a_percentile_is_a_value_that_was_measured() -> None:
    times = [float(number) for number in range(1, 101)]
    assert (percentile(times, 50), percentile(times, 99), percentile(times, 100)) == (50, 99, 100)
    assert (percentile([3.0], 50), percentile([3.0, 1.0], 99)) == (3, 3)
