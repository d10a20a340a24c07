"""Two processes of each service and four agents: whichever does the work is killed, the other one goes on with it within a
moment, nothing is lost, nothing is done by both, and readers of events notice nothing but a new connection. And
those that an upgrade ends all together are replaced, while somebody starts executions."""

import asyncio
import contextlib
import itertools
import json
import secrets
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import httpx
import pytest

from tests.acceptance.public_consumer import PublicConsumer
from tests.acceptance.systems import Client, Distributed, distributed_system, eventually
from tests.acceptance.test_first_promises import bash, chain
from tests.acceptance.test_kill_nine import (
    check_the_journal,
    check_what_others_were_told,
    events_after,
    mixed_workflow,
    read_models,
    wait_for_all,
)
from tests.stream_readers import Seen, StreamReader

QUICK_AND_LOGGED = {"RUNYARD_LOG_FORMAT": "json", "RUNYARD_OFFLINE_AFTER_SECONDS": "6", "RUNYARD_HEARTBEAT_SECONDS": "1"}
EACH_ROUND = 6
TAKEOVER_SECONDS = 10.0
"""At most, on a machine with far too much to do; what is measured is printed."""

pytestmark = pytest.mark.xdist_group("two of each")


@pytest.fixture(scope="module")
def system() -> Iterator[Distributed]:
    with distributed_system(environment=QUICK_AND_LOGGED, replicas=2, agents=4) as system:
        yield system
        system.deployment.kill_everything()  # nothing of it is needed any more


@dataclass
class Door(Distributed):
    """The same system by one of its gateways."""

    gateway: str = "gateway"

    @property
    def url(self) -> str:
        return self.deployment.url_of(self.gateway)


class Locks:
    """Who does what, as the database knows it."""

    def __init__(self, system: Distributed) -> None:
        self._system = system

    def holders(self, service: str) -> dict[int, str]:
        """The process that has each share of a service, by the share's number."""
        by_pid = {pid: name for name, pid in self._system.deployment.running.items()}
        rows = asyncio.run(self._fetch(_HOLDERS, f"{service}@%"))
        found = {number: by_pid.get(int(name.rpartition(":")[2]), "") for number, name in rows}
        return {number: name for number, name in found.items() if name}

    def first(self, service: str) -> str:
        """Who has the first share: the relay, the read models, or the lead."""
        return self.holders(service)[min(self.holders(service))]

    def value(self, sql: str) -> Any:
        ((value,),) = asyncio.run(self._fetch(sql))
        return value

    async def _fetch(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._system.deployment.database_url)
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()


_HOLDERS = """
    select case objsubid when 1 then 1 else objid::bigint end, application_name from pg_locks join pg_stat_activity using (pid)
    where locktype = 'advisory' and granted and application_name like $1 and (objsubid = 1 or objid::bigint > 0)
"""


class Readers:
    """Programs that follow the tenant's events, each first by one of the gateways, then by any that answers."""

    def __init__(self, system: Distributed, after: int) -> None:
        gateways = system.deployment.replicas("gateway")
        self.positions: list[list[int]] = [[] for _ in gateways]
        self.readers = []
        for number, first in enumerate(gateways):
            turns = itertools.chain([first], itertools.cycle(gateways))
            self.readers.append(
                StreamReader(
                    lambda turns=turns: system.deployment.url_of(next(turns)),  # type: ignore[misc]
                    f"/events?log=orchestrator&after={after}",
                    lambda seen, number=number: self._keep(number, seen),  # type: ignore[misc]
                    token=system.token,
                    after=after,
                )
            )

    def _keep(self, number: int, seen: Seen) -> None:
        if seen.position is not None:
            self.positions[number].append(seen.position)

    @contextmanager
    def reading(self) -> Iterator[None]:
        ending = asyncio.Event()
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=(self._read(ending),))
        thread.start()
        try:
            yield
        finally:
            loop.call_soon_threadsafe(ending.set)
            thread.join()
            loop.close()

    async def _read(self, ending: asyncio.Event) -> None:
        tasks = [asyncio.create_task(reader.read()) for reader in self.readers]
        await ending.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Load:
    """Starts a bit of everything, by both gateways in turn, and knows how each must end."""

    def __init__(self, doors: list[Client], journal: str) -> None:
        self.doors = itertools.cycle(doors)
        first = doors[0]
        self.completed: list[str] = []
        self.journaled: list[str] = []
        self.cancelled: list[str] = []
        each = {"nodes": [bash("one", "true", maxRetries=5)], "edges": [{"from": "item", "to": "one"}]}
        loop = {"id": "all", "type": "forEach", "items": "inputs.numbers", "concurrency": 3, "body": each}
        gate = {"id": "ask", "type": "approval", "message": "Shall it go on?"}
        gated = chain(gate, bash("after", "true", maxRetries=5))
        gated["edges"][1]["port"] = "approved"
        every_minute = {"type": "schedule", "cron": "* * * * *", "timezone": "UTC"}
        self.mixed = first.publish(mixed_workflow(first, journal))
        self.loop = first.publish(chain(loop))
        self.gate = first.publish(gated)
        self.long = first.publish(chain({"id": "nap", "type": "delay", "seconds": 600}))
        self.short = first.publish(chain(bash("one", "true", maxRetries=5)))
        self.scheduled = first.publish(chain(bash("one", "true", maxRetries=5), triggers=[every_minute]))

    def start(self) -> None:
        for _ in range(EACH_ROUND):
            self.journaled.append(next(self.doors).run(self.mixed))
        self.completed.append(next(self.doors).run(self.loop, {"numbers": [1, 2, 3, 4]}))
        self.completed += [next(self.doors).run(self.gate) for _ in range(2)]
        self.cancelled.append(next(self.doors).run(self.long))

    def answer(self, door: Client) -> None:
        """People answer what waits for them, and cancel what takes too long."""
        for row in door.call("GET", "/approvals?status=pending&limit=200")["items"]:
            answer = door.send("POST", f"/approvals/{row['approvalId']}/approve", json={})
            assert answer.status_code in (200, 409), answer.text
        for execution_id in self.cancelled:
            answer = door.send("POST", f"/executions/{execution_id}/cancel", json={"reason": "enough"})
            assert answer.status_code in (202, 409), answer.text


def probed(load: Load, door: Client) -> float:
    """How long a short execution takes from its start to its end, as the door shows it."""
    began = time.monotonic()
    door.finished(door.run(load.short), "completed")
    return time.monotonic() - began


def taken_over(locks: Locks, service: str, victim: str, shares: int) -> float:
    """Seconds until others have all the shares that there are."""
    began = time.monotonic()
    others: dict[int, str] = {}

    def all_are_held() -> bool:
        others.clear()
        others.update({number: name for number, name in locks.holders(service).items() if name != victim})
        return len(others) == shares

    eventually(all_are_held, f"the work of {victim}", lambda: str(others))
    return time.monotonic() - began


def held(system: Distributed, killed_at: dict[str, list[float]]) -> dict[tuple[str, str], list[tuple[float, float, str]]]:
    """When each share was whose, by what the processes say and when they were killed."""
    spans: dict[tuple[str, str], list[tuple[float, float, str]]] = {}
    for name in system.deployment.services:
        since: dict[tuple[str, str], float] = {}
        ends = [*killed_at.get(name, []), float("inf")]
        for line in system.deployment.log_path(name).read_text().splitlines():
            entry = json.loads(line) if line.startswith("{") else {}
            if entry.get("event") not in ("takes over", "hands over"):
                continue
            at = datetime.fromisoformat(entry["timestamp"].replace("Z", "+00:00")).timestamp()
            key = (name.partition("-")[0], entry["share"])
            if entry["event"] == "takes over":
                if key in since:  # the process that had it was killed
                    spans.setdefault(key, []).append((since[key], min(end for end in ends if end > since[key]), name))
                since[key] = at
            elif key in since:
                spans.setdefault(key, []).append((since.pop(key), at, name))
        for key, at in since.items():
            spans.setdefault(key, []).append((at, min(end for end in ends if end > at), name))
    return spans


def check_that_nobody_shared(system: Distributed, killed_at: dict[str, list[float]]) -> None:
    found = held(system, killed_at)
    assert {service for service, _ in found} == {"orchestrator", "approvals", "projections"}
    for key, spans in found.items():
        for (_, end, one), (begin, _, other) in itertools.pairwise(sorted(spans)):
            assert begin >= end - 0.1, f"{key} was done by {one} until {end} and by {other} from {begin}"


def check_the_logs(locks: Locks) -> None:
    """No writer was overtaken: versions and positions have no gap, and nothing ended twice."""
    for log in ("orchestrator", "approvals", "dispatcher"):
        gaps = f"select count(*) from (select from {log}.event group by stream_id having max(version) <> count(*)) broken"
        assert locks.value(gaps) == 0
        assert locks.value(f"select coalesce(max(position), 0) = count(*) from {log}.event")
    ends = "'execution.completed', 'execution.failed', 'execution.cancelled'"
    several = f"select from orchestrator.event where topic in ({ends}) group by stream_id having count(*) > 1"
    twice = f"select count(*) from ({several}) ended"
    assert locks.value(twice) == 0
    instants = (
        "select count(*) - count(distinct data::jsonb ->> 'scheduledAt') from orchestrator.event where topic = 'schedule.fired'"
    )
    assert locks.value(instants) == 0


def check_the_readers(client: Client, readers: Readers, begin: int) -> None:
    """Each heard of every event once, in order, whichever gateways it had."""
    written = sorted(int(event["id"]) for event in events_after(client, begin))
    eventually(lambda: all(written[-1] in positions for positions in readers.positions), "readers to come to the end")
    for positions in readers.positions:
        assert [position for position in positions if position <= written[-1]] == written


def test_whichever_process_does_the_work_is_killed_and_the_other_one_goes_on(system: Distributed) -> None:
    deployment, locks, journal = system.deployment, Locks(system), secrets.token_hex(4)
    killed_at: dict[str, list[float]] = {}
    with Client(Door(deployment, gateway="gateway")) as first, Client(Door(deployment, gateway="gateway-2")) as second:
        consumer = PublicConsumer(system)
        begin = max(each["head"] for each in read_models(first))
        readers = Readers(system, begin)
        with readers.reading():
            load = Load([first, second], journal)
            usual = probed(load, second)
            print(f"\na short execution usually takes {usual:.2f} s")  # noqa: T201 - a figure
            for service in ("orchestrator", "dispatcher", "approvals", "projections", "gateway", "agent"):
                victim = {"gateway": "gateway", "agent": "agent-1"}.get(service) or locks.first(service)
                shares = len(locks.holders(service))
                load.start()
                killed_at.setdefault(victim, []).append(time.time())
                system.kill(victim)
                seconds = taken_over(locks, service, victim, shares)
                took = probed(load, second)
                told = f"{victim} was killed: others had its work after {seconds:.2f} s, a short execution took {took:.2f} s"
                print(told)  # noqa: T201 - a figure
                assert seconds < TAKEOVER_SECONDS
                load.answer(second)
                deployment.start_process(victim)
            deployment.wait_until_ready()
            ending = [*load.journaled, *load.completed, *load.cancelled]
            instants = f"/executions?workflowId={load.scheduled}&trigger=cron"
            eventually(lambda: bool(first.call("GET", instants)["items"]), "a minute of the schedule")
            first.call("POST", f"/workflows/{load.scheduled}/deactivate")

            def answered() -> bool:
                load.answer(first)
                return not first.call("GET", "/executions?status=pending&status=running&limit=1")["items"]

            eventually(answered, "all executions to end")
            wait_for_all(first, ending)
            check_the_journal(first, journal, load.journaled)
            assert {first.detail(execution_id)["status"] for execution_id in load.completed} == {"completed"}
            assert {first.detail(execution_id)["status"] for execution_id in load.cancelled} == {"cancelled"}
            check_the_readers(first, readers, begin)
        check_the_logs(locks)
        check_that_nobody_shared(system, killed_at)
        check_what_others_were_told(first, consumer, begin)


ENDED_TOGETHER = ("projections", "orchestrator")
"""Of these an upgrade ends all before it starts the first new one; of the others one stays, as above."""


class Starter:
    """Starts one short execution after the other, by whichever gateway takes it, and repeats what gets no answer."""

    def __init__(self, system: Distributed, workflow_id: str) -> None:
        self._path = f"/api/v1/workflows/{workflow_id}/run"
        self._headers = {"Authorization": f"Bearer {system.token}"}
        self._gateways = itertools.cycle([system.deployment.url_of(name) for name in system.deployment.replicas("gateway")])
        self.started: set[str] = set()
        self.asked: list[tuple[float, float]] = []
        """When each was asked for, and answered."""
        self.repeated = 0
        """Asked again after a 503."""

    @contextmanager
    def starting(self) -> Iterator[None]:
        ending = threading.Event()
        thread = threading.Thread(target=self._start, args=(ending,))
        thread.start()
        try:
            yield
        finally:
            ending.set()
            thread.join()

    def _start(self, ending: threading.Event) -> None:
        with httpx.Client(headers=self._headers, trust_env=False, timeout=30) as http:
            while not ending.wait(0.05):
                asked, key = time.time(), secrets.token_hex(8)
                self.started.add(self._ask(http, key))
                self.asked.append((asked, time.time()))

    def _ask(self, http: httpx.Client, key: str) -> str:
        for gateway in self._gateways:
            with contextlib.suppress(httpx.TransportError):  # as whatever stands before the gateways: another one
                answer = http.post(f"{gateway}{self._path}", json={}, headers={"Idempotency-Key": key})
                if answer.status_code == 202:
                    return str(answer.json()["executionId"])
                assert answer.status_code == 503, answer.text
                self.repeated += 1
        raise AssertionError("there is no gateway")


def replace(system: Distributed, names: Sequence[str]) -> None:
    """Ends them in good order, starts them anew, and waits until they have what they need."""
    deployment = system.deployment
    deployment.stop_processes(names)
    for name in names:
        deployment.start_process(name)

    def ready(name: str) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{deployment.ops_url(name)}/readyz", trust_env=False).status_code == 200
        return False

    for name in names:
        eventually(lambda name=name: ready(name), f"{name} to be ready")  # type: ignore[misc]


def test_while_an_upgrade_has_ended_all_orchestrators_and_projections_whoever_starts_executions_only_waits(
    system: Distributed,
) -> None:
    with Client(Door(system.deployment)) as client:
        starter = Starter(system, workflow_id := client.publish(chain(bash("one"))))
        phases: dict[str, tuple[float, float]] = {}
        with starter.starting():
            eventually(lambda: bool(starter.started), "a first start")
            for service in ENDED_TOGETHER:
                began = time.time()
                replace(system, system.deployment.replicas(service))
                phases[service] = (began, time.time())
        listed: list[dict[str, Any]] = []

        def all_ended() -> bool:
            listed[:] = _listed(client, workflow_id)
            return len(listed) >= len(starter.started) and all(row["finishedAt"] for row in listed)

        eventually(all_ended, "all to end", lambda: str([row for row in listed if not row["finishedAt"]]))
        assert {row["executionId"] for row in listed} == starter.started, "none is lost, and none was started twice"
        assert {row["status"] for row in listed} == {"completed"}
        for service, (began, ended) in phases.items():
            waited = [answered - asked for asked, answered in starter.asked if answered > began and asked < ended]
            told = f"all {service} were replaced in {ended - began:.1f} s, a start was answered after {max(waited):.2f} s"
            print(f"\n{told}; {starter.repeated} were asked again")  # noqa: T201 - figures


def _listed(client: Client, workflow_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = client.call("GET", f"/executions?workflowId={workflow_id}&limit=200{cursor}")
        rows += page["items"]
        if not page["nextCursor"]:
            return rows
        cursor = f"&cursor={page['nextCursor']}"
