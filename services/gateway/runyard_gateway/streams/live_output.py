"""Output of running jobs as it comes, for whoever watches the execution: `output` frames, which are not resumed from.

Agents send output under the stream that reports go to, an iteration's perhaps; whose it is says the first event of that stream.
"""

import codecs
from collections.abc import Sequence

import msgspec
import structlog
from runyard_shared.contracts.jobs import OutputChunk, OutputMessage
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.bus import Bus, Subscription
from runyard_shared.messaging.topology import LIVE_OUTPUT

from runyard_gateway.public_event import execution_of, frame
from runyard_gateway.queries.events import EventQueries
from runyard_gateway.streams.log_tail import LogTail
from runyard_gateway.streams.subscription import LiveFrame

MAX_WATCHED = 1000
"""When so many executions are remembered, those that nobody watches any more are dropped."""
TURN_BYTES = 256 * 1024
"""After so much the readers get their turn."""
MAX_KNOWN = 20_000
"""Of so many streams it is remembered to which execution they belong."""

_log = structlog.get_logger(__name__)


class OutputFrame(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """`offset` is the place of the text's first byte in the stream; bytes that are no UTF-8 are shown as U+FFFD."""

    job_id: str
    stream: str
    offset: int
    text: str


class _Text:
    """Decodes one output stream whose chunks may cut a character in two."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._next = 0

    def take(self, chunk: OutputChunk) -> OutputFrame:
        if chunk.offset != self._next:  # a chunk was lost, or the first is not the first for us
            self._decoder.reset()
        held_back = len(self._decoder.getstate()[0])
        self._next = chunk.offset + len(chunk.data)
        text = self._decoder.decode(chunk.data)
        return OutputFrame(job_id=chunk.job_id, stream=chunk.stream, offset=chunk.offset - held_back, text=text)


class LiveOutput:
    """Forgets a stream when its job is sealed or nobody watches."""

    def __init__(self, bus: Bus, tail: LogTail, events: EventQueries) -> None:
        self._bus = bus
        self._tail = tail
        self._events = events
        self._execution_of: dict[str, str] = {}
        self._texts: dict[str, dict[tuple[str, str], _Text]] = {}
        self._heard: Subscription | None = None

    async def start(self) -> None:
        self._heard = await self._bus.listen(LIVE_OUTPUT, OutputMessage, self._hear)

    async def stop(self) -> None:
        if self._heard is not None:
            await self._heard.cancel()

    async def _hear(self, messages: Sequence[OutputMessage]) -> None:
        if not self._tail.anything_is_watched:
            self._texts.clear()
            return
        executions = await self._executions_of({message.execution_id for message in messages})
        offered = 0
        for message in messages:
            execution_id = executions.get(message.execution_id, message.execution_id)
            if not self._tail.is_watched(execution_id):
                self._texts.pop(execution_id, None)
            elif isinstance(message, OutputChunk):
                if len(self._texts) > MAX_WATCHED:
                    self._texts = {each: texts for each, texts in self._texts.items() if self._tail.is_watched(each)}
                texts = self._texts.setdefault(execution_id, {})
                shown = texts.setdefault((message.job_id, message.stream), _Text()).take(message)
                shown_frame = LiveFrame(frame("output", shown))
                self._tail.offer_to_execution(execution_id, shown_frame)
                offered += len(shown_frame.content)
                if offered >= TURN_BYTES:
                    offered = 0
                    await self._tail.let_read(execution_id)
            elif execution_id in self._texts:
                texts = self._texts[execution_id]
                for key in [key for key in texts if key[0] == message.job_id]:
                    del texts[key]
                if not texts:
                    del self._texts[execution_id]

    async def _executions_of(self, stream_ids: set[str]) -> dict[str, str]:
        """By stream. What the log cannot say now is not shown live; it is kept, and read from there."""
        unknown = [each for each in stream_ids if each not in self._execution_of and not self._tail.is_watched(each)]
        if unknown:
            if len(self._execution_of) > MAX_KNOWN:
                self._execution_of.clear()
            try:
                first = await self._events.first_of_streams(unknown)
            except Unavailable as trouble:
                _log.warning("live output is not shown: whose it is cannot be read", reason=str(trouble))
                return self._execution_of
            self._execution_of.update({stream_id: execution_of(event) for stream_id, event in first.items()})
        return self._execution_of
