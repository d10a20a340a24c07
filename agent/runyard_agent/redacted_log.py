"""The last gate of the agent's log: while a job or a probe has secrets, no line that shows one is written, whoever it is from:
an action of an installed package, a library, a traceback of the event loop."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager

from runyard_agent.redaction import Redactor

_in_use: list[Redactor] = []
"""Of this process: a log line does not say for which job it was written."""


@contextmanager
def kept_from_log(redactor: Redactor) -> Iterator[None]:
    if not redactor:
        yield
        return
    _in_use.append(redactor)
    try:
        yield
    finally:
        _in_use.remove(redactor)


class RedactedLog(io.TextIOWrapper):
    """What a log is written to: `RedactedLog(sys.stderr.buffer)`. Lines that are written in one turn of the event loop leave
    together at its end: a busy agent writes many."""

    _flush_planned = False

    def write(self, text: str) -> int:
        redacted = text
        for redactor in _in_use:
            redacted = redactor.text(redacted)
        super().write(redacted)
        return len(text)

    def flush(self) -> None:
        if self._flush_planned:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            super().flush()
        else:
            self._flush_planned = True
            loop.call_soon(self._flush_now)

    def close(self) -> None:
        self._flush_now()
        super().close()

    def _flush_now(self) -> None:
        self._flush_planned = False
        if not self.closed:
            super().flush()
