"""uvicorn inside a service: its loop, its signals and its log stay with whoever started us."""

import asyncio
import contextlib
import resource
import socket
from collections.abc import Iterator
from typing import Any, cast

import msgspec
from runyard_shared.errors import Refusal, RunyardError
from starlette.types import ASGIApp
from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from runyard_gateway.http.asgi_extensions import ABORT, JOIN, PUSH
from runyard_gateway.http.problems import PROBLEM_TYPE, problem_document

STOP_SECONDS = 5
"""What is under way when the gateway stops may go on for so long; then it is told to try elsewhere."""
LAST_WORDS_SECONDS = 3
"""Which takes no longer than this: as long as an answer waits for the audit log, and a second more."""
IDLE_SECONDS = 75
"""How long an idle connection stays open: longer than clients and balancers keep theirs (5 to 60 s). So they are the ones to
close it, and no request meets a connection that is just being closed."""
MAX_FILES = 65_536


class CannotListen(RunyardError):
    """The address to listen on is taken or not ours. Free it, or set RUNYARD_HOST and RUNYARD_PORT."""


class _Protocol(HttpToolsProtocol):
    """HTTP/1.1 with some additions: requests can be aborted, an answer can leave in one piece, pieces of a long one can be
    pushed, and what is not HTTP gets a problem document too."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        joining = _Joining(transport)
        self._join = joining.join
        super().connection_made(cast("asyncio.Transport", joining))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: self.transport.abort, JOIN: self._join, PUSH: self._push}  # type: ignore[dict-item]

    def _push(self, piece: bytes) -> bool:
        if self.flow.write_paused or self.transport.is_closing():
            return False
        if piece:  # an empty one would end the answer
            self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        return True

    def send_400_response(self, msg: str) -> None:
        body = msgspec.json.encode(problem_document(Refusal("malformed_request", msg)))
        self.transport.write(
            STATUS_LINE[400]
            + b"content-type: %b\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % (PROBLEM_TYPE, len(body))
            + body
        )
        self.transport.close()


class _Joining:
    """A transport that can join what is written next to what is written then."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._keeps = False
        self._kept = b""

    def join(self) -> None:
        self._keeps = True

    def write(self, data: bytes) -> None:
        if self._keeps:
            self._keeps, self._kept = False, data
            return
        if self._kept:
            data, self._kept = self._kept + data, b""
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _EmbeddedServer(Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """Listens between `start` and `stop`."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._host, self._port = host, port
        options: dict[str, Any] = {
            "lifespan": "off",
            "ws": "none",
            "log_config": None,
            "log_level": "warning",
            "access_log": False,
            "proxy_headers": False,
            "server_header": False,
        }
        config = Config(app, http=_Protocol, timeout_graceful_shutdown=STOP_SECONDS, timeout_keep_alive=IDLE_SECONDS, **options)
        self._server = _EmbeddedServer(config)
        self._serving: asyncio.Task[None] | None = None
        self.address = ""

    async def start(self) -> None:
        """Returns when requests are answered; `address` is then `http://host:port`. Raises `CannotListen`."""
        _allow_many_connections()
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # Named, because asyncio sets TCP_NODELAY only on sockets that say they are TCP; without it every answer takes 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
        except OSError as error:
            listener.close()
            raise CannotListen(f"cannot listen on {self._host} port {self._port}: {error.strerror}") from error
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]), name="gateway http")
        while not self._server.started and not self._serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        if self._serving.done():
            await self._serving
        host = f"[{self._host}]" if family == socket.AF_INET6 else self._host
        self.address = f"http://{host}:{listener.getsockname()[1]}"

    async def stop(self) -> None:
        """Takes nothing new, lets what is under way end (at most a few seconds), and returns when nothing is."""
        if self._serving is None:
            return
        self._server.should_exit = True
        await self._serving
        self._serving = None
        state = self._server.server_state
        if state.tasks:  # uvicorn has cancelled them, and does not wait for what they have to say to that
            await asyncio.wait(tuple(state.tasks), timeout=LAST_WORDS_SECONDS)
        for connection in tuple(state.connections):
            connection.transport.abort()


def _allow_many_connections() -> None:
    """Each is an open file, of which a process may often have no more than 1,024 unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
