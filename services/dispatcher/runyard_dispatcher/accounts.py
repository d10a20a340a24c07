"""The accounts of agents on RabbitMQ, made by its management API.

An account can do two things: hold the agent's own mailbox, and publish to the exchange `AGENTS` under routing keys that begin
with the agent's tenant and name. RabbitMQ matches names by regular expressions that it does not anchor; ours begin with `^` and
end with `\\z`, because `$` would let a line feed follow. RabbitMQ is told a hash of the password, not the password.
"""

import asyncio
import base64
import hashlib
import re
import secrets
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import quote, unquote, urlsplit

import httpx
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.amqp.queues import qualified
from runyard_shared.messaging.topology import AGENTS, agent_destinations, agent_mailbox, agent_routing_key

TIMEOUT_SECONDS: Final = 5
NOT_FOUND: Final = httpx.codes.NOT_FOUND
LOCKED: Final = httpx.codes.BAD_REQUEST
SERVER_ERROR: Final = httpx.codes.INTERNAL_SERVER_ERROR
CLOSING_PAUSES: Final = (0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
LIMITS: Final = {"max-connections": 8, "max-channels": 64}
"""An agent has one connection with three channels; the rest is for connections that the broker does not know to be dead yet."""
NOTHING: Final = r"^\z"
HASHING: Final = "rabbit_password_hashing_sha256"


class BrokerAccounts:
    """`management_url`: http(s)://user:password@host:port, of an administrator. The virtual host is that of `amqp_url`."""

    def __init__(self, management_url: str, amqp_url: str, namespace: str) -> None:
        parts = urlsplit(management_url)
        self._where = parts.netloc.rpartition("@")[2]
        self._vhost = quote(unquote(urlsplit(amqp_url).path[1:]) or "/", safe="")
        self._namespace = namespace
        self._client = httpx.AsyncClient(
            # Without the credentials: the address may be logged.
            base_url=parts._replace(netloc=self._where, path=parts.path.rstrip("/") + "/api/").geturl(),
            auth=(unquote(parts.username or "guest"), unquote(parts.password or "guest")),
            timeout=TIMEOUT_SECONDS,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def grant(self, agent_id: str, tenant_id: str, agent_name: str, password: str) -> str:
        """Make the account, or give the one there is this password; connections that are open stay open. Returns the
        username. Raises `Unavailable`; the next call finishes what was begun."""
        username = self._username(agent_id)
        mailbox = qualified(self._namespace, agent_mailbox(tenant_id, agent_name))
        agents = qualified(self._namespace, AGENTS)
        routing_keys = _exactly(*(agent_routing_key(tenant_id, agent_name, queue) for queue in agent_destinations()))
        user = quote(username, safe="")
        # Ours ends with its connection. One that is still there was made by somebody who had the account before, and would
        # be in the agent's way; one that is open now is locked, and stays.
        await self._ask("DELETE", f"queues/{self._vhost}/{quote(mailbox, safe='')}", fine={NOT_FOUND, LOCKED})
        await self._ask("PUT", f"users/{user}", {"password_hash": hashed(password), "hashing_algorithm": HASHING, "tags": ""})
        for limit, value in LIMITS.items():
            await self._ask("PUT", f"user-limits/{user}/{limit}", {"value": value})
        # Where RabbitMQ has no topic permission, every routing key is allowed: so this comes before the permission to write.
        await self._ask(
            "PUT",
            f"topic-permissions/{self._vhost}/{user}",
            {"exchange": agents, "write": routing_keys, "read": NOTHING},
        )
        await self._ask(
            "PUT",
            f"permissions/{self._vhost}/{user}",
            {"configure": _exactly(mailbox), "read": _exactly(mailbox), "write": _exactly(agents)},
        )
        return username

    async def revoke(self, agent_id: str) -> None:
        """Remove the account, if there is one; returns when none of its connections is open any more. Raises `Unavailable`:
        then call again."""
        user = quote(self._username(agent_id), safe="")
        await self._ask("DELETE", f"users/{user}", fine={NOT_FOUND})
        # RabbitMQ closes by itself what it knew of when the user was deleted; this finds a connection that was just opened.
        connections = f"connections/username/{user}"
        for pause in CLOSING_PAUSES:
            if (await self._ask("GET", connections)).json() == []:
                return
            # It fails if a connection ends meanwhile; whether any is left is asked again.
            await self._ask("DELETE", connections, fine={NOT_FOUND, SERVER_ERROR})
            await asyncio.sleep(pause)
        raise Unavailable(f"RabbitMQ has not closed the connections of {self._username(agent_id)} yet")

    def _username(self, agent_id: str) -> str:
        return qualified(self._namespace, f"agent.{agent_id}")

    async def _ask(
        self, method: str, path: str, body: Mapping[str, str | int] | None = None, *, fine: Collection[int] = ()
    ) -> httpx.Response:
        """`fine`: statuses that are no problem, besides success."""
        try:
            answer = await self._client.request(method, path, json=body)
        except httpx.HTTPError as problem:
            raise Unavailable(
                f"the management API of RabbitMQ at {self._where} cannot be reached: {str(problem) or repr(problem)}"
            ) from None
        if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            raise Unavailable(
                f"the management API of RabbitMQ at {self._where} refuses the login: RUNYARD_AMQP_MANAGEMENT_URL needs the "
                "name and password of an administrator"
            )
        if not answer.is_success and answer.status_code not in fine:
            raise Unavailable(
                f"the management API of RabbitMQ at {self._where} answered {method} {path} with {answer.status_code}: "
                f"{answer.text[:500]}"
            )
        return answer


def hashed(password: str) -> str:
    """As RabbitMQ keeps it: base64 of a salt of 4 bytes and the SHA-256 of salt and password."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def _exactly(*names: str) -> str:
    return rf"^({'|'.join(re.escape(name) for name in names)})\z"
