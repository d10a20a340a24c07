"""What the agent has said and the server has not confirmed: on disk, in order, each once, whatever happens to disk, server and
process."""

import asyncio
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from runyard_agent.delivery import Delivery
from runyard_agent.journal import Journal
from runyard_agent.leases import Leases
from runyard_agent.output import JobOutput
from runyard_agent.reports import Reports
from runyard_agent.spool import Spool
from runyard_shared.contracts.jobs import OutputChunk, OutputSealed
from runyard_shared.contracts.reports import JobFinished
from runyard_shared.contracts.values import JobStatus
from runyard_shared.errors import Conflict, Revoked, Unavailable
from runyard_shared.ids import new_id
from runyard_shared.messaging.topology import JOB_OUTPUT, orchestrator_inbox

from tests.agents import until

MIB = 1024 * 1024


class Server:
    """A transport to a server that can be away, slow to confirm, or closed to this agent for ever."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.away = False
        self.revoked = False
        self.forgets = False
        self.confirms = asyncio.Event()
        self.confirms.set()

    @property
    def trouble(self) -> str | None:
        return "the server is away" if self.away else None

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        if self.revoked:
            raise Revoked("the key was revoked")
        if self.away:
            raise Unavailable("the server is away")
        self.taken += [(queue, item) for item in items]
        await self.confirms.wait()
        if self.forgets:
            raise Unavailable("the confirmation was lost")

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def receive(self, handler: Any) -> Any: ...

    def on_reconnect(self, callback: Any) -> None: ...

    def on_revoked(self, callback: Any) -> None: ...

    @property
    def results(self) -> list[JobFinished]:
        return [item for _, item in self.taken if isinstance(item, JobFinished)]

    def chunks(self, job_id: str) -> list[OutputChunk]:
        return [item for _, item in self.taken if isinstance(item, OutputChunk) and item.job_id == job_id]

    def sealed(self, job_id: str) -> bool:
        return any(isinstance(item, OutputSealed) and item.job_id == job_id for _, item in self.taken)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def spool(tmp_path: Path) -> AsyncIterator[Spool]:
    spool = Spool.open(tmp_path / "spool", limit_bytes=64 * MIB)
    yield spool
    spool.close()


def finished(number: int = 0) -> JobFinished:
    return JobFinished(
        tenant_id="default",
        execution_id=new_id(),
        job_id=new_id(),
        dispatch=1,
        agent="agent-1",
        status=JobStatus.COMPLETED,
        duration_ms=number,
        output={"number": number, "big": 1 << 80},
    )


def reopened(spool: Spool) -> Spool:
    """As after `kill -9`: nothing of the earlier process is left but its files."""
    spool.close()
    return Spool.open(spool.directory, limit_bytes=spool.limit_bytes)


def whole(chunks: list[OutputChunk]) -> bytes:
    assert [chunk.number for chunk in chunks] == list(range(len(chunks)))
    return b"".join(chunk.data for chunk in chunks)


# --- the journal


def test_a_journal_gives_back_what_is_not_confirmed_in_order_after_any_restart(tmp_path: Path) -> None:
    chance = random.Random(5)
    journal, waiting = Journal(tmp_path, "q"), []
    for number in range(3000):
        match chance.choice(["append", "append", "confirm", "reopen"]):
            case "append":
                records = [b"%d " % number * chance.choice([1, 10, 5000]) for _ in range(chance.randint(1, 3))]
                journal.append(records)
                waiting += records
            case "confirm":
                records, place = journal.read(chance.choice([1, 1000, 100_000]))
                assert records == waiting[: len(records)]
                journal.confirm(place)
                del waiting[: len(records)]
            case "reopen" if chance.random() < 0.1:
                journal.close()
                journal = Journal(tmp_path, "q")
        assert bool(journal.waiting) == bool(waiting)
    records, place = journal.read(1 << 40)
    while records:
        assert records == waiting[: len(records)]
        del waiting[: len(records)]
        journal.confirm(place)
        records, place = journal.read(1 << 40)
    assert waiting == []
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2 * MIB


def test_segments_that_are_confirmed_take_no_space(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "q")
    for _ in range(40):
        journal.append([b"x" * MIB])
    assert len(list(tmp_path.iterdir())) == 5
    journal.confirm(journal.read(33 * MIB)[1])
    while journal.waiting > 8 * MIB:
        journal.confirm(journal.read(MIB)[1])
    assert len(list(tmp_path.iterdir())) <= 2
    while journal.waiting:
        journal.confirm(journal.read(MIB)[1])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("cut", [1, 8, 9, 500])
def test_a_record_that_was_cut_off_is_set_aside_and_the_others_are_kept(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path, "q")
    journal.append([b"first" * 100, b"second" * 100])
    journal.close()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-cut])
    journal = Journal(tmp_path, "q")
    assert journal.read(MIB)[0] == [b"first" * 100]
    assert len(list(tmp_path.glob("*.damaged.*"))) == 1
    journal.append([b"third"])
    journal.close()
    assert Journal(tmp_path, "q").read(MIB)[0] == [b"first" * 100, b"third"]


@pytest.mark.parametrize("content", [b"", b"no journal at all", b"\0" * 100_000], ids=["empty", "text", "zeros"])
def test_a_damaged_file_is_set_aside_and_the_journal_goes_on(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / f"q-{0:020d}"
    path.write_bytes(content)
    journal = Journal(tmp_path, "q")
    assert journal.read(MIB) == ([], 0)
    assert [aside.read_bytes() for aside in tmp_path.glob("*.damaged.*")] == ([content] if content else [])
    journal.append([b"goes on"])
    journal.close()
    assert Journal(tmp_path, "q").read(MIB)[0] == [b"goes on"]


def test_damage_in_an_earlier_segment_costs_only_what_is_behind_it_there(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "q")
    for number in range(20):
        journal.append([b"%02d" % number * MIB])
    journal.close()
    first = sorted(tmp_path.iterdir())[0]
    with first.open("r+b") as file:
        file.seek(5 * MIB)
        file.write(b"damage")
    journal = Journal(tmp_path, "q")
    numbers = []
    while journal.waiting:
        records, place = journal.read(1)
        numbers += [int(record[:2]) for record in records]
        journal.confirm(place)
    assert numbers == [0, 1, *range(4, 20)]
    assert [path.name for path in tmp_path.glob("*.damaged.*")] == [f"{first.name}.damaged.1"]


def test_a_second_process_cannot_have_the_spool(spool: Spool) -> None:
    with pytest.raises(Conflict, match="another process of this agent"):
        Spool.open(spool.directory, limit_bytes=1)


# --- results


async def test_a_result_is_in_the_spool_before_it_is_sent_and_leaves_it_when_confirmed(server: Server, spool: Spool) -> None:
    reports = Reports(server, Leases(60), spool)
    server.confirms.clear()
    result = finished()
    reports.end(result)
    await until(lambda: bool(server.results))
    assert [journal.waiting > 0 for journal in spool.results] == [True]
    server.confirms.set()
    await reports.delivered()
    assert [journal.waiting for journal in spool.results] == [0]


async def test_results_outlive_the_process_and_are_delivered_once_each_in_order(server: Server, spool: Spool) -> None:
    server.away = True
    reports, results = Reports(server, Leases(60), spool), [finished(number) for number in range(500)]
    for result in results:
        reports.end(result)
        await asyncio.sleep(0)
    assert reports.trouble == "500 job results wait for the server"
    await reports.stop()
    spool = reopened(spool)
    again = Reports(server, Leases(60), spool)
    delivering = asyncio.create_task(again.deliver_spooled())
    await asyncio.sleep(0.05)
    assert not delivering.done()
    server.away = False
    await delivering
    await again.deliver_spooled()
    for inbox in {orchestrator_inbox(result.execution_id) for result in results}:
        expected = [result for result in results if orchestrator_inbox(result.execution_id) == inbox]
        assert [item for queue, item in server.taken if queue == inbox] == expected
    assert len(server.results) == 500
    spool.close()


async def test_an_agent_that_is_revoked_stops_sending_and_keeps_its_results(server: Server, spool: Spool) -> None:
    server.revoked = True
    reports = Reports(server, Leases(60), spool)
    reports.end(finished())
    await asyncio.wait_for(reports.delivered(), 30)
    with pytest.raises(Revoked):
        await reports.deliver_spooled()
    assert [journal.waiting > 0 for journal in spool.results] == [True]


# --- output


async def test_a_job_ends_while_the_server_is_away_and_its_output_comes_in_order_later(server: Server, spool: Spool) -> None:
    delivery = Delivery(server, spool)
    before, job = JobOutput("default", "e", "before", delivery), JobOutput("default", "e", "job", delivery)
    before.stream("stdout").write(b"sent at once")
    await before.seal()
    server.away = True
    data = random.Random(1).randbytes(5 * MIB)
    for at in range(0, len(data), 10_000):
        job.stream("stdout").write(data[at : at + 10_000])
        await job.stream("stdout").drain()
    seals = await asyncio.wait_for(job.seal(), 30)
    assert server.chunks("job") == []
    assert spool.output.waiting > 5 * MIB
    assert delivery.trouble is not None
    assert "of output wait in the spool" in delivery.trouble
    server.away = False
    after = JobOutput("default", "e", "after", delivery)
    after.stream("stdout").write(b"behind the others")
    await after.seal()
    await until(lambda: server.sealed("after"))
    assert whole(server.chunks("job")) == data
    assert len(server.chunks("job")) == seals[0].chunks
    jobs = [item.job_id for _, item in server.taken if isinstance(item, OutputSealed)]
    assert jobs == ["before", "job", "after"]
    await until(lambda: not spool.output.waiting)
    assert delivery.trouble is None
    await delivery.stop()


async def test_what_the_server_does_not_confirm_for_a_moment_is_safe_in_the_spool_and_not_sent_twice(
    server: Server, spool: Spool
) -> None:
    delivery = Delivery(server, spool)
    server.confirms.clear()
    job = JobOutput("default", "e", "job", delivery)
    job.stream("stdout").write(b"slow")
    await asyncio.wait_for(job.seal(), 30)
    assert spool.output.waiting
    server.confirms.set()
    await until(lambda: server.sealed("job") and not spool.output.waiting)
    assert whole(server.chunks("job")) == b"slow"
    await delivery.stop()


async def test_output_that_waits_outlives_the_process(server: Server, spool: Spool) -> None:
    server.away = True
    delivery = Delivery(server, spool)
    job = JobOutput("default", "e", "job", delivery)
    data = random.Random(2).randbytes(3 * MIB)
    job.stream("stdout").write(data)
    await job.seal()
    await delivery.stop()
    spool = reopened(spool)
    server.away = False
    again = Delivery(server, spool)
    again.resume()
    await until(lambda: server.sealed("job"))
    assert whole(server.chunks("job")) == data
    await again.stop()
    assert [queue for queue, _ in server.taken] == [JOB_OUTPUT] * len(server.taken)
    spool.close()


async def test_output_that_was_not_safe_when_the_agent_stops_is_left_in_the_spool(server: Server, spool: Spool) -> None:
    server.confirms.clear()
    delivery = Delivery(server, spool)
    job = JobOutput("default", "e", "job", delivery)
    job.stream("stdout").write(b"under way")
    job.flush()
    await until(lambda: bool(server.taken))
    await delivery.stop()
    assert len(spool.output.read(MIB)[0]) == 1


async def test_a_job_whose_output_nobody_takes_still_ends_when_the_agent_stops(server: Server, tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", limit_bytes=0)
    server.away = True
    delivery, reports = Delivery(server, spool), Reports(server, Leases(60), spool)
    job = JobOutput("default", "e", "job", delivery)

    async def run() -> None:
        job.stream("stdout").write(b"nobody takes it")
        result = finished()
        reports.end(msgspec.structs.replace(result, seals=await job.seal()))

    running = asyncio.create_task(run())
    await until(lambda: "as much output as it may" in (delivery.trouble or ""))
    assert not running.done()
    await delivery.stop()
    await reports.stop()
    (result,) = [record for journal in spool.results for record in journal.read(MIB)[0]]
    assert msgspec.json.decode(result, type=JobFinished).seals[0].size == 15
    spool.close()


async def test_a_full_spool_makes_the_jobs_wait_and_nothing_is_lost(server: Server, tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", limit_bytes=MIB)
    delivery = Delivery(server, spool)
    job = JobOutput("default", "e", "job", delivery)
    server.away = True
    data = random.Random(3).randbytes(4 * MIB)

    async def write() -> None:
        for at in range(0, len(data), 10_000):
            job.stream("stdout").write(data[at : at + 10_000])
            await job.stream("stdout").drain()
        await job.seal()

    writing = asyncio.create_task(write())
    await until(lambda: "as much output as it may (1 MiB)" in (delivery.trouble or ""))
    assert job.congested
    assert spool.output.waiting <= MIB
    reports = Reports(server, Leases(60), spool)
    reports.end(finished())
    await until(lambda: sum(journal.waiting for journal in spool.results) > 0)
    server.away = False
    await writing
    await until(lambda: server.sealed("job"))
    assert whole(server.chunks("job")) == data
    assert delivery.trouble is None
    await delivery.stop()
    await reports.delivered()
    spool.close()


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_the_server_does_no_chunk_is_lost_or_overtakes(server: Server, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    spool = Spool.open(tmp_path, limit_bytes=chance.choice([0, 300_000, 64 * MIB]))
    delivery = Delivery(server, spool)

    async def run(job_id: str) -> bytes:
        output, written = JobOutput("default", "e", job_id, delivery), b""
        for _ in range(80):
            data = chance.randbytes(chance.choice([10, 1000, 200_000]))
            written += data
            output.stream("stdout").write(data)
            await output.stream("stdout").drain()
            await asyncio.sleep(chance.random() * 0.02)
        await output.seal()
        return written

    jobs = {job_id: asyncio.create_task(run(job_id)) for job_id in ("one", "two", "three")}
    while not all(job.done() for job in jobs.values()):
        server.away, server.forgets = chance.random() < 0.5, chance.random() < 0.3
        await asyncio.sleep(chance.random() * 0.3)
    server.away = server.forgets = False
    await until(lambda: all(map(server.sealed, jobs)) and not spool.output.waiting, within_seconds=30)
    for job_id, job in jobs.items():
        first_of_each = {chunk.number: chunk for chunk in reversed(server.chunks(job_id))}
        seen = dict.fromkeys(chunk.number for chunk in server.chunks(job_id))
        assert list(seen) == list(range(len(seen)))
        assert b"".join(first_of_each[number].data for number in seen) == job.result()
    await delivery.stop()
    spool.close()


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from runyard_agent.delivery import Delivery
from runyard_agent.leases import Leases
from runyard_agent.output import JobOutput
from runyard_agent.reports import Reports
from runyard_agent.spool import Spool
from tests.unit.test_agent_spool import MIB, Server, finished, until, whole

def room(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main():
    room(300_000)
    server, spool = Server(), Spool.open(Path(sys.argv[1]), limit_bytes=64 * MIB)
    delivery, reports = Delivery(server, spool), Reports(server, Leases(60), spool)
    server.away = True
    job, data = JobOutput("default", "e", "job", delivery), bytes(range(256)) * 8000

    async def write():
        for at in range(0, len(data), 5000):
            job.stream("stdout").write(data[at : at + 5000])
            await job.stream("stdout").drain()
        await job.seal()

    writing = asyncio.create_task(write())
    await until(lambda: "File too large" in (delivery.trouble or ""))
    await until(lambda: job.congested)
    results = [finished(number) for number in range(3000)]
    for result in results:
        reports.end(result)
        await asyncio.sleep(0)
    await until(lambda: "of them in memory alone" in (reports.trouble or ""))
    assert not writing.done()
    if sys.argv[2] == "space":
        room(resource.RLIM_INFINITY)
        await asyncio.wait_for(writing, 30)
        await until(lambda: (reports.trouble or "").endswith("for the server"))
        assert reports.trouble == "3000 job results wait for the server"
        assert spool.disk_trouble is None
    server.away = False
    await asyncio.wait_for(writing, 30)
    await reports.delivered()
    await until(lambda: server.sealed("job"))
    assert whole(server.chunks("job")) == data
    assert sorted(result.duration_ms for result in server.results) == list(range(3000))
    await until(lambda: not spool.output.waiting)
    assert [journal.waiting for journal in spool.results] == [0, 0]
    await delivery.stop()
    spool.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("recovers_by", ["space", "server"])
async def test_a_full_disk_is_said_once_and_nothing_is_lost(tmp_path: Path, recovers_by: str) -> None:
    """The kernel refuses to let the files grow, as a full disk does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FULL_DISK, str(tmp_path / "spool"), recovers_by, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, said.decode()
    assert said.count(b"the disk takes nothing") == 1, said.decode()
    assert said.count(b"the disk takes what waits again") <= 1
