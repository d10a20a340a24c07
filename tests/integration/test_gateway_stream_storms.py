"""Hundreds of readers that lose their connections, and their gateway by `kill -9`: each sees every event once, in order."""

import asyncio
import random
from collections.abc import Sequence

import asyncpg
from runyard_shared.messaging.rabbit import RabbitBus

from tests.gateway import GatewayProcess, House, Json, house
from tests.stream_readers import Seen, StreamReader

READERS_OF_ONE = 40
PROGRAMS = 40
STEPS = 6


def walk() -> Json:
    """A workflow that goes some steps by itself, waits for a word, and goes on."""
    steps: list[Json] = [{"id": f"step{number}", "type": "delay", "seconds": 0.1} for number in range(STEPS)]
    steps.insert(STEPS // 2, {"id": "gate", "type": "approval", "message": "Go on?"})
    sources = ["trigger", *(step["id"] for step in steps)]
    return {
        "name": "Walk",
        "nodes": steps,
        "edges": [{"from": source, "to": step["id"]} for source, step in zip(sources, steps, strict=False)],
    }


async def go_on(home: House, executions: int) -> None:
    """Lets all of them pass the gate, as soon as they are there."""
    asked: list[Json] = []
    while len(asked) < executions:
        asked = (await home.call("GET", "/approvals?status=pending"))["items"]
        await asyncio.sleep(0.01)
    for each in asked:
        await home.call("POST", f"/approvals/{each['approvalId']}/approve", json={})


class Watcher:
    """What one reader has seen."""

    def __init__(self, address: str, path: str, ends: str = "", after: int | None = None) -> None:
        self.after = after
        self.positions: list[int] = []
        self.statuses: list[str] = []
        self.reader = StreamReader(lambda: address, path, self._take, ends=ends, after=after)

    def _take(self, seen: Seen) -> None:
        if seen.event == "snapshot":
            assert self.after is None, "a snapshot comes once, to whoever has nothing"
            self.after = seen.position
            self.statuses.append(seen.data["status"])
        elif seen.event != "end":
            assert seen.position is not None
            self.positions.append(seen.position)
            if seen.event.startswith("execution."):
                self.statuses.append(seen.event.removeprefix("execution."))


async def test_readers_that_are_cut_off_again_and_again_see_every_event_once_and_in_order(
    pool: asyncpg.Pool, postgres_url: str, amqp_url: str, namespace: str
) -> None:
    gateway = GatewayProcess(
        {"RUNYARD_DATABASE_URL": postgres_url, "RUNYARD_AMQP_URL": amqp_url, "RUNYARD_AMQP_NAMESPACE": namespace}
    )
    async with house(pool, bus=RabbitBus(amqp_url, namespace=namespace)) as home:
        await gateway.start()
        workflow_id = await home.publish(walk())
        begins_at = await home.pool.fetchval("select max(position) from read.event")
        programs = [Watcher(gateway.address, "/events", after=begins_at) for _ in range(PROGRAMS)]
        everybody = list(programs)
        reading = [asyncio.create_task(each.reader.read()) for each in programs]
        try:
            async with asyncio.timeout(60):
                await all_connected(programs)
                executions = [await home.run(workflow_id) for _ in range(4)]
                watchers = {
                    each: [Watcher(gateway.address, f"/executions/{each}/events", "end") for _ in range(READERS_OF_ONE)]
                    for each in executions
                }
                everybody += [watcher for several in watchers.values() for watcher in several]
                reading += [asyncio.create_task(each.reader.read()) for each in everybody[PROGRAMS:]]
                await all_connected(everybody)
                await cut_some(everybody, times=6)
                await gateway.kill()
                known = [each.reader.connections for each in everybody]
                await gateway.start()
                executions.append(await home.run(workflow_id))  # while no reader finds a gateway
                await all_connected(everybody, besides=known)
                going_on = asyncio.create_task(go_on(home, len(executions)))
                await cut_some(everybody, times=6)
                await going_on
                await asyncio.gather(*reading[PROGRAMS:])
                await home.until(executions[-1], "completed")
                end = await home.pool.fetchval("select max(position) from read.event")
                while any(each.reader.last_id != end for each in programs):  # noqa: ASYNC110 - they have no common event
                    await asyncio.sleep(0.01)
        finally:
            for each in reading:
                each.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            await gateway.close()

        stored = "select position from read.event where position > $1 and ($2::uuid is null or stream_id = $2) order by 1"
        for program in programs:
            assert program.positions == [row["position"] for row in await home.pool.fetch(stored, begins_at, None)]
        for execution_id, several in watchers.items():
            for watcher in several:
                expected = [row["position"] for row in await home.pool.fetch(stored, watcher.after, execution_id)]
                assert watcher.positions == expected
                assert watcher.statuses[-1] == "completed" and watcher.statuses.count("completed") == 1
        assert sum(each.reader.connections for each in everybody) > 2 * len(everybody)


async def all_connected(readers: Sequence[Watcher], besides: Sequence[int] = ()) -> None:
    """Each has been answered; once more than `besides`, if that says how often before."""
    times = besides or [0] * len(readers)
    while any(each.reader.connections == before for each, before in zip(readers, times, strict=True)):  # noqa: ASYNC110 - many
        await asyncio.sleep(0.01)


async def cut_some(everybody: Sequence[Watcher], times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(random.uniform(0.02, 0.08))
        for each in random.sample(everybody, len(everybody) // 4):
            each.reader.cut()
