"""Waiting for the end of processes that need not be our children."""

import subprocess
import time
from collections.abc import Iterable

import psutil


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


def reap(children: Iterable["subprocess.Popen[bytes]"], ended: Iterable[psutil.Process]) -> list["subprocess.Popen[bytes]"]:
    """Take leave of those of our children that have ended; the others are returned.

    A process whose main thread has gone looks like a zombie a moment before it can be waited for, so this waits.
    """
    pids = {process.pid for process in ended}
    left = []
    for child in children:
        if child.pid in pids:
            child.wait()
        elif child.poll() is None:
            left.append(child)
    return left
