"""What a dispatcher can be told from outside: the only reader of the environment (`RUNYARD_…`)."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from runyard_shared.process_settings import OpsSettings, ServerSettings


@dataclass(frozen=True)
class Patience:
    """How long to wait for agents. A heartbeat is expected every `heartbeat_seconds`; after `offline_after_seconds` of silence
    the agent is offline; a lease it does not list is sent again when it is `resend_after_seconds` old."""

    heartbeat_seconds: float = 10
    offline_after_seconds: float = 30
    resend_after_seconds: float = 5


class Settings(BaseSettings, OpsSettings, ServerSettings):
    """Every field is an environment variable: `database_url` is `RUNYARD_DATABASE_URL`."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_", extra="ignore")

    heartbeat_seconds: float = Field(default=10, gt=0, description="How often agents report; they learn it when they enrol")
    offline_after_seconds: float = Field(
        default=30,
        gt=0,
        description="Silence after which an agent is offline; agents learn it when they enrol, and start nothing new after"
        " two thirds of it",
    )
    resend_after_seconds: float = Field(
        default=5, ge=0, description="Age at which a lease that its agent does not list is sent again"
    )
    rescue_every_seconds: float = Field(default=1, gt=0, description="How often silence is measured and reasons are renewed")

    master_keys: SecretStr | None = Field(
        default=None,
        description="Secrets of at least 128 bits (`openssl rand -base64 32`), comma-separated, the newest first: the secrets"
        " of [connections](../howto/connections.md) are encrypted with the first. Without one no secret can be stored",
    )
    amqp_management_url: str = Field(
        default="",
        description="RabbitMQ's management API, `http://user:password@host:15672`, of an administrator: gives each agent an"
        " account of its own. Without it agents come by HTTPS only",
    )
    agent_amqp_url: str = Field(
        default="",
        description="Where agents find RabbitMQ, `amqps://broker.example.com/vhost`; else where this service does, without"
        " its credentials",
    )
    probe_timeout_seconds: float = Field(default=20, gt=0, description="How long an agent may try a connection out")

    @property
    def keys(self) -> str:
        """The master keys in plain text, as they were given."""
        return "" if self.master_keys is None else self.master_keys.get_secret_value()

    @property
    def broker_url(self) -> str:
        """Where agents find the broker: without credentials, they have their own."""
        url = urlsplit(self.agent_amqp_url or self.amqp_url)
        return url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()

    @property
    def patience(self) -> Patience:
        return Patience(self.heartbeat_seconds, self.offline_after_seconds, self.resend_after_seconds)
