"""The agent as a process of its own, at a real dispatcher and a real gateway, over RabbitMQ and over HTTPS alone."""

import asyncio
import shutil
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from runyard_shared.contracts.jobs import OutputChunk
from runyard_shared.contracts.reports import JobFinished, JobLost, JobStarted
from runyard_shared.contracts.values import JobStatus
from runyard_shared.messaging.amqp.declare import delete_topology
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_shared.messaging.topology import TOPOLOGY

from tests.agent_site import Site, site
from tests.agents import until
from tests.buses import Cable


@pytest.fixture
def offline_after_seconds() -> float:
    """Longer than a busy machine takes to start an agent: only who means the silence of agents shortens it."""
    return 60


@pytest.fixture
async def by_https(pool: Any, tmp_path: Path, offline_after_seconds: float) -> AsyncIterator[Site]:
    bus = MemoryBus()
    await bus.open()
    async with site(bus, pool, tmp_path, offline_after_seconds=offline_after_seconds) as made:
        yield made
    await bus.close()


@pytest.fixture
async def broker(amqp_url: str) -> AsyncIterator[Cable]:
    """Between agents and RabbitMQ."""
    cable = Cable(amqp_url)
    await cable.mend()
    yield cable
    await cable.cut()


@pytest.fixture
async def by_amqp(
    pool: Any,
    tmp_path: Path,
    amqp_url: str,
    management_url: str,
    namespace: str,
    broker: Cable,
    offline_after_seconds: float,
) -> AsyncIterator[Site]:
    bus = RabbitBus(amqp_url, namespace=namespace)
    await bus.open()
    settings = {
        "amqp_url": amqp_url,
        "amqp_management_url": management_url,
        "amqp_namespace": namespace,
        "agent_amqp_url": broker.url,
        "offline_after_seconds": offline_after_seconds,
    }
    async with site(bus, pool, tmp_path, **settings) as made:
        yield made
        for agent in (await made.call("GET", "/agents"))["items"]:
            await made.http.post(f"/api/v1/agents/{agent['agentId']}/revoke")
    await bus.close()
    await delete_topology(amqp_url, namespace, TOPOLOGY)


BY_SERVER = {"postgres_url": "by_https", "amqp_url": "by_amqp"}


@pytest.fixture(params=["postgres_url", "amqp_url"], ids=["https", "amqp"])
def at(request: pytest.FixtureRequest) -> Site:
    found: Site = request.getfixturevalue(BY_SERVER[request.param])
    return found


async def test_an_agent_enrols_runs_a_job_and_ends_in_good_order(at: Site, request: pytest.FixtureRequest) -> None:
    agent = await at.make()
    process = await at.start(agent["key"])
    await at.until_status(agent, "online")
    finished = await at.run("seq 1 2000")
    assert finished.status is JobStatus.COMPLETED
    said = b"".join(part.data for part in at.output if isinstance(part, OutputChunk) and part.job_id == finished.job_id)
    assert said == "".join(f"{number}\n" for number in range(1, 2001)).encode()
    row = await at.call("GET", f"/agents/{agent['agentId']}")
    assert row["transport"] == request.node.callspec.id
    assert {"linux", "test"} <= set(row["tags"])
    assert (at.directory / "state").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (at.directory / "state").iterdir() if path.is_file()} == {0o600}
    assert await process.stop() == 0
    await at.until_status(agent, "offline")
    assert agent["key"] not in process.log
    assert finished.job_id in process.log


async def test_a_terminated_agent_lets_its_job_end_first(by_https: Site) -> None:
    agent = await by_https.make()
    process = await by_https.start(agent["key"])
    begun, go_on = (by_https.directory / name for name in ("begun", "go on"))
    job = await by_https.place(f"touch '{begun}'; echo begun; until [ -e '{go_on}' ]; do sleep 0.05; done; echo done")
    await until(begun.exists)
    process.signal(signal.SIGTERM)
    await process.says('"stopping"')
    await asyncio.sleep(0.5)
    assert by_https.told(JobFinished, job) == []
    go_on.touch()
    assert (await by_https.end_of(job)).output["stdout"] == "begun\ndone\n"
    assert await process.ends() == 0


async def test_a_killed_agent_comes_back_and_its_running_job_is_lost(by_https: Site) -> None:
    agent = await by_https.make()
    first = await by_https.start(agent["key"])
    job = await by_https.place("sleep 60")
    await by_https.started(job)
    await first.kill()
    await by_https.start(agent["key"])
    await until(lambda: bool(by_https.told(JobLost, job)), within_seconds=30)
    assert (await by_https.run("true")).status is JobStatus.COMPLETED
    assert len(by_https.told(JobStarted, job)) == 1


@pytest.mark.parametrize("way", ["revoke", "rotate-key"])
async def test_an_agent_whose_key_is_gone_stops_its_jobs_and_ends(at: Site, way: str) -> None:
    agent = await at.make()
    process = await at.start(agent["key"])
    marks = at.directory / "marks"
    job = await at.place(f"while true; do echo . >> '{marks}'; sleep 0.05; done")
    await until(marks.exists)
    answer = await at.call("POST", f"/agents/{agent['agentId']}/{way}")
    assert await process.ends() == 3
    assert "this agent is not let in any more" in process.log
    await until(lambda: bool(at.told(JobLost, job)))
    marked = marks.stat().st_size
    await asyncio.sleep(0.2)
    assert marks.stat().st_size == marked
    again = await at.start(agent["key"])
    assert await again.ends() == 3
    assert "does not let this agent in" in again.log
    if way == "rotate-key":
        await at.start(answer["key"])
        assert (await at.run("true")).status is JobStatus.COMPLETED


async def test_a_second_process_with_the_same_key_waits_and_then_takes_over(at: Site) -> None:
    agent = await at.make()
    first = await at.start(agent["key"])
    await at.until_status(agent, "online")
    second = await at.start(agent["key"], state="other host")
    await second.says("another process is connected as this agent")
    assert (await at.run("true")).status is JobStatus.COMPLETED
    assert "job runs" not in second.log
    assert await first.stop() == 0
    await second.says('"registered"')
    finished = await at.run("true")
    assert finished.status is JobStatus.COMPLETED
    assert finished.job_id in second.log


async def test_a_copy_of_an_agent_with_its_key_pair_is_kept_out_too(at: Site) -> None:
    agent = await at.make()
    await at.start(agent["key"])
    await at.until_status(agent, "online")
    shutil.copytree(at.directory / "state", at.directory / "copy")
    copy = await at.start(agent["key"], state="copy")
    await copy.says("another process is connected as agent 'agent-1'")
    for _ in range(3):
        assert (await at.run("true")).status is JobStatus.COMPLETED
    assert "job runs" not in copy.log
    assert await copy.stop() == 0
    assert (await at.run("true")).status is JobStatus.COMPLETED


async def test_a_second_process_on_the_same_state_directory_ends_and_says_why(by_https: Site) -> None:
    agent = await by_https.make()
    await by_https.start(agent["key"])
    await by_https.until_status(agent, "online")
    second = await by_https.start(agent["key"])
    assert await second.ends() == 1
    assert "another process uses the state directory" in second.log


async def test_what_an_agent_was_not_told_ends_it_with_words(by_https: Site) -> None:
    cases = [
        ({"RUNYARD_URL": ""}, 2, "where is the server?"),
        ({"RUNYARD_URL": "runyard.example.com"}, 2, "must be the address of the server"),
        ({"RUNYARD_AGENT_KEY": ""}, 2, "the agent needs its key"),
        ({"RUNYARD_URL": "http://runyard.example.com"}, 2, "RUNYARD_AGENT_ALLOW_HTTP"),
        ({"RUNYARD_AGENT_TRANSPORT": "amqp"}, 2, "https"),
        ({}, 3, "does not let this agent in"),
    ]
    key = (await by_https.make())["key"]
    for number, (environment, code, words) in enumerate(cases):
        process = await by_https.start(key if code == 2 else "rya_unknown", state=f"state {number}", **environment)
        assert (await process.ends(), words in process.log) == (code, True), process.log


@pytest.mark.usefixtures("offline_after_seconds")
@pytest.mark.parametrize("offline_after_seconds", [3])
async def test_a_job_that_was_given_to_another_meanwhile_is_not_run_by_an_agent_that_wakes_up(at: Site) -> None:
    journal = at.directory / "journal"
    one = await at.make("one")
    first = await at.start((one)["key"], state="one")
    await at.until_status(one, "online")
    first.signal(signal.SIGSTOP)
    job = await at.place(f"echo ran >> '{journal}'")
    await asyncio.sleep(0.3)
    two = await at.make("two")
    await at.start(two["key"], state="two")
    finished = await at.end_of(job)
    assert finished.agent == "two"
    first.signal(signal.SIGCONT)
    await at.until_status(one, "online")
    assert (await at.run("true", agent="one")).agent == "one"
    assert journal.read_text() == "ran\n"
    assert [report.dispatch for report in at.told(JobFinished, job)] == [finished.dispatch]


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_clock_that_is_an_hour_off_changes_nothing(at: Site, tmp_path: Path, hours: int) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        f"import time\nreal = time.time\ntime.time = lambda: real() + {hours * 3600}\n"
        f"ns = time.time_ns\ntime.time_ns = lambda: ns() + {hours * 3600 * 10**9}\n"
    )
    agent = await at.make()
    await at.start(agent["key"], PYTHONPATH=str(tmp_path))
    began_at = time.monotonic()
    finished = await at.run("echo here")
    assert (finished.status, finished.output["stdout"]) == (JobStatus.COMPLETED, "here\n")
    assert finished.duration_ms < (time.monotonic() - began_at) * 1000
    assert (await at.call("GET", f"/agents/{agent['agentId']}"))["status"] == "online"


async def test_a_job_goes_on_while_the_connection_is_away_and_its_result_comes_once(
    at: Site, request: pytest.FixtureRequest
) -> None:
    cables = [at.cable]
    if request.node.callspec.id == "amqp":
        cables.append(request.getfixturevalue("broker"))
    agent = await at.make()
    await at.start(agent["key"])
    begun, go_on, ended = (at.directory / name for name in ("begun", "go on", "ended"))
    wait = f"until [ -e '{go_on}' ]; do sleep 0.05; done"
    job = await at.place(f"touch '{begun}'; echo begun; {wait}; echo ended; touch '{ended}'")
    await until(begun.exists)  # an agent that has not heard that its start is known does not begin
    for cable in cables:
        await cable.cut()
    go_on.touch()
    await until(ended.exists)
    for cable in cables:
        await cable.mend()
    assert (await at.end_of(job)).output["stdout"] == "begun\nended\n"
    assert (await at.run("true")).status is JobStatus.COMPLETED
    assert len(at.told(JobFinished, job)) == 1


async def test_a_result_that_a_killed_process_could_not_deliver_comes_before_its_lease_is_lost(by_https: Site) -> None:
    agent = await by_https.make()
    first = await by_https.start(agent["key"])
    begun, go_on = (by_https.directory / name for name in ("begun", "go on"))
    job = await by_https.place(f"touch '{begun}'; until [ -e '{go_on}' ]; do sleep 0.05; done")
    await until(begun.exists)
    await by_https.cable.cut()
    go_on.touch()
    await first.says('"job ended"')
    await first.kill()
    await by_https.cable.mend()
    await by_https.start(agent["key"])
    assert (await by_https.end_of(job)).status is JobStatus.COMPLETED
    await by_https.until_status(agent, "online")
    assert by_https.told(JobLost, job) == []


async def test_an_agent_that_reaches_no_broker_takes_https(by_amqp: Site, broker: Cable) -> None:
    await broker.cut()
    agent = await by_amqp.make()
    process = await by_amqp.start(agent["key"])
    await process.says("RabbitMQ cannot be used from here, so it is HTTPS")
    assert (await by_amqp.run("true")).status is JobStatus.COMPLETED
    assert (await by_amqp.call("GET", f"/agents/{agent['agentId']}"))["transport"] == "https"


async def test_an_agent_that_waits_for_its_server_says_so_and_can_be_stopped(by_https: Site) -> None:
    agent = await by_https.make()
    await by_https.cable.cut()
    process = await by_https.start(agent["key"])
    await process.says("waiting for the server")
    assert await process.stop() == 0
    process = await by_https.start(agent["key"])
    await process.says("waiting for the server")
    await by_https.cable.mend()
    await by_https.until_status(agent, "online")
