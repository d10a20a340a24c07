"""What a decision gives: the answer to whoever asked, and what happened, for the stream of the thing it happened to."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from runyard_shared.contracts.base import Event


class Subject(Protocol):
    """An agent, a pool or a connection: a stream of the dispatcher's log. `log_version`: the stream's, as far as the table
    knows."""

    tenant_id: str
    name: str
    log_version: int

    @property
    def stream_id(self) -> str: ...


@dataclass(frozen=True)
class Happening:
    subject: Subject
    event: Event


@dataclass(frozen=True)
class Asked:
    """Who asked, when, and the request's id, which is that of what it makes if the command names none."""

    tenant_id: str
    actor: str
    request_id: str
    at: datetime


@dataclass(frozen=True)
class Decision:
    """`result` goes to whoever asked. Without a happening nothing has changed: it was so already."""

    result: dict[str, Any]
    happening: Happening | None = None
