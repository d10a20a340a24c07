"""What a stretch of time cost: CPU and memory of each part of the system, and what others took of the machine meanwhile."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType

import psutil

CLIENT = "client"
QUIET_PERCENT = 25.0
QUIET_SECONDS = 2.0
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class Usage:
    """`cpu_seconds` and `memory_bytes` by part. Percentages: `others` of one core, `steal` and `idle` of all cores."""

    seconds: float
    cpu_seconds: dict[str, float]
    memory_bytes: dict[str, int]
    others_percent: float
    steal_percent: float
    idle_percent: float

    @property
    def noise(self) -> str:
        return f"others {self.others_percent:.0f} %, steal {self.steal_percent:.0f} %, idle {self.idle_percent:.0f} %"


class Meter:
    """Measures between `with` and its end: the processes `parts` (name to process id) with all below them, and this process."""

    def __init__(self, parts: Mapping[str, int]) -> None:
        parts = {**parts, CLIENT: os.getpid()}
        self._parts = {name: psutil.Process(pid) for name, pid in parts.items()}
        self._usage: Usage | None = None

    @property
    def usage(self) -> Usage:
        """After the end of the block."""
        assert self._usage is not None
        return self._usage

    def __enter__(self) -> "Meter":
        self._machine_before = psutil.cpu_times()
        self._cpu_before = {name: _cpu_seconds(process) for name, process in self._parts.items()}
        self._started_at = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is not None:
            return
        seconds = time.perf_counter() - self._started_at
        cpu = {name: _cpu_seconds(process) - self._cpu_before[name] for name, process in self._parts.items()}
        before, after = self._machine_before, psutil.cpu_times()

        def spent(*kinds: str) -> float:
            return sum(getattr(after, kind, 0.0) - getattr(before, kind, 0.0) for kind in kinds)

        busy = spent("user", "system", "irq", "softirq", "nice")
        steal, idle = spent("steal"), spent("idle", "iowait")
        total = max(busy + steal + idle, 0.01)
        self._usage = Usage(
            seconds=seconds,
            cpu_seconds=cpu,
            memory_bytes=self.memory_bytes(),
            others_percent=max(0.0, 100 * (busy - sum(cpu.values())) / max(seconds, 0.01)),
            steal_percent=100 * steal / total,
            idle_percent=100 * idle / total,
        )

    def memory_bytes(self) -> dict[str, int]:
        return {name: _memory_bytes(process) for name, process in self._parts.items()}


def _tree(process: psutil.Process) -> list[psutil.Process]:
    """This process is the client, and what it started are the other parts."""
    return [process] if process.pid == os.getpid() else [process, *process.children(recursive=True)]


def _cpu_seconds(process: psutil.Process) -> float:
    """Of the process and of all that it started, ended ones included."""
    total = 0.0
    for each in _tree(process):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue  # its parent counts it from now on
        total += times.user + times.system
        if process.pid != os.getpid():
            total += times.children_user + times.children_system
    return total


def _memory_bytes(process: psutil.Process) -> int:
    """Resident; of several processes that share memory, each page once where the platform tells (Linux)."""
    tree = _tree(process)
    if len(tree) == 1:
        return int(process.memory_info().rss)
    total = 0
    for each in tree:
        try:
            full = each.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        total += getattr(full, "pss", full.rss)
    return total


async def until_quiet(parts: Mapping[str, int]) -> None:
    """Wait until others use little of the machine, but not for long: the figures say what they used meanwhile."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with Meter(parts) as meter:
            await asyncio.sleep(QUIET_SECONDS)
        if meter.usage.others_percent < QUIET_PERCENT:
            return
