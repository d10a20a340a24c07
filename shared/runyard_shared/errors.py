"""One tree of errors.

    RunyardError
    ├── Refusal              the request is wrong or not allowed now; the user can do something about it
    │   ├── NotFound         404
    │   ├── Conflict         409
    │   ├── Invalid          422, all problems at once
    │   └── Forbidden        403
    ├── Revoked              the server does not let this agent in (any more)
    ├── Unavailable          a part we need (database, broker) is away; the same call may succeed later
    └── VersionConflict      another writer appended to the stream first; reload and decide again

The docstring of a class and the `detail` of an instance are what users read.
"""

from dataclasses import dataclass, field


class RunyardError(Exception):
    """Something Runyard itself says went wrong."""


@dataclass(frozen=True)
class FieldProblem:
    """One problem of a document: `path` like `nodes[2].expression`, `message` says what to do."""

    path: str
    message: str


@dataclass
class Refusal(RunyardError):
    """A request that cannot be carried out. `code` is stable snake_case; `detail` says what to do."""

    code: str
    detail: str
    status: int = 400
    errors: tuple[FieldProblem, ...] = ()
    extra: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__(f"{self.code}: {self.detail}")


class NotFound(Refusal):
    """There is no such thing in this tenant."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, 404)


class Conflict(Refusal):
    """The thing exists, and its state does not allow this now."""

    def __init__(self, code: str, detail: str, **extra: object) -> None:
        super().__init__(code, detail, 409, extra=extra)


class Forbidden(Refusal):
    """The caller may not do this."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail, 403)


class Invalid(Refusal):
    """The document has problems; `errors` names all of them."""

    def __init__(self, code: str, detail: str, errors: tuple[FieldProblem, ...] = ()) -> None:
        super().__init__(code, detail, 422, errors)


class Unavailable(RunyardError):
    """A part Runyard needs is away (named in the message). Callers retry; messages are not parked for it."""


class Revoked(RunyardError):
    """The agent's key was rotated or revoked, or never was one: get a new key for it, and start it with that."""


class VersionConflict(RunyardError):
    """Another writer appended to `stream_id` after `expected_version`."""

    def __init__(self, stream_id: str, expected_version: int) -> None:
        super().__init__(f"stream {stream_id} is no longer at version {expected_version}")
        self.stream_id = stream_id
        self.expected_version = expected_version
