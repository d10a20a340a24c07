"""A process in a group of its own: output streamed as it comes, and nothing of the group left when it has ended.

Children are found by the group, not by asking the process: also those that a script left in the background. (A child that makes
itself a new session leaves the group, as a daemon does, and is not found.)
"""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final, cast

import structlog

from runyard_agent.actions.process_group import group_gone, signal_group
from runyard_agent.output import OutputStream

log = structlog.get_logger(__name__)
_KILLED_WITHIN_SECONDS: Final = 5.0
_LINGER_SECONDS: Final = 1.0


async def run_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    working_directory: str | None,
    stdout: OutputStream,
    stderr: OutputStream,
    kill_grace_seconds: float,
    stdin: int = asyncio.subprocess.DEVNULL,
) -> int:
    """Run `argv` to its end and return its exit code (negative: minus the signal that ended it). `stdin`: an open file.

    What the process leaves in its group is ended: TERM, and KILL after `kill_grace_seconds`. The same happens to the whole
    group when the calling task is cancelled, before the `CancelledError` goes on. Raises `OSError` if it cannot be started.
    """
    spawning = asyncio.ensure_future(_Group.spawn(argv, env, working_directory, stdin, stdout, stderr))
    try:
        group = await asyncio.shield(spawning)
    except asyncio.CancelledError:
        with suppress(OSError):
            await (await spawning).end(kill_grace_seconds)
        raise
    ending: asyncio.Future[None] | None = None
    try:
        await asyncio.shield(group.exited)
        ending = asyncio.ensure_future(group.end(kill_grace_seconds))
        await asyncio.shield(ending)
    except asyncio.CancelledError:
        group.detach()
        await (ending or group.end(kill_grace_seconds))
        raise
    return group.exit_code


class _Group(asyncio.SubprocessProtocol):
    def __init__(self, stdout: OutputStream, stderr: OutputStream) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self._closed: asyncio.Future[None] = loop.create_future()
        self._streams = {1: stdout, 2: stderr}
        self._open = {1, 2}
        self._received = 0
        self._detached = False
        self._resuming: set[asyncio.Task[None]] = set()
        self._transport: asyncio.SubprocessTransport

    @classmethod
    async def spawn(
        cls,
        argv: Sequence[str],
        env: Mapping[str, str],
        working_directory: str | None,
        stdin: int,
        stdout: OutputStream,
        stderr: OutputStream,
    ) -> "_Group":
        _, group = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(stdout, stderr),
            *argv,
            stdin=stdin,
            env=env,
            cwd=working_directory,
            start_new_session=True,
        )
        return group

    @property
    def exit_code(self) -> int:
        return cast("int", self._transport.get_returncode())

    async def end(self, grace_seconds: float) -> None:
        """Until no process of the group is left and all of its output is written."""
        await self._end_processes(grace_seconds)
        received = -1
        while not self._closed.done() and received != self._received:
            received = -1 if self._resuming and not self._detached else self._received
            await asyncio.wait([self._closed], timeout=_LINGER_SECONDS)
            if self._detached:
                break
        self._transport.close()

    def detach(self) -> None:
        """Wait no longer for output of those that hold the pipes and are not in the group."""
        self._detached = True

    async def _end_processes(self, grace_seconds: float) -> None:
        group = self._transport.get_pid()
        if not signal_group(group, signal.SIGTERM):
            return
        signal_group(group, signal.SIGCONT)
        if not await group_gone(group, grace_seconds):
            signal_group(group, signal.SIGKILL)
            if not await group_gone(group, _KILLED_WITHIN_SECONDS):
                log.warning("processes are left: they cannot be ended", process_group=group)
        await self.exited

    # --- called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        stream = self._streams[fd]
        self._received += len(data)
        stream.write(data)
        if stream.congested:
            pipe = cast("asyncio.ReadTransport", self._transport.get_pipe_transport(fd))
            pipe.pause_reading()
            task = asyncio.create_task(self._resume(pipe, stream))
            self._resuming.add(task)
            task.add_done_callback(self._resuming.discard)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open and not self._closed.done():
            self._closed.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)

    async def _resume(self, pipe: asyncio.ReadTransport, stream: OutputStream) -> None:
        await stream.drain()
        if not pipe.is_closing():
            pipe.resume_reading()
