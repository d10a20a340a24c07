"""The output of one running job: bytes in, numbered chunks out, sealed at the end (R15).

A stream flushes at once when it was quiet, else what gathered for 50 ms, sooner when a chunk is full, and always at the end; so
nobody waits for a line and a chatty job does not become thousands of rows. What was written and is not yet safe with the broker
is bounded: `drain` waits, and so the process, server or host that writes has to.
"""

import asyncio
import codecs
import hashlib
from typing import Final

from runyard_shared.contracts.jobs import OutputChunk, OutputSealed
from runyard_shared.contracts.values import StreamSeal

from runyard_agent.delivery import Delivery

TEXT_LIMIT: Final = 64 * 1024
"""How many bytes of text an output holds for templates; all of it is in the chunks."""
_CHUNK_BYTES: Final = 64 * 1024
_WINDOW_BYTES: Final = 512 * 1024
_GATHER_SECONDS: Final = 0.05


class OutputStream:
    """One stream (stdout, stderr, body) of a job. Write, then `drain`, like an `asyncio.StreamWriter`."""

    def __init__(self, name: str, output: "JobOutput") -> None:
        self.name = name
        self.size = 0
        self.chunks = 0
        self._output = output
        self._head = bytearray()
        self._gathered = bytearray()
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Never blocks; follow it with `drain`, or stop the source while `congested`."""
        if not data:
            return
        self.size += len(data)
        self._hash.update(data)
        if len(self._head) < TEXT_LIMIT:
            self._head += data[: TEXT_LIMIT - len(self._head)]
        self._gathered += data
        self._output.written(len(data), full=len(self._gathered) >= _CHUNK_BYTES)

    async def drain(self) -> None:
        await self._output.drain()

    @property
    def congested(self) -> bool:
        return self._output.congested

    @property
    def truncated(self) -> bool:
        """Whether `text` is less than what was written."""
        return self.size > TEXT_LIMIT

    def text(self, encoding: str = "utf-8") -> str:
        """The first 64 KiB as text, cut between characters. What is no text (wrong bytes, NUL) shows as U+FFFD."""
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        text = decoder.decode(bytes(self._head), not self.truncated).replace("\0", "\ufffd")
        return text.encode(errors="replace")[:TEXT_LIMIT].decode(errors="ignore")

    def take(self) -> list[tuple[int, bytes]]:
        """What gathered, as (offset, data) of at most a chunk each."""
        gathered, self._gathered = self._gathered, bytearray()
        start = self.size - len(gathered)
        return [(start + at, bytes(gathered[at : at + _CHUNK_BYTES])) for at in range(0, len(gathered), _CHUNK_BYTES)]

    def seal(self) -> StreamSeal:
        return StreamSeal(stream=self.name, chunks=self.chunks, size=self.size, sha256=self._hash.hexdigest())


class JobOutput:
    """All streams of one job, and how much of them is not yet safe."""

    def __init__(self, tenant_id: str, execution_id: str, job_id: str, delivery: Delivery) -> None:
        self._job = {"tenant_id": tenant_id, "execution_id": execution_id, "job_id": job_id}
        self._delivery = delivery
        self._loop = asyncio.get_running_loop()
        self._streams: dict[str, OutputStream] = {}
        self._unsafe_bytes = 0
        self._unsafe_messages = 0
        self._changed = asyncio.Event()
        self._flush_at: asyncio.TimerHandle | None = None
        self._flushed_at = float("-inf")

    def stream(self, name: str) -> OutputStream:
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = OutputStream(name, self)
        return stream

    @property
    def streams(self) -> list[OutputStream]:
        return list(self._streams.values())

    @property
    def congested(self) -> bool:
        return self._unsafe_bytes >= _WINDOW_BYTES

    def written(self, size: int, *, full: bool) -> None:
        self._unsafe_bytes += size
        if full:
            self._flush()
        elif self._flush_at is None:
            wait = self._flushed_at + _GATHER_SECONDS - self._loop.time()
            self._flush_at = self._loop.call_later(max(0.0, wait), self._flush)

    async def drain(self) -> None:
        """Until less than the window is on its way."""
        while self.congested:
            await self._wait()

    async def seal(self) -> list[StreamSeal]:
        """Send what is left and the seals, and wait until everything is safe. No message at all if nothing was written."""
        self._flush()
        seals = [stream.seal() for stream in self._streams.values() if stream.size]
        if seals:
            self._unsafe_messages += 1
            self._delivery.put(OutputSealed(seals=seals, **self._job), 0, self)
            while self._unsafe_messages:
                await self._wait()
        return seals

    def safe(self, size: int) -> None:
        """From the delivery: a message of this job with `size` bytes of data is confirmed."""
        self._unsafe_bytes -= size
        self._unsafe_messages -= 1
        self._changed.set()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _flush(self) -> None:
        if self._flush_at is not None:
            self._flush_at.cancel()
            self._flush_at = None
        self._flushed_at = self._loop.time()
        for stream in self._streams.values():
            for offset, data in stream.take():
                chunk = OutputChunk(stream=stream.name, number=stream.chunks, offset=offset, data=data, **self._job)
                stream.chunks += 1
                self._unsafe_messages += 1
                self._delivery.put(chunk, len(data), self)
