"""A process that ends jobs while it has lost RabbitMQ, and is killed: what it has ended is delivered by the next one (R57)."""

import asyncio
import hashlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from runyard_agent.delivery import Delivery
from runyard_agent.leases import Leases
from runyard_agent.output import JobOutput
from runyard_agent.reports import Reports
from runyard_agent.spool import Spool
from runyard_agent.transport.bus import BusTransport
from runyard_shared.contracts.reports import JobFinished
from runyard_shared.contracts.values import JobStatus
from runyard_shared.ids import new_id
from runyard_shared.messaging.rabbit import RabbitBus

from tests.agents import NAME, TENANT, Desk, until
from tests.buses import Cable


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def output_of(job_id: str) -> bytes:
    """More than one chunk, and different for each job."""
    return hashlib.sha256(job_id.encode()).digest() * 3000


async def end_jobs(url: str, namespace: str, directory: str) -> None:
    """What the process does: deliver what an earlier one left, then end one job after the other, and say which."""
    bus = RabbitBus(url, namespace=namespace)
    await bus.open()
    transport, spool = BusTransport(bus, TENANT, NAME), Spool.open(Path(directory), limit_bytes=1 << 30)
    reports, delivery = Reports(transport, Leases(60), spool), Delivery(transport, spool)
    say("connected")
    sys.stdin.readline()
    delivery.resume()
    await reports.deliver_spooled()
    await until(lambda: not spool.output.waiting)
    say("delivered")
    sys.stdin.readline()
    while True:
        job_id = new_id()
        output = JobOutput(TENANT, job_id, job_id, delivery)
        output.stream("stdout").write(output_of(job_id))
        seals = await output.seal()
        reports.end(
            JobFinished(
                tenant_id=TENANT,
                execution_id=job_id,
                job_id=job_id,
                dispatch=1,
                agent=NAME,
                status=JobStatus.COMPLETED,
                duration_ms=1,
                seals=seals,
            )
        )
        await asyncio.sleep(0)
        say(job_id)


class Process:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._stdin, self._stdout = process.stdin, process.stdout

    @classmethod
    async def start(cls, url: str, namespace: str, directory: Path) -> "Process":
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", __name__, url, namespace, str(directory), stdin=pipe, stdout=pipe, env=os.environ
            )
        )

    async def says(self) -> str:
        assert self._stdout is not None
        while line := (await asyncio.wait_for(self._stdout.readline(), 30)).decode().strip():
            if " " not in line:  # not of the log
                return line
        raise AssertionError("the process has ended")

    def go_on(self) -> None:
        assert self._stdin is not None
        self._stdin.write(b"\n")

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@pytest.fixture
async def desk(amqp_url: str, namespace: str) -> AsyncIterator[Desk]:
    bus = RabbitBus(amqp_url, namespace=namespace)
    await bus.open()
    yield await Desk(bus).open()
    await bus.close()


async def test_what_a_killed_process_has_ended_without_its_broker_is_delivered_once_each_by_the_next(
    desk: Desk, amqp_url: str, namespace: str, tmp_path: Path
) -> None:
    cable = Cable(amqp_url)
    await cable.mend()
    processes: list[Process] = []

    async def connected() -> Process:
        processes.append(await Process.start(cable.url, namespace, tmp_path))
        assert await processes[-1].says() == "connected"
        return processes[-1]

    try:
        process = await connected()
        process.go_on()
        assert await process.says() == "delivered"
        await cable.cut()
        process.go_on()
        ended = [await process.says() for _ in range(100)]
        await process.kill()

        await cable.mend()
        process = await connected()
        await cable.cut()
        process.go_on()
        await process.kill()
        assert desk.reports == []
        assert desk.output == []

        await cable.mend()
        process = await connected()
        process.go_on()
        assert await process.says() == "delivered"
        await until(lambda: set(ended) <= {report.job_id for report in desk.reports})
        await until(lambda: all(desk.sealed(report.job_id) for report in desk.reports))
    finally:
        for each in processes:
            await each.kill()
        await cable.cut()
    reports = [report for report in desk.reports if isinstance(report, JobFinished)]
    delivered = [report.job_id for report in reports]
    assert set(ended) <= set(delivered)
    assert len(delivered) == len(set(delivered))
    for report in reports:
        assert desk.whole(report, "stdout") == output_of(report.job_id)


if __name__ == "__main__":
    asyncio.run(end_jobs(*sys.argv[1:]))
