"""Over RabbitMQ, with the account that the enrolment gave this agent.

When the broker refuses the account (it was cut off, or another process of the agent was let in since), the agent asks the
server for a new one; if that does not know the agent's key either, the agent was revoked.
"""

from pathlib import Path
from urllib.parse import quote, urlsplit

import structlog
from runyard_shared.contracts.link import AmqpAccess, Enrolment
from runyard_shared.errors import Refusal, Revoked, Unavailable
from runyard_shared.messaging.rabbit import AgentAccount, RabbitBus
from runyard_shared.sealing import CannotOpen, OpeningKey

from runyard_agent.enrolment import enrol
from runyard_agent.identity import Identity
from runyard_agent.server import Server
from runyard_agent.transport.bus import BusTransport

log = structlog.get_logger(__name__)


class AmqpTransport(BusTransport):
    """`access` is that of the enrolment. `ca_file`: trusted for the broker's certificate as well."""

    def __init__(
        self, server: Server, identity: Identity, enrolment: Enrolment, access: AmqpAccess, ca_file: Path | None
    ) -> None:
        """Raises `Unavailable` if the account cannot be used."""
        self._server = server
        self._identity = identity
        bus = RabbitBus(
            login_url(access, identity.key),
            namespace=access.namespace,
            account=AgentAccount(enrolment.tenant_id, enrolment.name),
            renew=self._new_login,
            ca_file=ca_file,
        )
        super().__init__(bus, enrolment.tenant_id, enrolment.name)

    async def _new_login(self) -> str:
        log.warning("the broker refuses this agent's account: asking the server for a new one")
        try:
            enrolment = await enrol(self._server, self._identity, "amqp")
        except Revoked as gone:
            self.revoked(str(gone))
            raise
        except Refusal as refusal:
            raise Unavailable(f"the server gives this agent no account on the broker: {refusal.detail}") from None
        if enrolment.amqp is None:
            raise Unavailable("the server gives agents no accounts on the broker any more: start the agent again")
        return login_url(enrolment.amqp, self._identity.key)


def login_url(access: AmqpAccess, key: OpeningKey) -> str:
    """With the credentials: not for logs. Raises `Unavailable` if the password was sealed for another key pair."""
    try:
        password = key.open(access.sealed_password).decode()
    except (CannotOpen, UnicodeDecodeError) as problem:
        raise Unavailable(f"the account on the broker cannot be used: {problem}") from None
    parts = urlsplit(access.url)
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{quote(access.username, safe='')}:{quote(password, safe='')}@{host}").geturl()
