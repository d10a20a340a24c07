"""What an action is: the interface for those that come with Runyard and for installed packages alike (R58).

A package offers an action with an entry point in the group `runyard.actions`: the action type as name, a subclass of
`Action` as value. The agent makes one instance, and runs many jobs with it at the same time.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

from pydantic import BaseModel
from runyard_shared.contracts.actions import ACTIONS
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.jobs import RunJob
from runyard_shared.contracts.values import ErrorInfo, JobStatus
from runyard_shared.errors import RunyardError

from runyard_agent.delivery import Delivery
from runyard_agent.output import JobOutput, OutputStream
from runyard_agent.redaction import Redactor
from runyard_agent.settings import Settings

P = TypeVar("P", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended: `completed` with an output, or `failed` with an error and what output there is."""

    status: JobStatus
    output: Mapping[str, Any] = field(default_factory=dict)
    error: ErrorInfo | None = None

    @classmethod
    def completed(cls, output: Mapping[str, Any]) -> "Outcome":
        return cls(JobStatus.COMPLETED, output)

    @classmethod
    def failed(
        cls,
        reason: str,
        message: str,
        output: Mapping[str, Any] | None = None,
        *,
        exit_code: int | None = None,
        status_code: int | None = None,
    ) -> "Outcome":
        """`reason` is one of `ErrorInfo`; `message` says what went wrong in words that stand alone."""
        error = ErrorInfo(reason=reason, message=message, exit_code=exit_code, status_code=status_code)
        return cls(JobStatus.FAILED, output or {}, error)


class InvalidParams(RunyardError):
    """Parameters that their model accepts and the action cannot use. `problems` are ready to read, `path: what to do`."""

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Unusable(RunyardError):
    """An installed action cannot be used on this host. Raised when its module or its instance is made; the text says what to
    do: `install runyard-agent[database]`."""


class ProbeFailed(RunyardError):
    """A connection was tried out and does not work. The text says why, and what to do, to people."""


class Context:
    """What a running action has of its job: who it is, its connection if it has one, and the streams to write its output to.
    `traceparent`: the W3C trace context for whatever it calls, where the execution is traced.

    Whatever a job gives (streams, output, error) is redacted: the connection's secrets are in none of it.
    """

    __slots__ = ("_delivery", "_redactor", "connection", "job", "output", "traceparent")

    def __init__(
        self,
        job: RunJob,
        delivery: Delivery,
        connection: OpenedConnection | None = None,
        redactor: Redactor | None = None,
        *,
        traceparent: str | None = None,
    ) -> None:
        self.job = job
        self.traceparent = traceparent
        self.connection = connection
        self.output: JobOutput | None = None
        self._delivery = delivery
        self._redactor = redactor

    def stream(self, name: str) -> OutputStream:
        """The output stream of that name (`stdout`, `stderr`, `body`); made at the first call."""
        if self.output is None:
            job = self.job
            self.output = JobOutput(job.tenant_id, job.execution_id, job.job_id, self._delivery, self._redactor)
        return self.output.stream(name)

    def output_so_far(self) -> dict[str, Any]:
        """The text of each stream by its name, and `truncated`; empty if there are no streams."""
        streams = self.output.streams if self.output is not None else []
        texts: dict[str, Any] = {stream.name: stream.text() for stream in streams}
        return texts | {"truncated": any(stream.truncated for stream in streams)} if streams else {}


class Action(ABC, Generic[P]):
    """One action type. `params` is validated before `run`; all problems are reported at once as a failed job.

    `output` documents what it gives. `connections`: the kinds it can use; `needs_connection`: it cannot do without. A type
    that comes with Runyard has all four from `ACTIONS`: `class BashScript(Action[BashParams], built_in="script.bash")`.
    """

    params: type[P]
    output: type[BaseModel] | None = None
    connections: tuple[str, ...] = ()
    needs_connection: bool = False

    def __init_subclass__(cls, *, built_in: str | None = None, **more: Any) -> None:
        super().__init_subclass__(**more)
        if built_in is not None:
            spec = ACTIONS[built_in]
            cls.params = cast("type[P]", spec.params)
            cls.output, cls.connections, cls.needs_connection = spec.output, spec.connections, spec.needs_connection

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    async def run(self, params: P, context: Context) -> Outcome:
        """Do the job once.

        A timeout, a forced cancel and the end of the agent cancel the task, at most once. End in `except CancelledError` what
        was started (`settings.kill_grace_seconds` is the time between asking and forcing), then let the `CancelledError` go:
        the agent reports the status, with what was written to the streams. Any other exception is a failed job with the
        reason `exception` and its text as the message.
        """

    async def close(self) -> None:
        """The agent stops; no job runs any more."""
        return
