"""One way to log for every process: structlog to stderr or a file, for people or as JSON lines, with the same field names."""

import logging
import sys
from typing import Literal, TextIO

import structlog


def configure_logs(
    service: str, log_format: Literal["human", "json"], *, level: int = logging.INFO, stream: TextIO | None = None
) -> None:
    """Set up logging of this process; every line carries `service`. Libraries' warnings come through the same way."""
    stream = stream or sys.stderr
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        # the prettier tracebacks show local variables, and with them whatever secret is in one
        else structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if log_format == "json" else _unchanged,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(level=logging.WARNING, stream=stream, format="%(asctime)s [%(levelname)s] %(name)s %(message)s")


def _unchanged(_logger: object, _method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    return event
