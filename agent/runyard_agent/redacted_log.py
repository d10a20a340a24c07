"""The last gate of the agent's log: while a job or a probe has secrets, no line that shows one is written, whoever it is from:
an action of an installed package, a library, a traceback of the event loop."""

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
    """What a log is written to: `RedactedLog(sys.stderr.buffer, line_buffering=True)`."""

    def write(self, text: str) -> int:
        redacted = text
        for redactor in _in_use:
            redacted = redactor.text(redacted)
        super().write(redacted)
        return len(text)
