"""An agent speaks for itself and for nobody else."""

from typing import Any

import msgspec
import pytest
from runyard_shared.contracts.base import Message
from runyard_shared.contracts.commands import CancelExecution, Request
from runyard_shared.contracts.jobs import (
    AgentHeartbeat,
    AgentStopping,
    CancelJob,
    ConnectionProbed,
    OutputChunk,
    OutputSealed,
    RegisterAgent,
)
from runyard_shared.contracts.link import LinkMessage
from runyard_shared.contracts.reports import JobDispatched, JobFinished, JobLost, JobStarted
from runyard_shared.contracts.values import JobStatus
from runyard_shared.messaging.senders import trespass

OF: dict[str, Any] = {"tenant_id": "acme", "execution_id": "e", "job_id": "j"}
ME: dict[str, Any] = {"tenant_id": "acme", "name": "web-1", "session_id": "s"}
ALLOWED: list[Message] = [
    RegisterAgent(**ME, tags=[], capacity=1, version="1", actions=[]),
    AgentHeartbeat(**ME, leases=[]),
    AgentStopping(**ME),
    ConnectionProbed(**ME, probe_id="p", ok=True, message="", duration_ms=1),
    JobStarted(**OF, dispatch=1, agent="web-1"),
    JobFinished(**OF, dispatch=1, agent="web-1", status=JobStatus.COMPLETED, duration_ms=1),
    OutputChunk(**OF, stream="stdout", number=0, offset=0, data=b""),
    OutputSealed(**OF, seals=[]),
]
NOT_FOR_AGENTS: list[Message] = [
    JobDispatched(**OF, dispatch=1, agent="web-1"),
    JobLost(**OF, dispatch=1, agent="web-1", reason=""),
    CancelJob(job_id="j", dispatch=1),
    Request(request_id="r", tenant_id="acme", actor="web-1", command=CancelExecution(execution_id="e")),
]


def named(item: Message) -> str:
    return type(item).__name__


def test_all_that_an_agent_may_ever_say_is_tried_here() -> None:
    assert {type(item) for item in ALLOWED} == set(LinkMessage.__args__)


@pytest.mark.parametrize("item", ALLOWED, ids=named)
def test_an_agent_speaks_for_itself_and_its_tenant_only(item: Message) -> None:
    assert trespass(item, "acme", "web-1") is None
    words = "agent web-1 of tenant globex spoke for agent web-1 of tenant acme"
    assert trespass(item, "globex", "web-1") == words
    if not isinstance(item, OutputChunk | OutputSealed):
        words = "agent db-1 of tenant acme spoke for agent web-1 of tenant acme"
        assert trespass(item, "acme", "db-1") == words
        field = "agent" if isinstance(item, JobStarted | JobFinished) else "name"
        assert trespass(msgspec.structs.replace(item, **{field: "acme"}), "acme", "web-1") is not None


@pytest.mark.parametrize("item", NOT_FOR_AGENTS, ids=named)
def test_what_services_say_is_not_for_agents(item: Message) -> None:
    assert trespass(item, "acme", "web-1") == f"agent web-1 sent a {named(item)}, which is not for agents to say"
