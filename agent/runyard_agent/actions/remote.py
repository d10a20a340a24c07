"""A command in a process group of its own on a remote host, over an ssh connection that is already open.

ssh's own signals reach a command only on some servers. So the command line is one of POSIX shell that first writes its process
id, behind a mark nobody can guess, and then *becomes* the command; with OpenSSH that process leads a group of its own. To stop
the command, a second channel of the same connection signals that group: TERM, then KILL, until nobody is left in it.
"""

import asyncio
import secrets
import shlex
from typing import Any, Final

import asyncssh
from runyard_shared.errors import RunyardError

from runyard_agent.output import OutputStream

_ANNOUNCED_WITHIN_BYTES: Final = 64 * 1024
_LINGER_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.1
_KILLED_WITHIN_SECONDS: Final = 5.0
_ANSWER_WITHIN_SECONDS: Final = 15.0
_SIGNAL_NUMBERS: Final = {"HUP": 1, "INT": 2, "QUIT": 3, "ABRT": 6, "KILL": 9, "SEGV": 11, "PIPE": 13, "ALRM": 14, "TERM": 15}


class NotStopped(RunyardError):
    """Nobody can say that the remote command is stopped: the connection is gone, or its processes do not end."""


async def run_remote(
    connection: asyncssh.SSHClientConnection,
    command: str,
    *,
    stdin: bytes = b"",
    stdout: OutputStream,
    stderr: OutputStream,
    kill_grace_seconds: float,
) -> int | None:
    """Run `command` under the login shell of the user there, with `stdin` as its whole standard input, and return its exit code
    (negative: minus the signal that ended it; None: the connection was lost).

    What the command leaves in the background goes on, as with any ssh. If the calling task is cancelled, the whole group is
    ended before the `CancelledError` goes on; raises `NotStopped` if that failed.
    """
    mark = f"runyard-{secrets.token_hex(16)}:"
    running = _Command(mark.encode(), stdin, stdout, stderr)
    starting = asyncio.ensure_future(connection.create_session(lambda: running, _announcing(command, mark), encoding=None))
    try:
        await asyncio.shield(starting)
        await asyncio.shield(running.exited)
        await running.read()
    except asyncio.CancelledError:
        await _stop(connection, starting, running, kill_grace_seconds)
        raise
    finally:
        running.close()
    return running.exit_code


def _announcing(command: str, mark: str) -> str:
    """A command line that writes `mark`, its process id and a newline, and then is `command` under the user's login shell."""
    announce = f'printf \'%s%s\\n\' {mark} "$$"; exec "${{SHELL:-/bin/sh}}" -c "$1"'
    return f"exec /bin/sh -c {shlex.quote(announce)} sh {shlex.quote(command)}"


async def _stop(
    connection: asyncssh.SSHClientConnection, starting: "asyncio.Future[Any]", running: "_Command", grace_seconds: float
) -> None:
    try:
        async with asyncio.timeout(grace_seconds + _KILLED_WITHIN_SECONDS + _ANSWER_WITHIN_SECONDS):
            await starting
            await running.announced_or_over()
            if running.exit_code is not None:
                return
            if running.exited.done():
                raise NotStopped("the connection was lost")
            pid = running.pid.result()
            await _signal(connection, "TERM", pid)
            await _signal(connection, "CONT", pid)
            if await _gone(connection, pid, grace_seconds):
                return
            await _signal(connection, "KILL", pid)
            if not await _gone(connection, pid, _KILLED_WITHIN_SECONDS):
                raise NotStopped(f"the remote process group {pid} does not end")
    except (TimeoutError, asyncssh.Error, OSError) as error:
        raise NotStopped(f"the host no longer answers ({error or type(error).__name__})") from error


async def _signal(connection: asyncssh.SSHClientConnection, name: str, pid: int) -> bool:
    """False if nobody is there to get it. On a server that makes no groups it is the one process that gets it."""
    line = f"kill -s {name} -- -{pid} 2>/dev/null || kill -s {name} {pid} 2>/dev/null"
    return (await connection.run(f"exec /bin/sh -c {shlex.quote(line)}")).exit_status == 0


async def _gone(connection: asyncssh.SSHClientConnection, pid: int, within_seconds: float) -> bool:
    deadline = asyncio.get_running_loop().time() + within_seconds
    while await _signal(connection, "0", pid):
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True


class _Command(asyncssh.SSHClientSession[bytes]):
    """The channel's events: output to its streams (without the announcement), the process id, and the end."""

    def __init__(self, mark: bytes, stdin: bytes, stdout: OutputStream, stderr: OutputStream) -> None:
        loop = asyncio.get_running_loop()
        self.pid: asyncio.Future[int] = loop.create_future()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.exit_code: int | None = None
        self._closed: asyncio.Future[None] = loop.create_future()
        self._mark = mark
        self._stdin = stdin
        self._held: bytes | None = b""
        self._stdout = stdout
        self._stderr = stderr
        self._received = 0
        self._resuming: asyncio.Task[None] | None = None
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None

    async def announced_or_over(self) -> None:
        futures: set[asyncio.Future[Any]] = {self.pid, self.exited}
        await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)

    async def read(self) -> None:
        """Until the output is read. Those left in the background may hold it open: until it is silent for a moment."""
        received = -1
        while not self._closed.done() and received != self._received:
            received = -1 if self._resuming is not None else self._received
            await asyncio.wait({self._closed}, timeout=_LINGER_SECONDS)

    def close(self) -> None:
        if self._channel is not None:
            self._channel.close()

    # --- called by asyncssh

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def session_started(self) -> None:
        if self._channel is not None and not self._channel.is_closing():  # a short command has ended by now
            self._channel.write(self._stdin)
            self._channel.write_eof()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._received += len(data)
        stream = self._stderr if datatype == asyncssh.EXTENDED_DATA_STDERR else self._stdout
        if stream is self._stderr:
            stream.write(data)
        else:
            stream.write(self._without_announcement(data))
        if stream.congested and self._resuming is None and self._channel is not None:
            self._channel.pause_reading()
            self._resuming = asyncio.create_task(self._resume(stream, self._channel))

    def exit_status_received(self, status: int) -> None:
        self._exited(status)

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:
        self._exited(-_SIGNAL_NUMBERS.get(signal, 0) or 255)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._held:
            self._stdout.write(self._held)
        self._exited(None)
        if not self._closed.done():
            self._closed.set_result(None)

    def _exited(self, code: int | None) -> None:
        if not self.exited.done():
            self.exit_code = code
            self.exited.set_result(None)

    def _without_announcement(self, data: bytes) -> bytes:
        if self._held is None:
            return data
        self._held += data
        before, mark, rest = self._held.partition(self._mark)
        pid, newline, after = rest.partition(b"\n")
        if not (mark and newline):
            if len(self._held) < _ANNOUNCED_WITHIN_BYTES:
                return b""
            before, self._held = self._held, None  # the host does not do as it is told: all of it is output
            return before
        self._held = None
        self.pid.set_result(int(pid))
        return before + after

    async def _resume(self, stream: OutputStream, channel: asyncssh.SSHClientChannel[bytes]) -> None:
        await stream.drain()
        self._resuming = None
        channel.resume_reading()
