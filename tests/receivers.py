"""Where notifications go: a real SMTP server and a real HTTP server, which can be told to fail, or to take their time."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


class MailBox:
    """Takes every mail, after as many failures as `refusals` says."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusals = 0
        self.port = 0

    @property
    def url(self) -> str:
        """As a channel: from runyard@example.com to ops@example.com."""
        return f"mailto://127.0.0.1:{self.port}?mode=insecure&from=runyard@example.com&to=ops@example.com"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - the name of aiosmtpd
        if self.refusals > 0:
            self.refusals -= 1
            return "451 try again later"
        content = envelope.content
        if not isinstance(content, bytes):
            raise TypeError("mails come as bytes")
        self.mails.append(message_from_bytes(content, policy=policy.default))
        return "250 taken"


class Receiver:
    """Takes every POST and keeps its JSON. `answers` are the status codes of the next ones, then 200 for ever; while `gate` is
    closed, nobody is answered."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.answers: deque[int] = deque()
        self.redirect_to: str | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = 0
        self.most_at_once = 0
        self.port = 0

    @property
    def url(self) -> str:
        """As a channel; the path is a secret."""
        return f"json://127.0.0.1:{self.port}/hooks/geheim-4711"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)
            body = await reader.readexactly(length)
            self.paths.append(head.split(" ")[1])
            await self.gate.wait()
            status = self.answers.popleft() if self.answers else 200
            if self.redirect_to is not None:
                writer.write(f"HTTP/1.1 307 Elsewhere\r\nLocation: {self.redirect_to}\r\n".encode())
            else:
                writer.write(f"HTTP/1.1 {status} {'OK' if status == 200 else 'No'}\r\n".encode())
                if status == 200:
                    self.got.append(json.loads(body))
            writer.write(b"Content-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
        finally:
            self.at_once -= 1
            writer.close()


@asynccontextmanager
async def mail_server() -> AsyncIterator[MailBox]:
    box = MailBox()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(box, hostname="mail.test"), "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    async with server:
        yield box


@asynccontextmanager
async def http_receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    async with server:
        yield receiver
        receiver.gate.set()
