"""Output of running jobs as it comes, for whoever watches the execution: `output` frames, which are not resumed from."""

import codecs
from collections.abc import Sequence

import msgspec
from runyard_shared.contracts.jobs import OutputChunk, OutputMessage
from runyard_shared.messaging.bus import Bus, Subscription
from runyard_shared.messaging.topology import LIVE_OUTPUT

from runyard_gateway.public_event import frame
from runyard_gateway.streams.live_events import LiveEvents
from runyard_gateway.streams.subscription import LiveFrame

MAX_WATCHED = 1000
"""When so many executions are remembered, those that nobody watches any more are dropped."""


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

    def __init__(self, bus: Bus, live: LiveEvents) -> None:
        self._bus = bus
        self._live = live
        self._texts: dict[str, dict[tuple[str, str], _Text]] = {}
        self._heard: Subscription | None = None

    async def start(self) -> None:
        self._heard = await self._bus.listen(LIVE_OUTPUT, OutputMessage, self._hear)

    async def stop(self) -> None:
        if self._heard is not None:
            await self._heard.cancel()

    async def _hear(self, messages: Sequence[OutputMessage]) -> None:
        for message in messages:
            if not self._live.is_watched(message.execution_id):
                self._texts.pop(message.execution_id, None)
            elif isinstance(message, OutputChunk):
                if len(self._texts) > MAX_WATCHED:
                    self._texts = {each: texts for each, texts in self._texts.items() if self._live.is_watched(each)}
                texts = self._texts.setdefault(message.execution_id, {})
                shown = texts.setdefault((message.job_id, message.stream), _Text()).take(message)
                self._live.offer_to_stream(message.execution_id, LiveFrame(frame("output", shown)))
            elif message.execution_id in self._texts:
                texts = self._texts[message.execution_id]
                for key in [key for key in texts if key[0] == message.job_id]:
                    del texts[key]
                if not texts:
                    del self._texts[message.execution_id]
