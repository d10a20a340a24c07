"""One operation of the API: what routes to it, what it accepts, what it answers and who handles it, in one place.

The router, the checks before a handler and the OpenAPI document are all made from these, so they cannot disagree.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, get_type_hints

from pydantic import BaseModel
from runyard_shared.ids import derived_id, new_id
from starlette.types import ASGIApp

from runyard_gateway.audit import Record
from runyard_gateway.http.agent_keys import AgentIdentity
from runyard_gateway.http.identity import Identity
from runyard_gateway.permissions import Permission
from runyard_gateway.shown_once import is_shown_once


@dataclass(slots=True)
class Call:
    """A request that has passed the checks of its operation: `query` and `body` are instances of its models.

    `once`: with an Idempotency-Key, since when the command is asked for, and by whom with which key.
    """

    identity: Identity
    path: Mapping[str, str]
    headers: Mapping[bytes, bytes]
    query: Any
    body: Any
    source: str = ""
    """The address it came from."""
    audited_as: Record | None = None
    once: tuple[datetime, str] | None = None
    made: int = 0

    @property
    def tenant_id(self) -> str:
        return self.identity.tenant_id

    @property
    def agent(self) -> AgentIdentity:
        """Who calls an operation `for_agents`."""
        if not isinstance(self.identity, AgentIdentity):
            raise TypeError("this operation is not for agents")
        return self.identity

    @property
    def record(self) -> Record:
        """What the audit log will say of this command. A public operation calls `claim` on it once it knows on whose behalf
        it acts."""
        if self.audited_as is None:
            raise TypeError("this operation is no command")
        return self.audited_as

    def new_id(self) -> str:
        """For what the command makes. With an Idempotency-Key, the same ones in the same order if it is carried out again."""
        if self.once is None:
            return new_id()
        self.made += 1
        return derived_id(*self.once, self.made)

    def request_id(self, *about: str) -> str:
        """For what is sent to a service. With an Idempotency-Key, the same one for the same `about` if the command is carried
        out again: a service answers a request that it knows as it did before."""
        return new_id() if self.once is None else derived_id(*self.once, "request", *about)

    def on_behalf_of(self, identity: Identity) -> "Call":
        """The same call of somebody whom only its handler knows."""
        return replace(self, identity=identity)

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")


@dataclass(slots=True)
class RawBody:
    """A body for the handler itself to read, of one of the operation's `body_types`."""

    content: bytes
    media_type: str


Handler = Callable[[Call], Awaitable[ASGIApp]]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """`answer` is a msgspec type or None for no JSON; `body` a pydantic model, or `RawBody`: then `body_schema` (a model too)
    or, for a list, `body_items` (a msgspec type) describes it.

    `permission`: without it the answer is 403; None for what anybody with a key may ask. `public`: without any key.
    `for_agents`: with the key of an agent, and with no other. `body_limit`: in bytes, None for that of the gateway.
    `signs_in`: a GET that is a command nevertheless. `changes_nothing`: a POST that is none, as its body is a question.
    """

    method: str
    path: str
    handle: Handler
    name: str
    summary: str
    tag: str
    status: int = 200
    answer: Any = None
    answer_types: tuple[str, ...] = ("application/json",)
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    query: type[BaseModel] | None = None
    body: type[BaseModel] | type[RawBody] | None = None
    body_types: tuple[str, ...] = ("application/json",)
    body_schema: type[BaseModel] | None = None
    body_items: Any = None
    body_required: bool = False
    request_headers: Mapping[str, str] = field(default_factory=dict)
    refusals: Mapping[int, str] = field(default_factory=dict)
    permission: Permission | None
    public: bool = False
    for_agents: bool = False
    body_limit: int | None = None
    stream: bool = False
    signs_in: bool = False
    changes_nothing: bool = False

    @property
    def is_command(self) -> bool:
        """Whether the audit log has it."""
        return (self.method != "GET" or self.signs_in) and not self.for_agents and not self.changes_nothing

    @property
    def takes_idempotency_key(self) -> bool:
        """Whether it is a command of somebody who says who he is."""
        return self.method not in {"GET", "HEAD"} and not self.public and not self.for_agents and not self.changes_nothing

    @property
    def holds_secret(self) -> bool:
        """Whether its answer shows one (`ShownOnce`), which is then kept nowhere."""
        hints = get_type_hints(self.answer, include_extras=True) if self.answer is not None else {}
        return any(is_shown_once(hint) for hint in hints.values())
