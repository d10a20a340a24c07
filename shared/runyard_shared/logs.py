"""One way to log for every process: structlog to stderr or a file, for people or as JSON lines, with the same field names.

What libraries say through `logging` comes out the same way, with `logger` naming them.
"""

import logging
import sys
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import msgspec
import structlog

LogLevel = Literal["debug", "info", "warning", "error"]
_LEVELS: Final[dict[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure_logs(
    service: str, log_format: Literal["human", "json"], level: LogLevel = "info", *, stream: TextIO | None = None
) -> None:
    """Set up logging of this process; every line carries `service`."""
    stream = stream or sys.stderr
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamped,
            *_renderers(log_format, stream),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=max(logging.WARNING, _LEVELS[level]), handlers=[_Libraries()], force=True)


class _Libraries(logging.Handler):
    """Hands on what libraries log."""

    def __init__(self) -> None:
        super().__init__()
        self._log = structlog.get_logger()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._log.log(record.levelno, record.getMessage(), logger=record.name, exc_info=record.exc_info)
        except Exception:  # noqa: BLE001 - as every handler of the standard library does
            self.handleError(record)


def _renderers(log_format: Literal["human", "json"], stream: TextIO) -> list[structlog.types.Processor]:
    """A busy agent writes two lines for each job: what is written to a file must cost little."""
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(_json)]
    if stream.isatty():
        # the prettier tracebacks show local variables, and with them whatever secret is in one
        return [structlog.dev.ConsoleRenderer(pad_event_to=0, exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, _plain]


def _stamped(_logger: object, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    event["timestamp"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _json(event: Any, default: Any, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=default).decode()


def _plain(_logger: object, _method: str, event: structlog.types.EventDict) -> str:
    """`2026-11-22T03:00:00.000Z [warning] what happened service=agent name=value`, and a traceback below."""
    time, level, words = event.pop("timestamp"), event.pop("level"), event.pop("event")
    traceback = event.pop("exception", None)
    line = f"{time} [{level}] {words} " + " ".join([f"{name}={_value(value)}" for name, value in event.items()])
    return f"{line}\n{traceback}" if traceback else line


def _value(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return repr(text) if " " in text or "\n" in text else text
