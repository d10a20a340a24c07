"""How a command ends when it does not end well: each kind of trouble has its exit code, and says what to do."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """What scripts can rely on."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    CANCELLED = 5
    TIMEOUT = 6
    INTERNAL = 70
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "done; of a watched execution: it completed",
    ExitCode.FAILED: "the watched execution failed; of `connections test` and `admin projections --wait`: that did",
    ExitCode.USAGE: "the command line, a file or a context is not right; nothing was asked for",
    ExitCode.REFUSED: "the API refused (4xx), or found problems in a document",
    ExitCode.UNREACHABLE: "the gateway cannot be reached or cannot answer now (5xx)",
    ExitCode.CANCELLED: "the watched execution was cancelled",
    ExitCode.TIMEOUT: "`--timeout` is over; what was watched goes on",
    ExitCode.INTERNAL: "an error in this program",
    ExitCode.INTERRUPTED: "Ctrl-C; what was watched goes on",
}


class CommandFailed(Exception):
    """The command ends here. `problems` are lines of their own below the message; `hint` says what to do."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, problems: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.problems = list(problems)
        self.hint = hint


class Misused(CommandFailed):
    """The user has to give something else."""


class Refused(CommandFailed):
    """The API said no. `body` is its problem document."""

    exit_code = ExitCode.REFUSED

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.body = body
        self.code = str(body.get("code") or "")
        message = str(body.get("detail") or body.get("title") or f"HTTP {status}")
        lines = problem_lines(body.get("errors"))
        told = len(lines) == 1 and (lines[0] == message or body["errors"][0].get("message") == message)
        super().__init__(message, problems=[] if told else lines, hint=_HINTS.get(self.code, ""))


class NotFound(CommandFailed):
    """What was named is not there."""

    exit_code = ExitCode.REFUSED


class Unreachable(CommandFailed):
    """No answer, or one that says that there is none now."""

    exit_code = ExitCode.UNREACHABLE


class TimeIsUp(CommandFailed):
    exit_code = ExitCode.TIMEOUT


_HINTS = {
    "unauthorized": "Sign in again with `runyard login URL`, or look at RUNYARD_API_KEY.",
    "forbidden": "`runyard whoami` shows what this key may do.",
    "invalid_connection": "`runyard connections kinds` shows what each kind has.",
    "not_active": "`runyard workflows activate NAME` lets it run.",
    "answer_not_kept": "`runyard agents` and `runyard keys` show it: rotate or revoke what nobody saw.",
    "too_many_attempts": "Wait a while, then sign in with the right key.",
    "idempotency_key_reused": "Give each different request a key of its own.",
}


def problem_lines(errors: Any) -> list[str]:
    """All problems of a document, each with its place."""
    return [": ".join(part for part in (each.get("path"), each.get("message")) if part) for each in errors or []]
