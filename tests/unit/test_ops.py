"""What a process tells those who look after it: figures, whether it lives, and what it lacks, in words."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable

import httpx
import pytest
from runyard_shared.loops import broken_loops, forever
from runyard_shared.metrics import READY, Sample, at_scrape, no_longer_at_scrape, ready
from runyard_shared.ops import CannotServeOps, Ops, serving_ops, watched_event_loop

from tests.metrics_reference import readings

Health = dict[str, str | None]
ANYWHERE = Ops("127.0.0.1", 0)


@pytest.fixture
def health() -> Health:
    return {"log": None, "bus": None}


@pytest.fixture
async def ops(health: Health) -> AsyncIterator[httpx.AsyncClient]:
    async def check() -> Health:
        return health

    async with serving_ops(ANYWHERE, check) as address:
        assert address is not None
        async with httpx.AsyncClient(base_url=address, trust_env=False) as client:
            yield client


async def test_a_process_that_lacks_something_says_what_in_words_and_is_alive(ops: httpx.AsyncClient, health: Health) -> None:
    answer = await ops.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "parts": {"log": None, "bus": None}})
    health["bus"] = "RabbitMQ is away: the connection was lost"
    answer = await ops.get("/readyz")
    assert (answer.status_code, answer.json()["parts"]["bus"]) == (503, "RabbitMQ is away: the connection was lost")
    assert (await ops.get("/healthz")).status_code == 200


async def test_a_process_whose_loop_has_died_is_not_alive_until_the_loop_runs_again(ops: httpx.AsyncClient) -> None:
    async def breaks() -> None:
        raise KeyError("a bug")

    async def runs() -> None:
        await asyncio.Event().wait()

    await asyncio.wait([forever(breaks(), "the committer")])
    answer = await ops.get("/healthz")
    assert (answer.status_code, answer.json()["parts"]) == (503, {"the committer": "KeyError('a bug')"})
    again = forever(runs(), "the committer")
    assert (await ops.get("/healthz")).status_code == 200
    again.cancel()
    await asyncio.gather(again, return_exceptions=True)
    assert not broken_loops(), "one that its owner ends is not broken"


async def test_figures_are_read_when_somebody_asks_and_left_out_when_they_cannot_be_read(ops: httpx.AsyncClient) -> None:
    trouble: list[str] = []

    async def read() -> Iterable[Sample]:
        if trouble:
            raise OSError(trouble[0])
        return ready("a test", {"log": None, "bus": "away"})

    at_scrape(read)
    try:
        figures = readings((await ops.get("/metrics")).text)
        assert figures['runyard_ready{part="log",service="a test"}'] == 1
        assert figures['runyard_ready{part="bus",service="a test"}'] == 0
        trouble.append("the database is away")
        figures = readings((await ops.get("/metrics")).text)
        assert not any("a test" in name for name in figures), "what it was is not what it is"
        assert figures["process_open_fds"] > 0, "the others are told all the same"
    finally:
        no_longer_at_scrape(read)
    assert not READY.values


async def test_whatever_else_is_asked_gets_an_answer_too(ops: httpx.AsyncClient) -> None:
    assert (await ops.get("/")).status_code == 404
    assert (await ops.post("/metrics")).status_code == 405
    head = await ops.head("/healthz")
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", "application/json")
    reader, writer = await asyncio.open_connection(ops.base_url.host, ops.base_url.port)
    writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    assert await reader.read() == b"", "and whoever speaks no HTTP is hung up on"
    writer.close()
    assert (await ops.get("/healthz?verbose=1")).status_code == 200


async def test_an_address_that_is_taken_names_the_settings() -> None:
    async def well() -> Health:
        return {}

    async with serving_ops(ANYWHERE, well) as address:
        taken = Ops("127.0.0.1", httpx.URL(address or "").port)
        with pytest.raises(CannotServeOps, match=f"RUNYARD_OPS_PORT={taken.port}"):
            async with serving_ops(taken, well):
                pass
    async with serving_ops(Ops("127.0.0.1", None), well) as address:
        assert address is None


async def test_a_process_that_does_not_get_its_turn_shows_it(ops: httpx.AsyncClient) -> None:
    async def late() -> float:
        figures = readings((await ops.get("/metrics")).text)
        count = 'runyard_event_loop_delay_seconds_bucket{le="%s"}'
        return figures[count % "+Inf"] - figures[count % "0.25"]

    before = await late()
    async with watched_event_loop():
        await asyncio.sleep(0.8)
        time.sleep(0.6)  # noqa: ASYNC251 - what keeps the loop busy
        await asyncio.sleep(0.05)
    assert await late() > before
