"""Who may say what: an agent speaks for itself and for nobody else, whichever way its messages come.

On RabbitMQ an agent's account can publish only to the exchange `AGENTS`, under routing keys that begin with its tenant and
name; the gateway knows an agent by its key. Either way the identity is certain, and every item is held against it here.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

import msgspec

from runyard_shared.contracts.jobs import (
    AgentHeartbeat,
    AgentStatus,
    AgentStopping,
    ConnectionProbed,
    OutputChunk,
    OutputMessage,
    OutputSealed,
    RegisterAgent,
)
from runyard_shared.contracts.reports import JobFinished, JobStarted

_NAMED: Final[dict[type, Callable[[Any], Any]]] = {
    **dict.fromkeys((RegisterAgent, AgentHeartbeat, AgentStopping, ConnectionProbed), attrgetter("tenant_id", "name")),
    **dict.fromkeys((JobStarted, JobFinished), attrgetter("tenant_id", "agent")),
    **dict.fromkeys((OutputChunk, OutputSealed), attrgetter("tenant_id")),
}
"""All that an agent may say, and for whom each says it: tenant and agent, or only the tenant."""


_AGENTS_ITEM: Final = msgspec.json.Decoder(AgentStatus | OutputMessage | JobStarted | JobFinished)


def trespass_of(body: bytes, tenant_id: str, agent: str) -> str | None:
    """As `trespass`, of an item as it came."""
    try:
        return trespass(_AGENTS_ITEM.decode(body), tenant_id, agent)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        return f"agent {agent} sent what is not for agents to say: {problem}"


def trespass(item: Any, tenant_id: str, agent: str) -> str | None:
    """Why the agent may not say this; None if it may."""
    named = _NAMED.get(type(item))
    if named is None:
        return f"agent {agent} sent a {type(item).__name__}, which is not for agents to say"
    speaks_for = named(item)
    if speaks_for in ((tenant_id, agent), tenant_id):
        return None
    tenant, name = speaks_for if isinstance(speaks_for, tuple) else (speaks_for, agent)
    return f"agent {agent} of tenant {tenant_id} spoke for agent {name} of tenant {tenant}"
