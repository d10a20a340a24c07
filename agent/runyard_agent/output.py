"""The output of one running job: bytes in, redacted and numbered chunks out, sealed at the end (R15).

A stream flushes at once when it was quiet, else what gathered for 50 ms, sooner when a chunk is full, and always at the end; so
nobody waits for a line and a chatty job does not become thousands of rows. What was written and is not yet safe at the server
or in the spool is bounded: `drain` waits, and so the process, server or host that writes has to.
"""

import asyncio
import codecs
import hashlib
from typing import Final

from runyard_shared.contracts.jobs import OutputChunk, OutputSealed
from runyard_shared.contracts.values import StreamSeal

from runyard_agent.delivery import Delivery
from runyard_agent.redaction import Redactor

TEXT_LIMIT: Final = 64 * 1024
"""How many bytes of text an output holds for templates; all of it is in the chunks."""
_CHUNK_BYTES: Final = 64 * 1024
_WINDOW_BYTES: Final = 512 * 1024
_GATHER_SECONDS: Final = 0.05


OutputPart = tuple[int, int, bytes]
"""(number, offset, data) of at most a chunk."""


class OutputStream:
    """One stream (stdout, stderr, body) of a job. Write, then `drain`, like an `asyncio.StreamWriter`."""

    def __init__(self, name: str, output: "JobOutput", redactor: Redactor) -> None:
        self.name = name
        self.size = 0
        """Bytes that were given out: of the redacted stream, as offsets and seal are."""
        self._output = output
        self._redacted = redactor.stream()
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._chunks = 0
        self._head = bytearray()
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> None:
        """Never blocks; follow it with `drain`, or stop the source while `congested`."""
        if not data:
            return
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        self._output.written(len(data), full=self._gathered_bytes >= _CHUNK_BYTES)

    async def drain(self) -> None:
        await self._output.drain()

    @property
    def congested(self) -> bool:
        return self._output.congested

    @property
    def truncated(self) -> bool:
        """Whether `text` is less than what was written."""
        self._output.flush()
        return self.size + len(self._redacted.rest()) > TEXT_LIMIT

    def text(self, encoding: str = "utf-8") -> str:
        """The first 64 KiB as text, cut between characters. What is no text (wrong bytes, NUL) shows as U+FFFD."""
        truncated = self.truncated
        head = (bytes(self._head) + self._redacted.rest())[:TEXT_LIMIT]
        decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        text = decoder.decode(head, not truncated).replace("\0", "\ufffd")
        return text.encode(errors="replace")[:TEXT_LIMIT].decode(errors="ignore")

    def take(self, *, last: bool = False) -> tuple[int, list[OutputPart]]:
        """(how many bytes had gathered, what became of them). `last`: nothing follows, so nothing is held back."""
        gathered = self._gathered_bytes
        if not gathered and not last:
            return 0, []
        data = self._gathered[0] if len(self._gathered) == 1 else b"".join(self._gathered)
        self._gathered.clear()
        self._gathered_bytes = 0
        data = self._redacted.last(data) if last else self._redacted.feed(data)
        self._hash.update(data)
        if len(self._head) < TEXT_LIMIT:
            self._head += data[: TEXT_LIMIT - len(self._head)]
        parts: list[OutputPart] = []
        for at in range(0, len(data), _CHUNK_BYTES):
            parts.append((self._chunks, self.size + at, data[at : at + _CHUNK_BYTES]))
            self._chunks += 1
        self.size += len(data)
        return gathered, parts

    def seal(self) -> StreamSeal:
        return StreamSeal(stream=self.name, chunks=self._chunks, size=self.size, sha256=self._hash.hexdigest())


class JobOutput:
    """All streams of one job, and how much of them is not yet safe."""

    def __init__(
        self, tenant_id: str, execution_id: str, job_id: str, delivery: Delivery, redactor: Redactor | None = None
    ) -> None:
        self._job = {"tenant_id": tenant_id, "execution_id": execution_id, "job_id": job_id}
        self._delivery = delivery
        self._redactor = redactor or Redactor()
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
            stream = self._streams[name] = OutputStream(name, self, self._redactor)
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
            self.flush()
        elif self._flush_at is None:
            wait = self._flushed_at + _GATHER_SECONDS - self._loop.time()
            self._flush_at = self._loop.call_later(max(0.0, wait), self.flush)

    async def drain(self) -> None:
        """Until less than the window is on its way."""
        while self.congested:
            await self._wait()

    async def seal(self) -> list[StreamSeal]:
        """Send what is left and the seals, and wait until everything is safe. No message at all if nothing was written."""
        self.flush(last=True)
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

    def flush(self, *, last: bool = False) -> None:
        """Send what gathered."""
        if self._flush_at is not None:
            self._flush_at.cancel()
            self._flush_at = None
        self._flushed_at = self._loop.time()
        for stream in self._streams.values():
            gathered, parts = stream.take(last=last)
            self._unsafe_bytes -= gathered
            for number, offset, data in parts:
                self._unsafe_bytes += len(data)
                self._unsafe_messages += 1
                chunk = OutputChunk(stream=stream.name, number=number, offset=offset, data=data, **self._job)
                self._delivery.put(chunk, len(data), self)
        self._changed.set()

    async def _wait(self) -> None:
        self._changed.clear()
        await self._changed.wait()
