"""The agent as a process of its own, on a real RabbitMQ."""

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from runyard_shared.contracts.jobs import SessionRefused
from runyard_shared.contracts.values import JobStatus
from runyard_shared.messaging.rabbit import RabbitBus

from tests.agents import NAME, Desk, until

StartProcess = Callable[..., Coroutine[Any, Any, asyncio.subprocess.Process]]


@pytest.fixture
def namespace() -> str:
    return f"agent-{secrets.token_hex(4)}"


@pytest.fixture
async def desk(amqp_url: str, namespace: str) -> AsyncIterator[Desk]:
    bus = RabbitBus(amqp_url, namespace=namespace)
    await bus.open()
    yield await Desk(bus).open()
    await bus.close()


@pytest.fixture
async def start_process(amqp_url: str, namespace: str, tmp_path: Path) -> AsyncIterator[StartProcess]:
    """Starts an agent; those still alive are killed in the end."""
    processes: list[asyncio.subprocess.Process] = []

    async def start(**settings: str) -> asyncio.subprocess.Process:
        given = {
            "RUNYARD_AMQP_URL": amqp_url,
            "RUNYARD_AMQP_NAMESPACE": namespace,
            "RUNYARD_AGENT_NAME": NAME,
            "RUNYARD_AGENT_TAGS": "linux, test",
            "RUNYARD_HEARTBEAT_SECONDS": "0.1",
            "RUNYARD_LOG_FORMAT": "json",
        }
        with (tmp_path / f"log {len(processes)}").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "runyard_agent", env=os.environ | given | settings, stdout=log, stderr=log
            )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_an_agent_process_registers_runs_a_job_and_ends_in_good_order(desk: Desk, start_process: StartProcess) -> None:
    process = await start_process()
    await until(lambda: bool(desk.registrations), within_seconds=30)
    assert desk.registrations[0].tags == ["linux", "test"]
    assert {"http.request", "script.bash", "ssh.executeCommand"} <= set(desk.registrations[0].actions)
    finished = await desk.run("script.bash", {"script": "seq 1 2000"})
    assert finished.status is JobStatus.COMPLETED
    assert desk.whole(finished, "stdout") == "".join(f"{number}\n" for number in range(1, 2001)).encode()
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 15) == 0
    await until(lambda: bool(desk.farewells))


async def test_a_terminated_agent_lets_its_job_end_first(desk: Desk, start_process: StartProcess, tmp_path: Path) -> None:
    process = await start_process()
    await until(lambda: bool(desk.registrations), within_seconds=30)
    go_on = tmp_path / "go on"
    job = desk.job("script.bash", {"script": f"echo begun; until [ -e '{go_on}' ]; do sleep 0.05; done; echo done"})
    await desk.order(job)
    await until(lambda: bool(desk.chunks(job.job_id, "stdout")))
    process.send_signal(signal.SIGTERM)
    seen = len(desk.heartbeats)
    await until(lambda: len(desk.heartbeats) > seen + 2)
    assert desk.ends_of(job) == []
    go_on.touch()
    assert (await desk.end_of(job)).output["stdout"] == "begun\ndone\n"
    assert await asyncio.wait_for(process.wait(), 15) == 0


async def test_a_killed_agent_comes_back_with_a_new_session_and_no_leases(desk: Desk, start_process: StartProcess) -> None:
    first = await start_process()
    await until(lambda: bool(desk.registrations), within_seconds=30)
    job = desk.job("script.bash", {"script": "echo begun; sleep 2"})
    await desk.order(job)
    await until(lambda: bool(desk.starts_of(job)))
    first.kill()
    await first.wait()
    await start_process()
    await until(lambda: len(desk.registrations) == 2, within_seconds=30)
    assert desk.registrations[1].session_id != desk.registrations[0].session_id
    assert desk.registrations[1].leases == []
    await desk.order(job)
    assert (await desk.run("script.bash", {"script": "true"})).status is JobStatus.COMPLETED
    assert (len(desk.starts_of(job)), desk.ends_of(job)) == (1, [])


async def test_a_refused_session_is_replaced_over_the_broker(desk: Desk, start_process: StartProcess) -> None:
    await start_process()
    await until(lambda: bool(desk.registrations), within_seconds=30)
    await desk.order(SessionRefused(session_id=desk.session_id, reason="silent for 30 s"))
    await until(lambda: len(desk.registrations) == 2)
    assert (await desk.run("script.bash", {"script": "true"})).status is JobStatus.COMPLETED
