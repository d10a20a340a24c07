"""The example consumer as a process of its own, with the account that the how-to makes: killed, cut off, left behind; in the
end its file has every event once."""

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aio_pika
import asyncpg
import httpx
import pytest
from aiormq.exceptions import ChannelAccessRefused
from runyard_shared.ids import new_id
from runyard_shared.messaging.amqp.declare import delete_topology
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_shared.messaging.topology import PUBLIC_EVENTS, TOPOLOGY

from tests.buses import Cable, until
from tests.gateway import TOKEN, House, house

ROOT = Path(__file__).parents[2]
HOWTO = ROOT / "docs" / "howto" / "consume-events.md"
CONSUMER = ROOT / "examples" / "consumers" / "runyard-consumer"
PASSWORD = "a long password"


class Accounts:
    """Runs the how-to's `rabbitmqctl` commands by the management API, with the names of this test."""

    def __init__(self, management_url: str, amqp_url: str, namespace: str) -> None:
        parts = urlsplit(management_url)
        base = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        auth = (parts.username or "", parts.password or "")
        self._http = httpx.AsyncClient(base_url=f"{base.rstrip('/')}/api/", auth=auth, timeout=20, trust_env=False)
        self._vhost = quote(urlsplit(amqp_url).path[1:] or "/", safe="")
        self._amqp_url = amqp_url
        self._namespace = namespace
        self.user = f"{namespace}-consumer"

    async def follow_the_howto(self) -> None:
        commands = re.findall(r"^rabbitmqctl (.*)$", HOWTO.read_text(), re.MULTILINE)
        assert [command.split()[0] for command in commands] == [
            "add_user",
            "set_topic_permissions",
            "set_permissions",
            "set_policy",
        ]
        for command in commands:
            name, *words = shlex.split(command)
            words = [self._here(word) for word in words if word not in ("-p", "/")]
            if name == "add_user":
                assert words[1] == PASSWORD
                await self._put(f"users/{words[0]}", {"password": words[1], "tags": ""})
            elif name == "set_topic_permissions":
                user, exchange, write, read = words
                await self._put(f"topic-permissions/{self._vhost}/{user}", {"exchange": exchange, "write": write, "read": read})
            elif name == "set_permissions":
                user, configure, write, read = words
                await self._put(f"permissions/{self._vhost}/{user}", {"configure": configure, "write": write, "read": read})

    def _here(self, word: str) -> str:
        """The tenant of these tests is `default`, and all names on the broker have a prefix."""
        word = word.replace("acme-consumer", self.user).replace("acme", "default")
        for name in ("consumer\\.default", "runyard\\.events"):
            word = word.replace(name, f"{self._namespace}\\.{name}")
        return word.replace("runyard.events", f"{self._namespace}.runyard.events")

    def url(self, amqp_url: str) -> str:
        parts = urlsplit(amqp_url)
        login = f"{quote(self.user)}:{quote(PASSWORD)}"
        return parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}").geturl()

    async def close(self) -> None:
        await self._http.delete(f"users/{self.user}")
        await self._http.aclose()

    async def _put(self, path: str, body: dict[str, Any]) -> None:
        (await self._http.put(path, json=body)).raise_for_status()


@pytest.fixture
async def accounts(management_url: str, amqp_url: str, namespace: str) -> AsyncIterator[Accounts]:
    made = Accounts(management_url, amqp_url, namespace)
    await made.follow_the_howto()
    yield made
    await made.close()


@pytest.fixture
async def wire(amqp_url: str) -> AsyncIterator[Cable]:
    """What the services reach the broker by."""
    cable = Cable(amqp_url)
    await cable.mend()
    yield cable
    await cable.cut()


@pytest.fixture
async def home(pool: asyncpg.Pool, wire: Cable, amqp_url: str, namespace: str) -> AsyncIterator[House]:
    async with house(pool, bus=RabbitBus(wire.url, namespace=namespace)) as made:
        yield made
    await delete_topology(amqp_url, namespace, TOPOLOGY)


class Consumer:
    def __init__(self, home: House, amqp_url: str, namespace: str, file: Path) -> None:
        self.file = file
        self._command = [sys.executable, "-m", "runyard_consumer", str(file), "--tenant", "default"]
        self._command += ["--exchange", f"{namespace}.{PUBLIC_EVENTS}", "--queue", f"{namespace}.consumer.default.events"]
        self._environment = {
            **os.environ,
            "PYTHONPATH": str(CONSUMER),
            "RUNYARD_URL": home.gateway.address,
            "RUNYARD_API_KEY": TOKEN,
            "RUNYARD_AMQP_URL": amqp_url,
        }
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.file.with_suffix(".log").open("ab") as log:
            self._process = subprocess.Popen(self._command, env=self._environment, stdout=log, stderr=log)

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def events(self) -> list[dict[str, Any]]:
        lines = self.file.read_bytes().split(b"\n")[:-1] if self.file.exists() else []
        return [json.loads(line) for line in lines]

    def keys(self) -> list[tuple[str, int]]:
        return [(event["source"], int(event["id"])) for event in self.events()]

    def told(self) -> str:
        log = self.file.with_suffix(".log")
        return log.read_text() if log.exists() else ""


async def in_the_logs(home: House) -> set[tuple[str, int]]:
    views = {"/runyard/orchestrator": "read.event", "/runyard/dispatcher": "read.dispatcher_event"}
    return {
        (source, row["position"])
        for source, view in views.items()
        for row in await home.pool.fetch(f"select position from {view}")
    }


async def has_all(consumer: Consumer, home: House) -> None:
    try:
        async with asyncio.timeout(60):
            while set(consumer.keys()) != await in_the_logs(home):  # noqa: ASYNC110 - it waits for another process
                await asyncio.sleep(0.05)
    except TimeoutError:
        missing = sorted(await in_the_logs(home) - set(consumer.keys()))
        raise AssertionError(f"missing {missing}\n{consumer.told()}") from None


async def test_a_consumer_that_is_killed_and_cut_off_has_every_event_once_and_its_account_opens_nothing_else(
    home: House, wire: Cable, accounts: Accounts, amqp_url: str, namespace: str, tmp_path: Path
) -> None:
    cable = Cable(amqp_url)
    await cable.mend()
    consumer = Consumer(home, accounts.url(cable.url), namespace, tmp_path / "events.jsonl")
    workflow_id = await home.publish()
    await home.complete(await home.run(workflow_id))  # before anybody listened
    consumer.start()
    try:
        await has_all(consumer, home)

        async def work() -> None:
            for _ in range(3):
                await home.call("POST", "/pools", status=201, json={"name": f"pool-{new_id()}"})
                await home.complete(await home.run(workflow_id))

        working = asyncio.create_task(work())
        for _ in range(2):
            before = len(consumer.keys())
            await until(lambda before=before: len(consumer.keys()) > before or working.done())  # type: ignore[misc]
            consumer.kill()
            with consumer.file.open("ab") as file:
                file.write(b'{"half a li')  # as if it had died while it wrote
            consumer.start()
        await cable.cut()
        await wire.cut()
        await wire.mend()
        await working
        await cable.mend()
        await has_all(consumer, home)
        consumer.kill()
        await home.complete(await home.run(workflow_id))  # while nobody listens
        async with await aio_pika.connect(amqp_url) as connection:  # and the queue is gone too
            await (await connection.channel()).queue_delete(f"{namespace}.consumer.default.events")
        await home.complete(await home.run(workflow_id))
        consumer.start()
        await has_all(consumer, home)
        await home.call("POST", "/pools", status=201, json={"name": "live-again"})
        await has_all(consumer, home)
    finally:
        consumer.kill()
        await cable.cut()
        async with await aio_pika.connect(amqp_url) as connection:
            await (await connection.channel()).queue_delete(f"{namespace}.consumer.default.events")
    keys = consumer.keys()
    assert len(keys) == len(set(keys)), "nothing twice"
    by_subject = defaultdict(list)
    for event in consumer.events():
        by_subject[event["source"], event["subject"]].append(int(event["id"]))
    assert all(ids == sorted(ids) for ids in by_subject.values()), "each subject in order"
    page = await home.call("GET", "/events.json", params={"limit": 200})
    written = {int(event["id"]): event for event in consumer.events() if event["source"] == "/runyard/orchestrator"}
    assert [written[int(event["id"])] for event in page["items"]] == page["items"], "both ways give the same"
    await the_account_sees_its_tenant_and_nothing_else(home, accounts, amqp_url, namespace)


REFUSED = (
    (PUBLIC_EVENTS, "#"), (PUBLIC_EVENTS, "*.job.completed"), (PUBLIC_EVENTS, "defaults.#"), (PUBLIC_EVENTS, "globex.#"),
    ("feed", ""), ("output", ""), ("agents", "default.#"),
)  # fmt: skip


async def the_account_sees_its_tenant_and_nothing_else(home: House, accounts: Accounts, amqp_url: str, namespace: str) -> None:
    own = f"{namespace}.consumer.default.mine"
    async with await aio_pika.connect(accounts.url(amqp_url)) as connection:
        queue = await (await connection.channel()).declare_queue(own, exclusive=True)
        await queue.bind(f"{namespace}.{PUBLIC_EVENTS}", "default.pool.*")
        await home.call("POST", "/pools", status=201, json={"name": "db"})
        message = None
        async with asyncio.timeout(30):
            while message is None:  # it is published a moment after it was committed
                message = await queue.get(fail=False)
        assert message.routing_key == "default.pool.created"
        for exchange, key in REFUSED:
            channel = await connection.channel()
            with pytest.raises(ChannelAccessRefused):
                mine = await channel.get_queue(own, ensure=False)
                await mine.bind(f"{namespace}.{exchange}", key)
        for name in (
            f"{namespace}.consumer.defaults.x",
            f"{namespace}.mine",
            *(f"{namespace}.{each}" for each in TOPOLOGY.queues),
        ):
            channel = await connection.channel()
            with pytest.raises(ChannelAccessRefused):
                await channel.declare_queue(name, durable=True)
        for exchange in ("", f"{namespace}.{PUBLIC_EVENTS}", f"{namespace}.agents"):
            channel = await connection.channel()
            with pytest.raises((ChannelAccessRefused, aio_pika.exceptions.DeliveryError)):
                target = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
                await target.publish(aio_pika.Message(b"[]"), routing_key="default.job.completed")
    with suppress(aio_pika.exceptions.AMQPError):
        await connection.close()
