"""Hundreds of readers that lose their connections, and their gateway, again and again: each sees every event once, in order."""

import asyncio
import random
from collections.abc import Sequence

import asyncpg
import runyard_gateway.app
import runyard_gateway.settings
from pydantic import SecretStr
from runyard_shared.clock import SystemClock

from tests.gateway import TOKEN, House, Json, house
from tests.stream_readers import Seen, StreamReader

READERS_OF_ONE = 40
PROGRAMS = 40
STEPS = 6


def walk() -> Json:
    """A workflow that goes on by itself for a second or two."""
    steps = [{"id": f"step{number}", "type": "delay", "seconds": 0.2} for number in range(STEPS)]
    sources = ["trigger", *(step["id"] for step in steps)]
    return {
        "name": "Walk",
        "nodes": steps,
        "edges": [{"from": source, "to": step["id"]} for source, step in zip(sources, steps, strict=False)],
    }


class Watcher:
    """What one reader has seen."""

    def __init__(self, home: "Homes", path: str, ends: str = "", after: int | None = None) -> None:
        self.after = after
        self.positions: list[int] = []
        self.statuses: list[str] = []
        self.reader = StreamReader(lambda: home.address, path, self._take, ends=ends, after=after)

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


class Homes:
    """The gateway that readers find, which is another one after `fall`."""

    def __init__(self, home: House) -> None:
        self._home = home
        self._gateway = home.gateway

    @property
    def address(self) -> str:
        return self._gateway.address

    async def fall(self, everybody: "Sequence[Watcher]") -> None:
        """The gateway goes with all its connections, wherever each of them is, and all who had one find a new gateway."""
        settings = runyard_gateway.settings.Settings(port=0, admin_token=SecretStr(TOKEN))
        new = await runyard_gateway.app.create(settings, bus=self._home.bus, pool=self._home.pool, clock=SystemClock())
        await new.start()
        old, self._gateway = self._gateway, new
        for each in everybody:
            each.reader.cut()
        await old.stop()

    async def close(self) -> None:
        if self._gateway is not self._home.gateway:
            await self._gateway.stop()


async def test_readers_that_are_cut_off_again_and_again_see_every_event_once_and_in_order(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        homes = Homes(home)
        workflow_id = await home.publish(walk())
        begins_at = await home.pool.fetchval("select max(position) from read.event")
        executions = [await home.run(workflow_id) for _ in range(4)]
        watchers = {
            each: [Watcher(homes, f"/executions/{each}/events", "end") for _ in range(READERS_OF_ONE)] for each in executions
        }
        programs = [Watcher(homes, "/events", after=begins_at) for _ in range(PROGRAMS)]
        everybody = [*programs, *(watcher for several in watchers.values() for watcher in several)]
        reading = [asyncio.create_task(each.reader.read()) for each in everybody]
        try:
            async with asyncio.timeout(60):
                await cut_some(everybody, times=6)
                await homes.fall(everybody)
                await cut_some(everybody, times=6)
                await asyncio.gather(*reading[PROGRAMS:])
                end = await home.pool.fetchval("select max(position) from read.event")
                while any(each.reader.last_id != end for each in programs):  # noqa: ASYNC110 - they have no common event
                    await asyncio.sleep(0.01)
        finally:
            for each in reading:
                each.cancel()
            await asyncio.gather(*reading, return_exceptions=True)
            await homes.close()

        stored = "select position from read.event where position > $1 and ($2::uuid is null or stream_id = $2) order by 1"
        for program in programs:
            assert program.positions == [row["position"] for row in await home.pool.fetch(stored, begins_at, None)]
        for execution_id, several in watchers.items():
            for watcher in several:
                expected = [row["position"] for row in await home.pool.fetch(stored, watcher.after, execution_id)]
                assert watcher.positions == expected
                assert watcher.statuses[-1] == "completed" and watcher.statuses.count("completed") == 1
        assert sum(each.reader.connections for each in everybody) > len(everybody)


async def cut_some(everybody: Sequence[Watcher], times: int) -> None:
    for _ in range(times):
        await asyncio.sleep(random.uniform(0.02, 0.08))
        for each in random.sample(everybody, len(everybody) // 4):
            each.reader.cut()
