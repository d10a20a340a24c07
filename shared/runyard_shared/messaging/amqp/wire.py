"""One connection to the broker: an asyncio protocol that turns bytes into calls, at once, without tasks or queues between.

A wire lives as long as its TCP connection. Anything unexpected (a lost connection, a closed channel, a consumer that the broker
cancelled, silence for two heartbeats) ends it, with the reason in `closed`; `RabbitBus` then makes a new one. So nothing
here ever has to recover.
"""

import asyncio
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Final, cast
from urllib.parse import unquote, urlsplit

from pamqp import commands
from pamqp.base import Frame
from pamqp.frame import marshal, unmarshal
from pamqp.header import ContentHeader
from pamqp.heartbeat import Heartbeat

from runyard_shared.messaging.amqp import frames
from runyard_shared.messaging.amqp.channel import CLOSE_SECONDS, Channel, ChannelClosed, LoginRefused, WireClosed

HEARTBEAT_SECONDS: Final = 10
PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"
CONNECTION: Final = 0
ACCESS_REFUSED: Final = 403


class Wire(asyncio.Protocol):
    """`closed` is a future that gets the reason in words when the connection has ended; it never raises."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[str] = loop.create_future()
        self.blocked: str | None = None
        """Why the broker takes no messages now (memory or disk alarm); None when it does."""
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._channels: dict[int, Channel] = {CONNECTION: Channel(self, CONNECTION)}
        self._frame_max = 131_072
        self._heard_at = loop.time()
        self._beat: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    @classmethod
    async def connect(cls, url: str, *, timeout_seconds: float, ca_file: Path | None = None) -> "Wire":
        """Connect and log in. `url`: amqp:// or amqps://user:password@host:port/vhost. `ca_file`: trusted for amqps besides
        what the system trusts. Raises OSError, `WireClosed`, `LoginRefused`."""
        parts = urlsplit(url)
        tls = _tls(ca_file) if parts.scheme == "amqps" else None
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_seconds):
            port = parts.port or (5671 if tls else 5672)
            _, wire = await loop.create_connection(cls, parts.hostname or "localhost", port, ssl=tls)
            try:
                await wire._log_in(
                    unquote(parts.username or "guest"),
                    unquote(parts.password or "guest"),
                    unquote(parts.path[1:]) or "/",
                )
            except BaseException:
                wire.abort("the login was not finished")
                raise
        return wire

    async def open_channel(self, *, confirms: bool = False, prefetch: int = 0) -> Channel:
        """A channel; with `prefetch`, a consumer on it gets at most that many messages ahead of its acknowledgements."""
        number = next(number for number in range(1, len(self._channels) + 1) if number not in self._channels)
        channel = self._channels[number] = Channel(self, number)
        await channel.call(commands.Channel.Open())
        if confirms:
            await channel.call(commands.Confirm.Select())
        if prefetch:
            await channel.call(commands.Basic.Qos(prefetch_count=prefetch))
        return channel

    async def writable(self) -> None:
        """Wait until the broker reads again, or never will; bounds what waits in this process."""
        await self._writable.wait()

    @property
    def largest_payload(self) -> int:
        return self._frame_max - frames.OVERHEAD

    def write(self, data: bytes) -> None:
        """Raises `WireClosed`."""
        if self._transport is None or self.closed.done():
            raise WireClosed(self.closed.result() if self.closed.done() else "not connected")
        self._transport.write(data)

    async def close(self) -> None:
        """Say good-bye and hang up."""
        if not self.closed.done():
            with suppress(WireClosed, TimeoutError):  # it is gone either way
                await self._channels[CONNECTION].call(commands.Connection.Close(200, "good bye", 0, 0), seconds=CLOSE_SECONDS)
        self.abort("closed")

    def abort(self, reason: str, problem: type[WireClosed] = WireClosed) -> None:
        """End the wire now; everybody who waits for something on it gets `problem`."""
        if self.closed.done():
            return
        self.closed.set_result(reason)
        self._writable.set()
        if self._beat is not None:
            self._beat.cancel()
        for channel in self._channels.values():
            channel.fail(problem(reason))
        if self._transport is not None:
            self._transport.abort()

    def forget(self, number: int) -> None:
        self._channels.pop(number, None)

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, problem: Exception | None) -> None:
        self.abort(f"the connection was lost: {problem}" if problem else "the broker closed the connection")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        if self._buffer:
            data = self._buffer + data
        at, end_of_data = 0, len(data)
        try:
            while end_of_data - at >= frames.OVERHEAD:
                kind, number, size = frames.FRAME_HEAD.unpack_from(data, at)
                payload = at + 7
                end = payload + size
                if end >= end_of_data:
                    break
                channel = self._channels.get(number)
                if channel is not None:
                    if kind == frames.METHOD:
                        self._method(channel, data, at, payload, end)
                    elif kind == frames.HEADER:
                        if channel.on_headers is not None:
                            channel.on_headers(cast("ContentHeader", unmarshal(data[at : end + 1])[2]))
                        size = frames.BODY_SIZE.unpack_from(data, payload)[0]
                        channel.content_begins(size, frames.sent_at(data, payload, end))
                    elif kind == frames.BODY:
                        channel.content_goes_on(data[payload:end])
                at = end + 1
            self._buffer = data[at:]
        except Exception as problem:  # noqa: BLE001 - what cannot be read ends the wire, whatever is wrong with it
            self.abort(f"the broker sent what could not be read: {problem!r}")

    # --- frames in

    def _method(self, channel: Channel, data: bytes, start: int, payload: int, end: int) -> None:
        method = frames.METHOD_ID.unpack_from(data, payload)
        if method == frames.DELIVER:
            channel.delivery_begins(frames.delivery_tag(data, payload), frames.origin(data, payload))
        elif method in {frames.ACK, frames.NACK}:
            tag, bits = frames.CONFIRM.unpack_from(data, payload + 4)
            channel.confirmed(tag, multiple=bool(bits & 1), accepted=method == frames.ACK)
        else:
            self._rare(channel, cast("Frame", unmarshal(data[start : end + 1])[2]))

    def _rare(self, channel: Channel, frame: Frame) -> None:
        match frame:
            case commands.Connection.Close():
                self.write(marshal(commands.Connection.CloseOk(), CONNECTION))
                # On a whole connection, this code is the answer to a login and to nothing else.
                problem = LoginRefused if frame.reply_code == ACCESS_REFUSED else WireClosed
                self.abort(f"the broker ended the connection: {frame.reply_code} {frame.reply_text}", problem)
            case commands.Connection.Blocked():
                self.blocked = frame.reason
            case commands.Connection.Unblocked():
                self.blocked = None
            case commands.Channel.Close():
                self.write(marshal(commands.Channel.CloseOk(), channel.number))
                self.forget(channel.number)
                refusal = ChannelClosed(frame.reply_code or 0, frame.reply_text)
                if not channel.fail(refusal):
                    self.abort(f"the broker closed a channel: {refusal}")
            case commands.Basic.Return():
                channel.return_begins(frame.routing_key or "", frame.reply_text or "returned")
            case commands.Basic.Cancel():
                self.abort(f"the broker cancelled the consumer {frame.consumer_tag}")
            case _:
                channel.answered(frame)

    # --- handshake and heartbeats

    async def _log_in(self, user: str, password: str, vhost: str) -> None:
        connection = self._channels[CONNECTION]
        await connection.ask(PROTOCOL_HEADER)
        capabilities = {
            "publisher_confirms": True,
            "consumer_cancel_notify": True,
            "connection.blocked": True,
            "basic.nack": True,
        }
        tune = await connection.call(
            commands.Connection.StartOk(
                {"product": "runyard", "capabilities": {**capabilities, "authentication_failure_close": True}},
                "PLAIN",
                f"\0{user}\0{password}",
                "en_US",
            )
        )
        if not isinstance(tune, commands.Connection.Tune):
            raise WireClosed(f"the broker answered a login with {tune.name}")
        self._frame_max = tune.frame_max or self._frame_max
        self.write(marshal(commands.Connection.TuneOk(tune.channel_max, self._frame_max, HEARTBEAT_SECONDS), CONNECTION))
        await connection.call(commands.Connection.Open(vhost))
        self._heartbeat()

    def _heartbeat(self) -> None:
        if self._loop.time() - self._heard_at > 2 * HEARTBEAT_SECONDS:
            self.abort(f"the broker was silent for {2 * HEARTBEAT_SECONDS} s")
            return
        self.write(Heartbeat().marshal())
        self._beat = self._loop.call_later(HEARTBEAT_SECONDS / 2, self._heartbeat)


def _tls(ca_file: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    return context
