"""Which agent is asking: the key it enrolled with says it. Agents are no users: their keys open `/api/v1/agent/…` and nothing
else, and no user's key opens that.

As with users, an answer is remembered for a moment; whoever hears that a key was revoked or rotated has it forgotten at once.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass

from runyard_shared.agent_keys import PREFIX, hash_of

from runyard_gateway.http.identity import MAX_REMEMBERED, REMEMBER_SECONDS, Identity
from runyard_gateway.http.problems import Unauthorized
from runyard_gateway.queries.agent_keys import AgentKeyQueries


@dataclass(frozen=True, kw_only=True)
class AgentIdentity(Identity):
    """An agent, without any permission of a user. `key_hash`: SHA-256 (hex) of the key it showed."""

    agent_id: str
    name: str
    pool: str
    status: str
    key_hash: str


class AgentKeys:
    def __init__(self, queries: AgentKeyQueries) -> None:
        self._queries = queries
        self._remembered: OrderedDict[str, tuple[float, AgentIdentity]] = OrderedDict()

    async def identify(self, authorization: bytes | None) -> AgentIdentity:
        """Raises `Unauthorized`; `Unavailable`."""
        scheme, _, given = (authorization or b"").partition(b" ")
        key = given.strip().decode("latin-1")
        if scheme.lower() != b"bearer" or not key.startswith(PREFIX):
            raise Unauthorized(f"Only agents come in here: send an agent's key ({PREFIX}…) as Authorization: Bearer <key>.")
        agent = await self._look_up(hash_of(key))
        if agent is None:
            raise Unauthorized(
                "This agent key is not known here: it was rotated or revoked, or never made. Get a new one for the agent, with"
                " POST /api/v1/agents/{agentId}/rotate-key, and start it with that."
            )
        return agent

    async def still_opens(self, agent: AgentIdentity) -> bool:
        """Whether the key that the agent showed is its key now; asks the database. Raises `Unavailable`."""
        return await self.opens(agent.key_hash)

    async def opens(self, key_hash: str) -> bool:
        """Whether it is the key of an agent now; asks the database. Raises `Unavailable`."""
        return await self._queries.agent(key_hash) is not None

    def forget(self) -> None:
        """A key was revoked or rotated: nothing that is remembered counts any more."""
        self._remembered.clear()

    async def _look_up(self, key_hash: str) -> AgentIdentity | None:
        remembered = self._remembered.get(key_hash)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        asked_at = time.monotonic()
        found = await self._queries.agent(key_hash)
        if found is None:
            self._remembered.pop(key_hash, None)
            return None
        agent = AgentIdentity(
            tenant_id=found.tenant_id, actor=f"agent:{found.name}", agent_id=found.agent_id, name=found.name,
            pool=found.pool, status=found.status, key_hash=key_hash,
        )  # fmt: skip
        # counted from before the question: what was revoked meanwhile may be in the answer
        self._remembered[key_hash] = (asked_at + REMEMBER_SECONDS, agent)
        self._remembered.move_to_end(key_hash)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return agent
