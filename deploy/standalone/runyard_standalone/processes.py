"""Processes known by a name: started, found again by a later command, ended. They need not be our children."""

import signal
import subprocess
import time
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil


class Processes:
    """The processes that `records` knows by name; the owner keeps `records` on disk, beside whatever else is in it."""

    def __init__(self, records: MutableMapping[str, Any]) -> None:
        self._records = records
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, command: list[str], environment: dict[str, str], log: Path) -> None:
        """Start `command` in a session of its own and in the log's folder, and record it under `name`."""
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                env=environment,
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._children.append(child)
        self._records[name] = [child.pid, _started(psutil.Process(child.pid))]

    @property
    def names(self) -> list[str]:
        """Of all that were started, whether they run or not."""
        return [name for name, record in self._records.items() if isinstance(record, list)]

    def find(self, name: str) -> psutil.Process | None:
        """The process as it was started; None when it has ended."""
        if name not in self._records:
            return None
        pid, started = self._records[name]
        for child in self._children:
            child.poll()
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            # The pid alone may have become somebody else's. The boot time has whole seconds and moves by one when the
            # clock is corrected, which may happen between the two readings.
            if abs(_started(process) - started) < 1.5 and runs(process):
                return process
        return None

    def end(self, names: Iterable[str], sig: signal.Signals, patience_seconds: float) -> None:
        """Signal them all, and kill those that still run after `patience_seconds`."""
        processes = [process for name in names if (process := self.find(name))]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(sig)
        for process in still_there(processes, patience_seconds):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        left = still_there(processes, patience_seconds)
        self._reap({process.pid for process in processes if process not in left})

    def _reap(self, ended: set[int]) -> None:
        """A process whose main thread has gone looks like a zombie a moment before it can be waited for, so this waits."""
        for child in self._children:
            if child.pid in ended:
                child.wait()
        self._children = [child for child in self._children if child.poll() is None]


def _started(process: psutil.Process) -> float:
    """Seconds between the start of the machine and that of `process`: unlike the time of day, nothing corrects it."""
    return process.create_time() - psutil.boot_time()


def still_there(processes: Iterable[psutil.Process], patience_seconds: float) -> list[psutil.Process]:
    """Those that have not ended by then. Nobody may be there to reap an orphan, so a zombie counts as ended."""
    deadline = time.monotonic() + patience_seconds
    while True:
        left = [process for process in processes if runs(process)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.01)


def runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
