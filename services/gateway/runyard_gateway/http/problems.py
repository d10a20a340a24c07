"""Errors as RFC 9457 problem documents: the one place where an exception becomes an answer."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import pydantic
import structlog
from runyard_shared.errors import FieldProblem, Refusal, Unavailable
from runyard_shared.ids import new_id

from runyard_gateway.http.answer import Answer, json_answer

_log = structlog.get_logger(__name__)

PROBLEM_TYPE = b"application/problem+json"
RETRY_AFTER_SECONDS = 1


class Unauthorized(Refusal):
    """Nobody we know sent this."""

    def __init__(self, detail: str) -> None:
        super().__init__("unauthorized", detail, 401)


class MethodNotAllowed(Refusal):
    """The path exists, the method does not."""

    def __init__(self, method: str, allowed: Iterable[str]) -> None:
        methods = sorted(allowed)
        super().__init__(
            "method_not_allowed", f"{method} is not possible here; use {' or '.join(methods)}.", 405, extra={"allow": methods}
        )


class BodyTooLarge(Refusal):
    def __init__(self, limit: int) -> None:
        super().__init__("body_too_large", f"The body is larger than {limit} bytes.", 413)


class UnsupportedMediaType(Refusal):
    def __init__(self, given: str, accepted: Iterable[str]) -> None:
        super().__init__(
            "unsupported_media_type", f"Content-Type {given!r} is not read here; send {' or '.join(accepted)}.", 415
        )


def problem_answer(trouble: Exception, headers: Iterable[tuple[bytes, bytes]] = ()) -> Answer:
    """The answer to whatever was raised. Unexpected errors are logged with a reference, and say nothing about themselves."""
    if isinstance(trouble, Refusal):
        return _answer(trouble, [*_headers(trouble), *headers])
    if isinstance(trouble, Unavailable):
        refusal = Refusal("unavailable", f"{trouble}. Try again in a moment.", 503)
        return _answer(refusal, _headers(refusal))
    reference = structlog.contextvars.get_contextvars().get("request_id") or new_id()
    _log.error("unexpected error", request_id=reference, exc_info=trouble)
    detail = f"Something went wrong inside Runyard. The gateway's log has more under the reference {reference}."
    return _answer(Refusal("internal_error", detail, 500, extra={"reference": reference}), [])


def problem_code(trouble: Exception) -> str:
    """The `code` in the answer to it."""
    if isinstance(trouble, Refusal):
        return trouble.code
    return "unavailable" if isinstance(trouble, Unavailable) else "internal_error"


def problem_document(refusal: Refusal) -> dict[str, Any]:
    document: dict[str, Any] = {
        **refusal.extra,
        "type": f"urn:runyard:problem:{refusal.code}",
        "title": refusal.code.replace("_", " ").capitalize(),
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
    }
    if refusal.errors:
        document["errors"] = [{"path": problem.path, "message": problem.message} for problem in refusal.errors]
    return document


def field_problems(error: pydantic.ValidationError) -> tuple[FieldProblem, ...]:
    """Every problem that pydantic found, its path written as people write it: `nodes[2].expression`."""
    return tuple(
        FieldProblem(path_text(each["loc"]), each["msg"]) for each in error.errors(include_url=False, include_input=False)
    )


def path_text(location: Iterable[str | int]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _headers(refusal: Refusal) -> list[tuple[bytes, bytes]]:
    if (seconds := refusal.extra.get("retryAfterSeconds")) is not None:
        return [(b"retry-after", str(seconds).encode())]
    match refusal.status:
        case HTTPStatus.UNAUTHORIZED:
            return [(b"www-authenticate", b'Bearer realm="runyard"')]
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return [(b"allow", ", ".join(map(str, refusal.extra["allow"])).encode())]  # type: ignore[call-overload]
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return [(b"connection", b"close")]
        case HTTPStatus.SERVICE_UNAVAILABLE:
            return [(b"retry-after", str(RETRY_AFTER_SECONDS).encode())]
    return []


def _answer(refusal: Refusal, headers: list[tuple[bytes, bytes]]) -> Answer:
    return json_answer(problem_document(refusal), refusal.status, content_type=PROBLEM_TYPE, headers=headers)
