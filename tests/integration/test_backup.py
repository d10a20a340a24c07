"""A backup is one `pg_dump`, or a copy of the cluster with the write-ahead log since. Restored beside an empty broker, the
system goes on from the moment of the dump, or from the instant that was asked for: what the lost broker held is sent again, the
read models are what the log says, and everything that was under way ends."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import asyncpg
import pytest
from runyard_shared.contracts.jobs import AgentHeartbeat, RunJob
from runyard_shared.contracts.reports import JobFinished, JobStarted
from runyard_shared.contracts.values import JobStatus
from runyard_shared.ids import new_id
from runyard_shared.messaging.amqp.declare import delete_topology
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_shared.messaging.topology import TOPOLOGY
from runyard_standalone.migrate import migrate_all
from runyard_standalone.postgres import EmbeddedPostgres
from runyard_standalone.postgres_binaries import binaries_for
from runyard_standalone.rewind import rewind as put_back

from tests.gateway import CHAIN, House, Json, LinkedAgent, Orders, house

ASKS: Json = {
    "name": "Asks",
    "nodes": [
        {"id": "ask", "type": "approval", "message": "Go on?"},
        {"id": "after", "type": "action", "action": "script.bash", "params": {"script": "true"}},
    ],
    "edges": [{"from": "trigger", "to": "ask"}, {"from": "ask", "port": "approved", "to": "after"}],
}
SCHEMAS = ("orchestrator", "dispatcher", "approvals", "projections", "projections_archived", "gateway", "read")


@asynccontextmanager
async def system(url: str, amqp_url: str, namespace: str, *absent: str) -> AsyncIterator[House]:
    bus = RabbitBus(amqp_url, namespace=namespace)
    async with asyncpg.create_pool(url, min_size=1, max_size=20) as pool, house(pool, bus=bus, absent=absent) as home:
        yield home


def postgres(name: str, url: str, *arguments: str | Path) -> str:
    done = subprocess.run([binaries_for(None) / name, "-d", url, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


class Backup(Protocol):
    """Of the database at `url`, which is another one once it is restored."""

    @property
    def url(self) -> str: ...

    def begin(self) -> None:
        """What has to be there beforehand."""

    def note(self) -> None:
        """This is the moment to come back to."""

    def restore(self) -> None: ...


class Dump:
    """`pg_dump`, restored into an empty database."""

    def __init__(self, url: str, directory: Path) -> None:
        self.url = url
        self._file = directory / "runyard.dump"

    def begin(self) -> None:
        """Nothing."""

    def note(self) -> None:
        postgres("pg_dump", self.url, "-Fc", "-f", self._file)

    def restore(self) -> None:
        postgres("psql", self.url, "-c", "; ".join(f"drop schema {schema} cascade" for schema in SCHEMAS))
        postgres("pg_restore", self.url, "--exit-on-error", "--no-owner", self._file)


class Instant:
    """A copy of the cluster, made while it works, and the write-ahead log since, which is replayed up to an instant."""

    SETTINGS = {"shared_buffers": "32MB", "fsync": "off", "archive_mode": "on", "archive_command": "cp %p ../../wal/%f"}

    def __init__(self, directory: Path) -> None:
        # the server's account cannot walk the path to here, so it is given ways from its own directory
        self._directory = directory / "servers"
        self._directory.mkdir(mode=0o755)
        self._server = EmbeddedPostgres(self._directory / "before", settings=self.SETTINGS)
        self._server.start()
        self._copy = self._directory / "after" / "cluster"
        self._copy.parent.mkdir(mode=0o755)
        self._wal = self._directory / "wal"
        self._wal.mkdir()
        self._give_to_the_server(self._wal)
        self._instant = ""

    @property
    def url(self) -> str:
        return self._server.dsn

    def begin(self) -> None:
        postgres("pg_basebackup", self.url, "-D", self._copy, "--checkpoint=fast")

    def note(self) -> None:
        self._instant = postgres("psql", self.url, "-Atc", "select clock_timestamp()")

    def restore(self) -> None:
        last = postgres("psql", self.url, "-Atc", "select pg_walfile_name(pg_switch_wal())")
        deadline = time.monotonic() + 30
        while not (self._wal / last).exists():
            assert time.monotonic() < deadline, f"{last} was not archived"
            time.sleep(0.02)
        self._server.kill()  # the machine is gone
        (self._copy / "recovery.signal").touch()
        self._give_to_the_server(self._copy)
        shutil.copy(self._directory / "before" / "password", self._copy.parent)
        recovery = {"recovery_target_time": self._instant, "recovery_target_action": "promote"}
        # nobody reads before it is at the instant
        recovery |= {"restore_command": "cp ../../wal/%f %p", "hot_standby": "off"}
        self._server = EmbeddedPostgres(self._copy.parent, settings=self.SETTINGS | recovery)
        self._server.start()

    def end(self) -> None:
        self._server.kill()

    def _give_to_the_server(self, directory: Path) -> None:
        owner = (self._directory / "before" / "cluster").stat()
        for path in (directory, *directory.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid, follow_symlinks=False)


@pytest.fixture(params=["postgres_url", ""], ids=["dump", "instant"])
def backup(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backup]:
    if request.param:
        yield Dump(request.getfixturevalue(request.param), tmp_path)
    else:
        instant = Instant(tmp_path)
        yield instant
        instant.end()


async def rewind(url: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "runyard_standalone.rewind"]
    process = await asyncio.create_subprocess_exec(
        *command, env={"RUNYARD_DATABASE_URL": url}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


class Worker:
    """The agent at work: orders come for several executions, in any order, and some come again."""

    def __init__(self, agent: LinkedAgent, orders: Orders) -> None:
        self._agent = agent
        self._orders = orders
        self._waiting: dict[str, RunJob] = {}
        self._begun: set[str] = set()
        self._held: dict[str, int] = {}

    async def begin(self, execution_id: str) -> RunJob:
        """The next job of this execution, started."""
        while (found := next((job for job in self._waiting.values() if job.execution_id == execution_id), None)) is None:
            order = await self._orders.next(30)
            if isinstance(order, RunJob) and order.job_id not in self._begun:
                self._waiting[order.job_id] = order
        del self._waiting[found.job_id]
        self.knows(found)
        started = JobStarted(
            tenant_id="default", execution_id=execution_id, job_id=found.job_id, dispatch=found.dispatch, agent=self._agent.name
        )
        assert (await self._agent.say(started)).status_code == 204
        return found

    def knows(self, order: RunJob) -> None:
        self._begun.add(order.job_id)
        self._held[order.job_id] = order.dispatch

    async def live(self) -> None:
        """Heartbeats, until it is cancelled: what an agent does not list is sent to it again."""
        while True:
            leases = [*self._held.items(), *((job.job_id, job.dispatch) for job in self._waiting.values())]
            alive = AgentHeartbeat(tenant_id="default", name=self._agent.name, session_id=self._agent.session_id, leases=leases)
            assert (await self._agent.say(alive)).status_code == 204
            await asyncio.sleep(1)

    async def end(self, order: RunJob) -> None:
        finished = JobFinished(
            tenant_id="default", execution_id=order.execution_id, job_id=order.job_id, dispatch=order.dispatch,
            agent=self._agent.name, status=JobStatus.COMPLETED, duration_ms=1, output={}, seals=[],
        )  # fmt: skip
        assert (await self._agent.say(finished)).status_code == 204
        self._held.pop(order.job_id, None)

    async def do(self, execution_id: str, jobs: int = 1) -> None:
        for _ in range(jobs):
            await self.end(await self.begin(execution_id))


async def done_with(home: House, what: str) -> list[Json]:
    """A rebuild or checksum of all read models."""
    await home.call("POST", f"/projections/{what}", status=202)
    async with asyncio.timeout(60):
        while True:
            rows = [row[what] or {} for row in (await home.call("GET", "/projections"))["items"]]
            if all(row.get("finishedAt") for row in rows):
                return rows
            await asyncio.sleep(0.05)


async def test_a_restored_system_with_an_empty_broker_goes_on_from_the_moment_of_the_backup(
    backup: Backup, amqp_url: str, namespace: str
) -> None:
    await migrate_all(backup.url)
    backup.begin()
    try:
        async with system(backup.url, amqp_url, namespace) as home:
            chain, asks = await home.publish(CHAIN), await home.publish(ASKS)
            agent = await home.agent()
            await agent.register()
            orders = await agent.orders()
            worker = Worker(agent, orders)
            ended = await home.run(chain)
            await worker.do(ended, jobs=2)
            await home.until(ended, "completed")
            paused, running = await home.run(asks), await home.run(chain)
            approval_id = (await home.detail_when(paused, lambda each: each["approvals"]))["approvals"][0]["approvalId"]
            under_way = await worker.begin(running)
            await home.detail_when(running, lambda each: each["jobs"][0]["status"] == "running")
            before = await home.call("GET", f"/executions/{ended}")
            await orders.close()
            code, said = await rewind(backup.url)
            assert (code, "stop them first" in said) == (1, True)
        async with system(backup.url, amqp_url, namespace, "runyard_dispatcher") as home:
            in_flight = await home.run(chain)  # its order waits in the broker
        backup.note()
        async with system(backup.url, amqp_url, namespace, "runyard_dispatcher") as home:
            unknown = await home.run(chain)  # after the backup: lost with it

        await delete_topology(amqp_url, namespace, TOPOLOGY)
        backup.restore()
        code, said = await rewind(backup.url)
        assert code == 0, said
        assert "orchestrator: the relays go on after position" in said

        async with system(backup.url, amqp_url, namespace) as home:
            assert [row["failure"] for row in await done_with(home, "rebuild")] == [None] * 4
            assert [row["differences"] for row in await done_with(home, "checksum")] == [[]] * 4
            assert await home.call("GET", f"/executions/{ended}") | {"asOf": 0} == before | {"asOf": 0}
            assert (await home.http.get(f"/api/v1/executions/{unknown}")).status_code == 404
            agent.at(home.gateway)
            assert (await agent.enrol()).status_code == 200
            orders = await agent.orders()
            await agent.register(leases=[(under_way.job_id, under_way.dispatch)])  # it was at work all the while
            worker = Worker(agent, orders)
            worker.knows(under_way)
            living = asyncio.create_task(worker.live())
            await worker.end(under_way)
            await worker.do(running)
            await home.until(running, "completed")
            await worker.do(in_flight, jobs=2)
            await home.until(in_flight, "completed")
            await home.call("POST", f"/approvals/{approval_id}/approve", json={})
            await worker.do(paused)
            await home.until(paused, "completed")
            await worker.end(under_way)  # said again, long after
            stranger = JobFinished(
                tenant_id="default", execution_id=unknown, job_id=new_id(), dispatch=1, agent=agent.name,
                status=JobStatus.COMPLETED, duration_ms=1, output={}, seals=[],
            )  # fmt: skip
            assert (await agent.say(stranger)).status_code == 204  # of an execution that the backup does not know
            last = await home.run(chain)
            await worker.do(last)
            assert (await home.call("GET", "/parked-messages"))["items"] == []
            assert [row["differences"] for row in await done_with(home, "checksum")] == [[]] * 4
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
            await orders.close()
            await agent.close()
    finally:
        await delete_topology(amqp_url, namespace, TOPOLOGY)


@pytest.mark.parametrize("hours", [0, 24])
async def test_a_rewind_stays_below_what_the_dispatcher_has_handled_and_goes_by_time(
    pool: asyncpg.Pool, postgres_url: str, hours: float
) -> None:
    for number in range(1, 101):
        await pool.execute(
            "insert into orchestrator.event (position, stream_id, version, tenant_id, topic, recorded_at, data)"
            " values ($1, $2::uuid, 1, 't', 'x', now() - make_interval(hours => $3), '{}')",
            number, new_id(), 100 - number,
        )  # fmt: skip
    await pool.execute("insert into orchestrator.relay_checkpoint values ('relay', 100), ('public', 98)")
    await pool.execute("update dispatcher.inbox set position = 90")
    done = await put_back(postgres_url, hours)
    assert done["orchestrator"] == (100, 90 if hours == 0 else 76)
    rows = await pool.fetch("select relay, position from orchestrator.relay_checkpoint order by 1")
    assert [tuple(row) for row in rows] == [("public", done["orchestrator"][1]), ("relay", done["orchestrator"][1])]
