"""Request and reply over a bus."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from runyard_shared.contracts.commands import ActivateWorkflow, Reply, Request
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.requests import Requests, post_replies
from runyard_shared.messaging.topology import orchestrator_inbox_partition, reply_mailbox

INBOX = orchestrator_inbox_partition(0)


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    bus = MemoryBus()
    yield bus
    await bus.close()


@pytest.fixture
async def requests(bus: MemoryBus) -> Requests:
    requests = Requests(bus, "gateway-1")
    await requests.open()
    return requests


async def ask(requests: Requests, workflow_id: str, timeout_seconds: float = 30) -> Reply:
    command = ActivateWorkflow(workflow_id=workflow_id)
    return await requests.ask(INBOX, command, tenant_id="default", actor="ada", timeout_seconds=timeout_seconds)


def answer(request: Request) -> tuple[str, Reply]:
    assert isinstance(request.command, ActivateWorkflow)
    assert request.reply_to is not None
    return request.reply_to, Reply(request_id=request.request_id, result={"id": request.command.workflow_id})


async def test_each_of_many_who_ask_at_once_gets_its_own_reply(bus: MemoryBus, requests: Requests) -> None:
    async def reply(asked: Sequence[Request]) -> None:
        await post_replies(bus, [answer(request) for request in reversed(asked)])

    await bus.consume(INBOX, Request, reply)
    replies = await asyncio.gather(*(ask(requests, f"workflow-{number}") for number in range(50)))
    assert [reply.result for reply in replies] == [{"id": f"workflow-{number}"} for number in range(50)]


async def test_who_asked_is_told_what_did_not_answer(bus: MemoryBus, requests: Requests) -> None:
    async def say_nothing(asked: Sequence[Request]) -> None:
        assert asked

    await bus.consume(INBOX, Request, say_nothing)
    with pytest.raises(Unavailable, match=r"orchestrator\.inbox\.0 did not answer within 0\.05 s: is the orchestrator running"):
        await ask(requests, "workflow", 0.05)


async def test_a_reply_that_comes_twice_or_late_harms_nobody(bus: MemoryBus, requests: Requests) -> None:
    asked: list[Request] = []

    async def reply_twice(requests: Sequence[Request]) -> None:
        asked.extend(requests)
        if len(asked) > 1:
            await post_replies(bus, [answer(request) for request in [*asked, *asked]])

    await bus.consume(INBOX, Request, reply_twice)
    with pytest.raises(Unavailable):
        await ask(requests, "late", 0.05)
    assert (await ask(requests, "twice")).result == {"id": "twice"}
    assert (await ask(requests, "after")).result == {"id": "after"}


async def test_the_mailbox_is_free_again_after_closing(bus: MemoryBus, requests: Requests) -> None:
    await requests.close()
    again = Requests(bus, "gateway-1")
    await again.open()
    await bus.post(reply_mailbox("gateway-1"), [Reply(request_id="unknown")])
    await again.close()
