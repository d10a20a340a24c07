"""The output of a job over HTTP: in ranges, as a file, live; whatever bytes it is made of, and whatever of it is missing."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from runyard_shared.contracts.jobs import OutputChunk, OutputSealed
from runyard_shared.contracts.values import StreamSeal
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.topology import JOB_OUTPUT, LIVE_OUTPUT

from tests.gateway import House, frames, house

ODD = b"\x1b[31mred\x1b[0m \xff\xfe caf\xc3\xa9 \x00\r\n"
"""Colours, bytes that are no UTF-8, NUL, a line end of another system."""

COMMENT = b": keep-alive\n\n"
"""After the snapshot: from here on everything is seen."""


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


class Job:
    """A job that runs, and writes what the test says."""

    def __init__(self, home: House, execution_id: str, job_id: str) -> None:
        self.home = home
        self.execution_id = execution_id
        self.owner: dict[str, Any] = {"tenant_id": "default", "execution_id": execution_id, "job_id": job_id}
        self.path = f"/api/v1/executions/{execution_id}/jobs/{job_id}/output"

    def chunk(self, number: int, offset: int, data: bytes) -> OutputChunk:
        return OutputChunk(**self.owner, stream="stdout", number=number, offset=offset, data=data)

    async def write(self, data: bytes, *, chunk_bytes: int = 65536, without: tuple[int, ...] = (), sealed: bool = True) -> None:
        """`without`: the numbers of chunks that do not come."""
        chunks = [self.chunk(n, at, data[at : at + chunk_bytes]) for n, at in enumerate(range(0, len(data), chunk_bytes))]
        await self.home.bus.send(JOB_OUTPUT, [each for each in chunks if each.number not in without])
        if sealed:
            seal = StreamSeal(stream="stdout", chunks=len(chunks), size=len(data), sha256=hashlib.sha256(data).hexdigest())
            await self.home.bus.send(JOB_OUTPUT, [OutputSealed(**self.owner, seals=[seal])])

    async def read(self, asked: str | None = None, **options: Any) -> httpx.Response:
        """`asked`: the Range."""
        headers = {} if asked is None else {"Range": asked}
        return await self.home.http.get(self.path, params=options, headers={**headers, **options.pop("headers", {})})


@pytest.fixture
async def job(home: House) -> Job:
    execution_id = await home.run(await home.publish())
    return Job(home, execution_id, await home.start_job(execution_id))


async def test_ranges_of_a_finished_output_are_what_http_says_they_are(job: Job) -> None:
    data = ODD * 50
    await job.write(data, chunk_bytes=100)
    size = len(data)
    for asked, start, end in (
        ("bytes=0-0", 0, 1), ("bytes=0-", 0, size), ("bytes=95-204", 95, 205), (f"bytes={size - 1}-", size - 1, size),
        ("bytes=-7", size - 7, size), (f"bytes=-{size + 5}", 0, size), (f"bytes=10-{size + 99}", 10, size),
        ("Bytes= 5 - 6", 5, 7),
    ):  # fmt: skip
        answer = await job.read(asked)
        assert (answer.status_code, answer.content) == (206, data[start:end]), asked
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{size}", asked
        assert answer.headers["content-length"] == str(end - start)
    for asked in (f"bytes={size}-", "bytes=-0", f"bytes={size + 9}-{size + 10}"):
        refused = await job.read(asked)
        assert (refused.status_code, refused.json()["code"]) == (416, "range_not_satisfiable"), asked
        assert refused.headers["content-range"] == f"bytes */{size}"
    for asked in ("bytes=5-4", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=", "bytes=-"):
        whole = await job.read(asked)
        assert (whole.status_code, whole.content) == (200, data), asked
        assert "content-range" not in whole.headers and whole.headers["accept-ranges"] == "bytes"
    part = await job.read("bytes=0-1", offset=2, limit=4)
    assert (part.status_code, part.content) == (200, data[2:6])


async def test_a_range_is_given_only_of_the_bytes_the_client_has_the_beginning_of(job: Job) -> None:
    await job.write(b"0123456789")
    tag = (await job.read()).headers["etag"]
    assert (await job.read("bytes=5-", headers={"If-Range": tag})).content == b"56789"
    other = await job.read("bytes=5-", headers={"If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, b"0123456789")


async def test_a_file_has_all_bytes_as_they_were_and_a_name_that_is_safe(job: Job) -> None:
    data = ODD * 150_000  # several pieces
    await job.write(data)
    answer = await job.read(download=True)
    assert (answer.status_code, answer.content == data) == (200, True)
    assert answer.headers["content-disposition"] == 'attachment; filename="first-1-stdout.log"'
    assert answer.headers["content-length"] == str(len(data)) and answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-output-sha256"] == hashlib.sha256(answer.content).hexdigest()
    rest = await job.read(f"bytes={len(data) - 3_000_000}-", download=True)
    assert rest.status_code == 206 and rest.content == data[-3_000_000:] and "attachment" in rest.headers["content-disposition"]
    head = await job.home.http.head(job.path, params={"download": True})
    assert head.headers["content-length"] == str(len(data)) and not head.content


async def test_while_the_job_runs_there_is_what_has_come_and_nobody_says_how_much_it_will_be(job: Job) -> None:
    assert (await job.read("bytes=0-")).status_code == 416
    empty = await job.read(download=True)
    assert (empty.status_code, empty.content, empty.headers["x-output-sealed"]) == (200, b"", "false")
    nothing = await job.read(offset=0)
    assert (nothing.content, nothing.headers["x-output-next-offset"]) == (
        b"",
        "0",
    ) and "x-output-missing" not in nothing.headers
    await job.write(b"so far\n", sealed=False)
    now = await job.read(download=True)
    assert (now.content, now.headers["x-output-sealed"]) == (b"so far\n", "false") and "etag" not in now.headers
    part = await job.read("bytes=3-")
    assert (part.content, part.headers["content-range"]) == (b"far\n", "bytes 3-6/*")


async def test_what_is_missing_is_never_papered_over(job: Job) -> None:
    await job.write(b"aaaabbbbccccdddd", chunk_bytes=4, without=(1, 2))
    for asked, content, covers, missing in (
        ("bytes=0-", b"aaaa", "bytes 0-3/16", "4-16"),
        ("bytes=2-13", b"aa", "bytes 2-3/16", "4-14"),
        ("bytes=5-", b"dddd", "bytes 12-15/16", "5-12"),
        ("bytes=12-13", b"dd", "bytes 12-13/16", None),
        ("bytes=-3", b"ddd", "bytes 13-15/16", None),
    ):
        answer = await job.read(asked)
        assert (answer.status_code, answer.content, answer.headers["content-range"]) == (206, content, covers), asked
        assert answer.headers.get("x-output-missing") == missing, asked
    nothing = await job.read("bytes=4-11")
    assert (nothing.status_code, nothing.headers["x-output-missing"]) == (416, "4-12")
    assert "have not come" in nothing.json()["detail"]
    file = await job.read(download=True)
    assert file.content == b"aaaa\n[8 bytes are missing here]\ndddd"
    assert "content-length" not in file.headers and "accept-ranges" not in file.headers


async def test_a_download_that_cannot_go_on_breaks_off_instead_of_ending_early(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    await job.write(b"x" * 3_000_000)
    real, asked = type(job.home.gateway._database).fetch, [0]

    async def away_in_the_middle(*arguments: Any) -> Any:
        if "output_range" in arguments[1]:
            asked[0] += 1
            if asked[0] == 3:
                raise Unavailable("PostgreSQL is away")
        return await real(*arguments)

    monkeypatch.setattr("runyard_gateway.database.Database.fetch", away_in_the_middle)
    with pytest.raises(httpx.HTTPError):
        await job.read(download=True)
    asked[0] = 0
    with pytest.raises(httpx.HTTPError):
        await job.read("bytes=0-")


async def test_output_that_was_deleted_when_its_time_was_over_is_said_to_be_gone(job: Job, pool: asyncpg.Pool) -> None:
    await job.write(b"old")
    await pool.execute("delete from projections.output_chunk")
    await pool.execute(
        "create or replace function read.output_expired(of_tenant text, of_job uuid) returns boolean language sql stable"
        " as 'select true'"
    )
    for options in ({}, {"download": True}, {"offset": 1}, {"stream": "stderr"}):
        gone = await job.read(**options)
        assert (gone.status_code, gone.json()["code"]) == (410, "output_expired"), options


# --- live


async def test_a_reader_that_keeps_up_gets_all_that_comes_in_one_go(job: Job) -> None:
    """Far more than the buffer of a reader, told to the gateway at once."""
    line = b"\x1b[32mok\x1b[0m a line of a log that is not very long\n"
    data = line * (40_000_000 // len(line)) + b"the end"
    chunks = [job.chunk(n, at, data[at : at + 65536]) for n, at in enumerate(range(0, len(data), 65536))]
    parts: list[bytes] = []
    async with job.home.http.stream("GET", f"/api/v1/executions/{job.execution_id}/events") as watching:
        stream = watching.aiter_raw()
        while not (await anext(stream)).endswith(COMMENT):
            pass
        await job.home.bus.broadcast(LIVE_OUTPUT, chunks)
        async with asyncio.timeout(30):
            while not parts or b"the end" not in parts[-1]:
                parts.append(await anext(stream))
    shown = [frame for frame in b"".join(parts).split(b"\n\n") if frame.startswith(b"event: output")]
    texts = [msgspec.json.decode(frame.split(b"data: ", 1)[1])["text"] for frame in shown]
    assert hashlib.sha256("".join(texts).encode()).digest() == hashlib.sha256(data).digest()


async def test_a_viewer_that_does_not_read_is_cut_off_and_others_and_the_job_do_not_notice(pool: asyncpg.Pool) -> None:
    async with house(pool, stream_buffer_bytes=1_000_000) as home:
        execution_id = await home.run(await home.publish())
        job = Job(home, execution_id, await home.start_job(execution_id))
        path = f"/api/v1/executions/{execution_id}/events"
        async with home.http.stream("GET", path) as deaf, home.http.stream("GET", path) as good:
            seen, unseen = frames(good), frames(deaf)
            for each in (seen, unseen):
                while not (await anext(each)).comment:
                    pass
            data = b"y" * 65536
            async with asyncio.timeout(30):
                for number in range(800):
                    chunk = job.chunk(number, number * len(data), data)
                    await home.bus.broadcast(LIVE_OUTPUT, [chunk])
                    while (frame := await anext(seen)).event != "output":
                        pass
                    assert frame.data["offset"] == number * len(data)
            with pytest.raises(httpx.HTTPError):
                async with asyncio.timeout(30):
                    async for _ in unseen:
                        pass
