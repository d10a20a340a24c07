"""The private RabbitMQ node that `make test`, `make up` and `make bench` start."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_standalone.rabbitmq import RabbitNode
from runyard_standalone.rabbitmq_install import NoRabbitMQ

from tests.buses import SMALL, WORK, Item, Notes, pings, until


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RabbitNode]:
    node = RabbitNode(tmp_path / "node")
    try:
        node.start()
    except NoRabbitMQ as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no RabbitMQ to test on: {missing}")
    yield node
    node.kill()


@pytest.fixture
async def bus(node: RabbitNode) -> AsyncIterator[RabbitBus]:
    bus = RabbitBus(node.amqp_url, topology=SMALL)
    await bus.open()
    yield bus
    await bus.close()


def processes_of(node_folder: Path) -> list[int]:
    return [
        process.pid
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get("HOME") == str(node_folder / "home")
    ]


async def test_a_node_keeps_what_was_confirmed_through_a_kill_and_the_bus_comes_back_by_itself(
    node: RabbitNode, bus: RabbitBus, tmp_path: Path
) -> None:
    await bus.send(WORK, pings(*range(100)))
    url, management_url = node.amqp_url, node.management_url
    node.kill()
    await until(lambda: bus.trouble)
    assert not node.running
    assert node.start() == url
    assert node.management_url == management_url
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{management_url}/api/whoami")).json()["name"] == "runyard"
    await until(lambda: not bus.trouble, 30)
    await bus.send(WORK, pings(100))
    notes = Notes()
    await bus.consume(WORK, Item, notes)
    await until(lambda: notes.numbers == list(range(101)))
    assert len(processes_of(tmp_path / "node")) >= 2

    def command(name: str) -> str:
        arguments = [sys.executable, "-m", "runyard_standalone.rabbitmq", name, "--data-dir", str(tmp_path / "node")]
        return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()

    assert command("url") == url
    assert command("start") == url  # it runs already
    command("stop")
    assert not node.running
    await until(lambda: not processes_of(tmp_path / "node"))  # those that the server had started end a moment after it
