"""A job's output: complete, in order, sealed, as fast as it comes, and never more of it in memory than the window."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from runyard_agent.delivery import Delivery
from runyard_agent.output import JobOutput
from runyard_agent.spool import Spool
from runyard_agent.transport.bus import BusTransport
from runyard_shared.contracts.jobs import OutputChunk, OutputMessage, OutputSealed
from runyard_shared.messaging.topology import JOB_OUTPUT, LIVE_OUTPUT

from tests.agents import BreakableBus, until


class Kept:
    """What arrived, on the queue and live; while `open` is cleared the queue takes nothing."""

    def __init__(self) -> None:
        self.queue: list[OutputMessage] = []
        self.live: list[OutputMessage] = []
        self.open = asyncio.Event()
        self.open.set()

    async def keep(self, items: Sequence[OutputMessage]) -> None:
        await self.open.wait()
        self.queue += items

    async def hear(self, items: Sequence[OutputMessage]) -> None:
        self.live += items

    def data(self) -> bytes:
        return b"".join(message.data for message in self.queue if isinstance(message, OutputChunk))


@pytest.fixture
async def bus() -> AsyncIterator[BreakableBus]:
    bus = BreakableBus()
    await bus.open()
    yield bus
    await bus.close()


@pytest.fixture
async def kept(bus: BreakableBus) -> Kept:
    kept = Kept()
    await bus.consume(JOB_OUTPUT, OutputMessage, kept.keep)
    await bus.listen(LIVE_OUTPUT, OutputMessage, kept.hear)
    return kept


@pytest.fixture
async def output(bus: BreakableBus, tmp_path: Path) -> AsyncIterator[JobOutput]:
    """Of an agent whose spool takes nothing."""
    spool = Spool.open(tmp_path, limit_bytes=0)
    yield JobOutput("default", "execution", "job", Delivery(BusTransport(bus, "default", "agent-1"), spool))
    spool.close()


async def test_a_line_arrives_while_the_job_still_runs(kept: Kept, output: JobOutput) -> None:
    output.stream("stdout").write(b"first line\n")
    await until(lambda: bool(kept.queue) and bool(kept.live))
    assert kept.queue == kept.live
    assert kept.data() == b"first line\n"


async def test_many_small_writes_become_few_chunks(kept: Kept, output: JobOutput) -> None:
    stream = output.stream("stdout")
    for number in range(1000):
        stream.write(b"line %d\n" % number)
        await stream.drain()
        await asyncio.sleep(0)
    await output.seal()
    assert kept.data() == b"".join(b"line %d\n" % number for number in range(1000))
    assert len(kept.queue) < 50


async def test_the_seal_counts_and_hashes_all_of_it_and_comes_last(kept: Kept, output: JobOutput) -> None:
    data = random.Random(7).randbytes(5_000_000)
    stdout, stderr = output.stream("stdout"), output.stream("stderr")
    for start in range(0, len(data), 33_333):
        stdout.write(data[start : start + 33_333])
        await stdout.drain()
    stderr.write(b"one line\n")
    seals = await output.seal()
    assert isinstance(kept.queue[-1], OutputSealed)
    assert kept.queue[-1].seals == seals
    assert [(seal.stream, seal.size) for seal in seals] == [("stdout", 5_000_000), ("stderr", 9)]
    chunks = [message for message in kept.queue if isinstance(message, OutputChunk) and message.stream == "stdout"]
    assert b"".join(chunk.data for chunk in chunks) == data
    assert len(chunks) == seals[0].chunks
    assert max(len(chunk.data) for chunk in chunks) <= 64 * 1024


async def test_nothing_written_is_nothing_sent(kept: Kept, output: JobOutput) -> None:
    output.stream("stdout").write(b"")
    assert await output.seal() == []
    assert kept.queue == kept.live == []


async def test_a_writer_waits_while_too_much_is_on_its_way(kept: Kept, output: JobOutput) -> None:
    kept.open.clear()
    stream = output.stream("stdout")

    async def write_endlessly() -> None:
        while True:
            stream.write(b"x" * 10_000)
            await stream.drain()

    writer = asyncio.create_task(write_endlessly())
    await until(lambda: stream.congested)
    await asyncio.sleep(0.1)
    held = stream.size
    assert held <= 600_000
    kept.open.set()
    await until(lambda: stream.size > 4 * held)
    writer.cancel()
    await output.seal()
    assert len(kept.data()) == stream.size


async def test_output_waits_for_a_broker_that_is_away_and_arrives_once_each(
    bus: BreakableBus, kept: Kept, output: JobOutput
) -> None:
    bus.away = True
    output.stream("stdout").write(b"kept ")
    await asyncio.sleep(0.05)
    output.stream("stdout").write(b"for later")
    sealing = asyncio.create_task(output.seal())
    await asyncio.sleep(0.05)
    assert not sealing.done()
    bus.away = False
    await sealing
    assert kept.data() == b"kept for later"


async def test_text_is_cut_between_characters(output: JobOutput) -> None:
    stream = output.stream("stdout")
    stream.write(b"a" + "€".encode() * 30_000)
    text = stream.text()
    assert stream.truncated
    assert text == "a" + "€" * 21_845
    assert len(text.encode()) <= 64 * 1024


async def test_what_is_no_text_shows_as_replacement_characters(output: JobOutput) -> None:
    stream = output.stream("stdout")
    stream.write(b"ok \xff\x00 \xc3\xa4 \xc3")
    assert stream.text() == "ok �� ä �"
    assert not stream.truncated


async def test_wrong_bytes_do_not_make_the_text_longer_than_its_limit(output: JobOutput) -> None:
    stream = output.stream("stdout")
    stream.write(b"\xff" * 60_000)
    assert len(stream.text().encode()) <= 64 * 1024
