"""Waiting for the end of processes that need not be our children."""

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
