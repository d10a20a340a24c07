"""Who may say what: an agent speaks for itself and for nobody else, whichever way its messages come.

On RabbitMQ an agent's account can publish only to the exchange `AGENTS`, under routing keys that begin with its tenant and
name; the gateway knows an agent by its key. Either way the identity is certain, and every item is held against it here.
"""

from typing import Any

from runyard_shared.contracts.jobs import (
    AgentHeartbeat,
    AgentStopping,
    ConnectionProbed,
    OutputChunk,
    OutputSealed,
    RegisterAgent,
)
from runyard_shared.contracts.reports import JobFinished, JobStarted


def trespass(item: Any, tenant_id: str, agent: str) -> str | None:
    """Why the agent may not say this; None if it may."""
    match item:
        case RegisterAgent() | AgentHeartbeat() | AgentStopping() | ConnectionProbed():
            speaks_for = item.name
        case JobStarted() | JobFinished():
            speaks_for = item.agent
        case OutputChunk() | OutputSealed():
            speaks_for = agent
        case _:
            return f"agent {agent} sent a {type(item).__name__}, which is not for agents to say"
    if item.tenant_id != tenant_id or speaks_for != agent:
        return f"agent {agent} of tenant {tenant_id} spoke for agent {speaks_for} of tenant {item.tenant_id}"
    return None
