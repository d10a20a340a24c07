"""Where a part spends its time: py-spy samples it while a block runs."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from runyard_bench.system import System

SAMPLES_PER_SECOND = 200
LONGEST_SECONDS = 120


class NoProfiler(Exception):
    """py-spy is not installed (`make test` installs it), or the part does not exist."""


@contextmanager
def profiled(system: System, parts: Sequence[str], directory: Path) -> Iterator[None]:
    """Writes `PART.raw` for each of `parts`: one line for each stack, with its count, as flame graph programs read it."""
    if not parts:
        yield
        return
    sampler = shutil.which("py-spy", path=Path(sys.executable).parent) or shutil.which("py-spy")
    if sampler is None:
        raise NoProfiler("py-spy is not installed; `make sync-all` installs it")
    if unknown := set(parts) - set(system.parts):
        raise NoProfiler(f"there is no part {', '.join(sorted(unknown))}; there are: {', '.join(system.parts)}")
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        for part in parts:
            stack.enter_context(_sampled(sampler, system.parts[part], directory / f"{part}.raw"))
        yield


@contextmanager
def _sampled(program: str, pid: int, path: Path) -> Iterator[None]:
    command = [program, "record", "--pid", str(pid), "--format", "raw", "--output", str(path)]
    command += ["--rate", str(SAMPLES_PER_SECOND), "--duration", str(LONGEST_SECONDS), "--nonblocking"]
    sampling = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        sampling.send_signal(signal.SIGINT)
        try:
            sampling.wait(15)
        except subprocess.TimeoutExpired:
            sampling.kill()
            sampling.wait()
