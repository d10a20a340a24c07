"""A site for agents that are processes of their own: a real dispatcher and a real gateway on a bus. The test plays the
orchestrator: it places jobs, and hears what becomes of them."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import runyard_dispatcher.app
import runyard_dispatcher.settings
import runyard_gateway.app
import runyard_gateway.settings
from pydantic import SecretStr
from runyard_shared.clock import SystemClock
from runyard_shared.contracts.jobs import OutputMessage, PlaceJob, ReleaseJob, RequeueJob
from runyard_shared.contracts.reports import JobFinished, JobLost, JobStarted, Report
from runyard_shared.ids import new_id
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.topology import (
    DISPATCHER_INBOX,
    JOB_OUTPUT,
    ORCHESTRATOR_PARTITIONS,
    orchestrator_inbox_partition,
)

from tests.agents import TENANT, until
from tests.buses import Cable

TOKEN = "a-token-for-tests"
Json = dict[str, Any]


class Site:
    """`cable` leads from agents to the gateway."""

    def __init__(self, bus: Bus, http: httpx.AsyncClient, cable: Cable, directory: Path) -> None:
        self.bus = bus
        self.http = http
        self.cable = cable
        self.directory = directory
        self.reports: list[Report] = []
        self.output: list[OutputMessage] = []
        self.processes: list[Process] = []
        self._positions = count(1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{urlsplit(self.cable.url).port}"

    async def open(self) -> None:
        for partition in range(ORCHESTRATOR_PARTITIONS):
            await self.bus.consume(orchestrator_inbox_partition(partition), Report, self._hear)
        await self.bus.consume(JOB_OUTPUT, OutputMessage, self._keep)

    async def _hear(self, items: Sequence[Report]) -> None:
        self.reports += items
        for item in items:
            if isinstance(item, JobLost) and not self.started_under(item):
                await self.order(RequeueJob(position=next(self._positions), job_id=item.job_id, dispatch=item.dispatch))
            elif isinstance(item, JobFinished | JobLost):
                await self.order(ReleaseJob(position=next(self._positions), job_id=item.job_id))

    async def _keep(self, items: Sequence[OutputMessage]) -> None:
        self.output += items

    # --- people

    async def call(self, method: str, path: str, *, status: int = 200, **options: Any) -> Json:
        answer = await self.http.request(method, f"/api/v1{path}", **options)
        assert answer.status_code == status, (answer.status_code, answer.text)
        found: Json = answer.json()
        return found

    async def make(self, name: str = "agent-1") -> Json:
        """`{agentId, key, …}` of a new agent."""
        return await self.call("POST", "/agents", status=201, json={"name": name})

    async def until_status(self, agent: Json, status: str) -> None:
        async with asyncio.timeout(30):
            while (await self.call("GET", f"/agents/{agent['agentId']}"))["status"] != status:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    # --- the orchestrator

    async def order(self, *orders: Any) -> None:
        if orders:
            await self.bus.send(DISPATCHER_INBOX, orders)

    async def place(self, script: str, **more: Any) -> PlaceJob:
        job = PlaceJob(
            position=next(self._positions),
            tenant_id=TENANT,
            execution_id=new_id(),
            job_id=new_id(),
            node_id="node",
            attempt=1,
            action="script.bash",
            params={"script": script},
            pool="default",
            **more,
        )
        await self.order(job)
        return job

    async def run(self, script: str, **more: Any) -> JobFinished:
        return await self.end_of(await self.place(script, **more))

    async def end_of(self, job: PlaceJob) -> JobFinished:
        await until(lambda: bool(self.told(JobFinished, job)), within_seconds=30)
        finished: JobFinished = self.told(JobFinished, job)[0]
        return finished

    async def started(self, job: PlaceJob) -> None:
        await until(lambda: bool(self.told(JobStarted, job)), within_seconds=30)

    def started_under(self, lost: JobLost) -> bool:
        """Whether the job had started under the lease that was lost."""
        return any(
            (report.job_id, report.dispatch) == (lost.job_id, lost.dispatch)
            for report in self.reports
            if isinstance(report, JobStarted)
        )

    def told(self, kind: Any, job: PlaceJob) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind) and report.job_id == job.job_id]

    # --- agents

    async def start(self, key: str, *, state: str = "state", **environment: str) -> "Process":
        """A process of an agent, with its state in a directory of that name."""
        log = self.directory / f"log {len(self.processes)}"
        given = {
            "RUNYARD_URL": self.url,
            "RUNYARD_AGENT_KEY": key,
            "RUNYARD_AGENT_STATE_DIR": str(self.directory / state),
            "RUNYARD_AGENT_TAGS": "linux, test",
            "RUNYARD_KILL_GRACE_SECONDS": "0.5",
            "RUNYARD_LOG_FORMAT": "json",
        }
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RUNYARD_")}
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "runyard_agent", env=inherited | given | environment, stdout=out, stderr=out
            )
        self.processes.append(Process(process, log))
        return self.processes[-1]


class Process:
    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def says(self, words: str) -> None:
        await until(lambda: words in self.log, within_seconds=30)

    async def ends(self) -> int:
        """Its exit code."""
        return await asyncio.wait_for(self._process.wait(), 30)

    async def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return await self.ends()

    async def kill(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()


@asynccontextmanager
async def site(bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", directory: Path, **settings: Any) -> AsyncIterator[Site]:
    """`settings` are the dispatcher's."""
    given: Json = {"heartbeat_seconds": 0.2, "rescue_every_seconds": 0.1, "resend_after_seconds": 0.5}
    async with AsyncExitStack() as parts:
        dispatcher = await runyard_dispatcher.app.create(
            runyard_dispatcher.settings.Settings(**(given | settings)), bus=bus, pool=pool, clock=SystemClock()
        )
        await dispatcher.start()
        parts.push_async_callback(dispatcher.stop)
        gateway = await runyard_gateway.app.create(
            runyard_gateway.settings.Settings(port=0, admin_token=SecretStr(TOKEN)), bus=bus, pool=pool, clock=SystemClock()
        )
        await gateway.start()
        parts.push_async_callback(gateway.stop)
        cable = Cable(gateway.address)
        await cable.mend()
        parts.push_async_callback(cable.cut)
        headers = {"Authorization": f"Bearer {TOKEN}"}
        http = httpx.AsyncClient(base_url=gateway.address, headers=headers, timeout=20, trust_env=False, verify=False)
        parts.push_async_callback(http.aclose)
        made = Site(bus, http, cable, directory)
        await made.open()
        try:
            yield made
        finally:
            for process in made.processes:
                await process.kill()
