"""A gateway to try: the real services on the in-process bus and a database of the test's own, without an agent.

The test plays the agents: it reports to the orchestrator's inbox what an agent would.
"""

import asyncio
import json
import os
import socket
import sys
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import asyncpg
import httpx
import msgspec
import runyard_approvals.app
import runyard_approvals.settings
import runyard_dispatcher.app
import runyard_dispatcher.settings
import runyard_gateway.app
import runyard_gateway.settings
import runyard_orchestrator.app
import runyard_orchestrator.settings
import runyard_projections.app
import runyard_projections.settings
from pydantic import SecretStr
from runyard_shared.clock import Clock, SystemClock
from runyard_shared.contracts import reports
from runyard_shared.contracts.jobs import AgentOrder, RegisterAgent
from runyard_shared.contracts.values import ErrorInfo, JobStatus, StreamSeal
from runyard_shared.ids import new_id
from runyard_shared.messaging.bus import Bus
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.topology import orchestrator_inbox
from runyard_shared.sealing import OpeningKey

TOKEN = "a-token-for-tests-that-nobody-could-guess"
MASTER_KEY = "a-master-key-for-tests-and-long-enough-to-be-one"
NO_TLS = False
"""A client of a gateway on this machine need not read the certificates of the world, which takes as long as a small test."""
Json = dict[str, Any]

CHAIN: Json = {
    "name": "Two steps",
    "inputs": {"type": "object", "properties": {"host": {"type": "string"}}},
    "triggers": [{"type": "manual"}],
    "nodes": [
        {"id": "first", "type": "action", "name": "First step", "action": "script.bash", "params": {"script": "true"}},
        {"id": "second", "type": "action", "action": "script.bash", "params": {"script": "true"}},
    ],
    "edges": [{"from": "trigger", "to": "first"}, {"from": "first", "to": "second"}],
}


class LinkedAgent:
    """An agent whose network lets only HTTPS out, as far as the gateway sees it. `process` tells its processes apart."""

    def __init__(self, gateway: runyard_gateway.app.Service, made: Json) -> None:
        self.agent_id: str = made["agentId"]
        self.name: str = made["name"]
        self.key: str = made["key"]
        self.process = new_id()
        self.session_id = new_id()
        self.opening_key = OpeningKey.generate()
        self._clients: list[httpx.AsyncClient] = []
        self.at(gateway)

    def at(self, gateway: runyard_gateway.app.Service) -> None:
        """The gateway it talks to from now on."""
        headers = {"Authorization": f"Bearer {self.key}"}
        self.http = httpx.AsyncClient(base_url=gateway.address, headers=headers, timeout=20, trust_env=False, verify=NO_TLS)
        self._clients.append(self.http)

    async def enrol(self, transport: str = "https") -> httpx.Response:
        body = {"publicKey": b64encode(self.opening_key.public).decode(), "version": "1", "transport": transport}
        return await self.http.post("/api/v1/agent/enrol", json=body)

    async def say(self, *messages: Any) -> httpx.Response:
        return await self.http.post("/api/v1/agent/messages", content=msgspec.json.encode(messages))

    async def register(self, **fields: Any) -> None:
        """Enrols and registers; it is online after this."""
        assert (await self.enrol()).status_code == 200
        values = {"tags": [], "capacity": 4, "version": "1", "actions": ["script.bash"], **fields}
        said = await self.say(RegisterAgent(tenant_id="default", name=self.name, session_id=self.session_id, **values))
        assert said.status_code == 204, said.text

    async def orders(self) -> "Orders":
        """Its stream, open."""
        request = self.http.build_request("GET", "/api/v1/agent/orders", params={"instance": self.process})
        return Orders(await self.http.send(request, stream=True))

    async def close(self) -> None:
        """With every stream it has open."""
        for client in self._clients:
            await client.aclose()


class Orders:
    """A stream of orders, or the refusal of one."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()
        self._waiting: list[AgentOrder] = []

    async def next(self, seconds: float = 30) -> AgentOrder:
        """The next one; there must be one soon."""
        async with asyncio.timeout(seconds):
            while not self._waiting:
                line = await anext(self._lines)
                if line.startswith("data: "):
                    self._waiting += msgspec.json.decode(line.removeprefix("data: "), type=list[AgentOrder])
        return self._waiting.pop(0)

    async def ended(self) -> None:
        """Returns when the gateway has ended it, in good order or not; it must do so soon."""
        async with asyncio.timeout(30):
            with suppress(httpx.HTTPError):
                async for _ in self._lines:
                    pass

    async def problem(self) -> Json:
        await self.answer.aread()
        return dict(self.answer.json())

    async def close(self) -> None:
        await self.answer.aclose()


class House:
    """All services, and a client of the gateway."""

    def __init__(self, bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", gateway: runyard_gateway.app.Service) -> None:
        self.bus = bus
        self.pool = pool
        self.gateway = gateway
        self._agents: list[LinkedAgent] = []
        self.http = httpx.AsyncClient(
            base_url=gateway.address,
            headers={"Authorization": f"Bearer {TOKEN}"},
            # a thousand requests at once wait their turn for a connection, however long that takes
            timeout=httpx.Timeout(20, pool=None),
            trust_env=False,
            verify=NO_TLS,
        )

    async def call(self, method: str, path: str, *, status: int = 200, **options: Any) -> Any:
        """The JSON of an answer that must have this status."""
        answer = await self.http.request(method, f"/api/v1{path}", **options)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json()

    async def agent(self, name: str = "remote", **fields: Any) -> LinkedAgent:
        """A new one, that has not come yet; closed with the house."""
        made = LinkedAgent(self.gateway, await self.call("POST", "/agents", status=201, json={"name": name, **fields}))
        self._agents.append(made)
        return made

    async def close(self) -> None:
        for agent in self._agents:
            await agent.close()
        await self.http.aclose()

    async def publish(self, document: Json = CHAIN) -> str:
        """A workflow that can run and that every list knows; returns its id."""
        workflow_id = str((await self.call("POST", "/workflows", status=201, json=document))["workflowId"])
        await self.call("POST", f"/workflows/{workflow_id}/publish")
        made = await self.call("POST", f"/workflows/{workflow_id}/activate")
        await self.call("GET", "/workflows", params={"minPosition": made["position"], "limit": 1})
        return workflow_id

    async def run(self, workflow_id: str, **variables: Any) -> str:
        """Starts an execution, and waits until the read model has it."""
        started = await self.call("POST", f"/workflows/{workflow_id}/run", status=202, json={"variables": variables})
        execution_id = str(started["executionId"])
        await self.call("GET", f"/executions/{execution_id}", params={"minPosition": started["position"]})
        return execution_id

    async def detail_when(self, execution_id: str, wanted: Callable[[Json], Any]) -> Json:
        """The detail of the execution as soon as there is one, and it is as wanted."""
        detail: Json = {}
        try:
            async with asyncio.timeout(30):
                while True:
                    answer = await self.http.get(f"/api/v1/executions/{execution_id}")
                    assert answer.status_code in (200, 404), answer.text
                    detail = answer.json()
                    if answer.status_code == 200 and wanted(detail):
                        return detail
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"the execution stayed as {detail}") from None

    async def detail_with_job(self, execution_id: str, job_id: str) -> Json:
        """The detail once it lists this job: an agent may have it before."""
        return await self.detail_when(execution_id, lambda detail: any(job["jobId"] == job_id for job in detail["jobs"]))

    async def until(self, execution_id: str, status: str) -> Json:
        """The detail once the execution has this status."""
        return await self.detail_when(execution_id, lambda detail: detail["status"] == status)

    async def audited(self, count: int, **query: Any) -> list[Json]:
        """The entries of the audit log, as soon as there are so many: what a command leaves is safe with its answer, and can be
        read a moment later."""
        found: list[Json] = []
        try:
            async with asyncio.timeout(30):
                while len(found) != count:
                    found = (await self.call("GET", "/audit", params=query))["items"]
        except TimeoutError:
            raise AssertionError(f"there are {found}") from None
        return found

    async def waiting_job(self, execution_id: str) -> Json:
        """The job that waits for an agent; there must be one soon."""
        detail = await self.detail_when(execution_id, lambda each: _jobs(each, "pending"))
        return _jobs(detail, "pending")[0]

    async def report(self, kind: Any, execution_id: str, job_id: str, **fields: Any) -> None:
        report = kind(tenant_id="default", execution_id=execution_id, job_id=job_id, dispatch=1, **fields)
        await self.bus.send(orchestrator_inbox(execution_id), [report])

    async def start_job(self, execution_id: str) -> str:
        """The job that waits is sent to an agent, which starts it."""
        job_id = str((await self.waiting_job(execution_id))["jobId"])
        await self.report(reports.JobDispatched, execution_id, job_id, agent="a1")
        await self.report(reports.JobStarted, execution_id, job_id, agent="a1")
        await self.detail_when(execution_id, lambda detail: not _jobs(detail, "pending"))
        return job_id

    async def finish_job(
        self, execution_id: str, job_id: str, *, exit_code: int = 0, seals: tuple[StreamSeal, ...] = ()
    ) -> None:
        error = ErrorInfo(reason="exit_code", message=f"exit code {exit_code}", exit_code=exit_code) if exit_code else None
        await self.report(
            reports.JobFinished,
            execution_id,
            job_id,
            agent="a1",
            status=JobStatus.FAILED if exit_code else JobStatus.COMPLETED,
            duration_ms=12,
            output={"stdout": "done\n", "exitCode": exit_code},
            error=error,
            seals=list(seals),
        )

    async def complete(self, execution_id: str, jobs: int = 2) -> None:
        """Does all jobs of a chain well."""
        for _ in range(jobs):
            await self.finish_job(execution_id, await self.start_job(execution_id))
        await self.until(execution_id, "completed")


def _jobs(detail: Json, status: str) -> list[Json]:
    return [job for job in detail["jobs"] if job["status"] == status]


@asynccontextmanager
async def house(
    pool: "asyncpg.Pool[asyncpg.Record]",
    *,
    bus: Bus | None = None,
    clock: Clock | None = None,
    master_keys: str = MASTER_KEY,
    approvals_secret: str | None = None,
    absent: Collection[str] = (),
    **settings: Any,
) -> AsyncIterator[House]:
    """`settings` are the gateway's. `bus`: a new one within the process, unless given. `absent`: packages of services that do
    not run."""
    bus, clock = bus or MemoryBus(), clock or SystemClock()
    async with AsyncExitStack() as parts:
        await bus.open()
        parts.push_async_callback(bus.close)
        for service in (
            await runyard_projections.app.create(runyard_projections.settings.Settings(), bus=bus, pool=pool, clock=clock),
            await runyard_dispatcher.app.create(
                runyard_dispatcher.settings.Settings(
                    # agents are played by tests, which have no heartbeat
                    master_keys=SecretStr(master_keys),
                    offline_after_seconds=3600,
                ),
                bus=bus,
                pool=pool,
                clock=clock,
            ),
            await runyard_approvals.app.create(
                runyard_approvals.settings.Settings(
                    allow_private_notifications=True, approvals_secret=SecretStr(approvals_secret) if approvals_secret else None
                ),
                bus=bus,
                pool=pool,
                clock=clock,
            ),
            await runyard_orchestrator.app.create(runyard_orchestrator.settings.Settings(), bus=bus, pool=pool, clock=clock),
        ):
            if type(service).__module__.partition(".")[0] not in absent:
                await service.start()
                parts.push_async_callback(service.stop)
        chosen = runyard_gateway.settings.Settings(port=0, admin_token=SecretStr(TOKEN), **settings)
        gateway = await runyard_gateway.app.create(chosen, bus=bus, pool=pool, clock=clock)
        parts.push_async_callback(gateway.stop)
        await gateway.start()
        made = House(bus, pool, gateway)
        parts.push_async_callback(made.close)
        yield made


@asynccontextmanager
async def gateway_alone(bus: Bus, pool: "asyncpg.Pool[asyncpg.Record]", **settings: Any) -> AsyncIterator[House]:
    """A gateway without any other service: nobody answers, unless the test does."""
    chosen = runyard_gateway.settings.Settings(port=0, admin_token=SecretStr(TOKEN), **settings)
    gateway = await runyard_gateway.app.create(chosen, bus=bus, pool=pool, clock=SystemClock())
    await gateway.start()
    made = House(bus, pool, gateway)
    try:
        yield made
    finally:
        await made.close()
        await gateway.stop()
        await bus.close()


class GatewayProcess:
    """A gateway as a process, at the same address after each of its ends. `environment`: where its servers are."""

    def __init__(self, environment: dict[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        self._environment = environment | {"RUNYARD_PORT": str(port), "RUNYARD_ADMIN_TOKEN": TOKEN}
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - `close` does
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "runyard_gateway"), env=os.environ | self._environment, stderr=self._log
        )

    def terminate(self) -> None:
        """SIGTERM; `ended` waits for what comes of it."""
        assert self._process is not None
        self._process.terminate()

    async def ended(self) -> tuple[int | None, str]:
        """Its exit code and its log."""
        assert self._process is not None
        await self._process.wait()
        self._log.seek(0)
        return self._process.returncode, self._log.read().decode()

    async def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def close(self) -> None:
        await self.kill()
        self._log.close()


class Frame:
    """One Server-Sent Event, or a comment."""

    def __init__(self, text: str) -> None:
        fields = dict(line.split(": ", 1) for line in text.split("\n") if not line.startswith(":"))
        self.comment = "event" not in fields
        self.event = fields.get("event", "")
        self.position = int(fields["id"]) if "id" in fields else None
        self.data = json.loads(fields.get("data", "null"))


async def frames(answer: httpx.Response) -> AsyncIterator[Frame]:
    """What a stream sends, as it comes."""
    rest = ""
    async for text in answer.aiter_text():
        rest += text
        while "\n\n" in rest:
            whole, rest = rest.split("\n\n", 1)
            yield Frame(whole)
