"""The way in for agents whose network lets only HTTPS out: enrolment, orders down a stream, messages up."""

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from runyard_shared.clock import Clock, rfc3339
from runyard_shared.contracts import commands
from runyard_shared.contracts.link import Enrolment, LinkMessage
from runyard_shared.errors import FieldProblem, Invalid
from runyard_shared.sealing import KEY_BYTES
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.agent_messages import AgentMessages, parse_messages
from runyard_gateway.commands import Commands
from runyard_gateway.http.answer import json_answer, nothing_answer
from runyard_gateway.http.operation import Call, Operation, RawBody
from runyard_gateway.streams.agent_links import AgentLinks

PATH = "/api/v1/agent"
MESSAGES_LIMIT_BYTES = 4 * 1024 * 1024


class AgentLink:
    """Everything here is for agents, each with its own key."""

    def __init__(self, commands: Commands, links: AgentLinks, messages: AgentMessages, clock: Clock) -> None:
        self._commands = commands
        self._links = links
        self._messages = messages
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        return (
            _operation("GET", PATH, self.who, "getOwnAgent", "Which agent this key is of", answers.OwnAgent),
            _operation("POST", f"{PATH}/enrol", self.enrol, "enrolAgent", "A process of the agent asks to be let in", Enrolment,
                       body=requests.EnrolAgent, body_required=True,
                       refusals={409: "agent_connected: another process, with another key pair, is online",
                                 422: "no_broker_accounts: only https is offered here"}),
            _operation("GET", f"{PATH}/orders", self.orders, "streamAgentOrders",
                       "Server-Sent Events: each `data` a list of orders; a comment line at least every 5 s", None,
                       answer_types=("text/event-stream",), query=requests.AgentOrdersQuery, stream=True,
                       refusals={409: "agent_connected: another process of this agent is connected"}),
            _operation("POST", f"{PATH}/messages", self.messages, "postAgentMessages",
                       "A list of what the agent has to say; 204 once all of it is safe", None, status=204, answer_types=(),
                       body=RawBody, body_items=LinkMessage, body_required=True, body_limit=MESSAGES_LIMIT_BYTES,
                       refusals={403: "not_for_this_agent: nothing of the list was taken"}),
        )  # fmt: skip

    async def who(self, call: Call) -> ASGIApp:
        agent = call.agent
        return json_answer(
            answers.OwnAgent(
                agent_id=agent.agent_id,
                tenant_id=agent.tenant_id,
                name=agent.name,
                pool=agent.pool,
                status=agent.status,
                server_time=rfc3339(self._clock.now()),
            )
        )

    async def enrol(self, call: Call) -> ASGIApp:
        body: requests.EnrolAgent = call.body
        command = commands.EnrolAgent(
            agent_id=call.agent.agent_id,
            key_hash=call.agent.key_hash,
            public_key=_public_key(body.public_key),
            version=body.version,
            transport=body.transport,
        )
        result = await self._commands.send_to_dispatcher(call, command)
        return json_answer(msgspec.convert(result, Enrolment))

    async def orders(self, call: Call) -> ASGIApp:
        query: requests.AgentOrdersQuery = call.query
        return await self._links.open(call.agent, query.instance)

    async def messages(self, call: Call) -> ASGIApp:
        body: RawBody = call.body
        await self._messages.take(call.agent, parse_messages(body.content))
        return nothing_answer()


def _public_key(text: str) -> bytes:
    try:
        key = b64decode(text, validate=True)
    except (NotBase64, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        problem = FieldProblem("publicKey", f"must be {KEY_BYTES} bytes in base64: an X25519 public key")
        raise Invalid("invalid_body", "The body is not as described in /openapi.json.", (problem,))
    return key


def _operation(
    method: str, path: str, handle: Callable[[Call], Any], name: str, summary: str, answer: Any, **options: Any
) -> Operation:
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="agent link", answer=answer, permission=None,
        for_agents=True, **options,
    )  # fmt: skip
