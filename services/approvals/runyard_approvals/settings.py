"""The approvals service's settings: the only place that reads its environment."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Environment variables with the prefix RUNYARD_."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_")

    database_url: str = ""
    """PostgreSQL, such as postgresql://user:password@host/database."""
    amqp_url: str = ""
    """RabbitMQ, such as amqp://user:password@host/vhost."""
    amqp_namespace: str = ""
    """Prefix of every queue and exchange, for several systems on one broker."""
    log_format: Literal["human", "json"] = "human"
    public_url: str = "http://127.0.0.1:8080"
    """Where people reach the gateway: what links in notifications begin with."""
    approvals_secret: SecretStr | None = Field(default=None, min_length=32)
    """Encrypts channels and signs links. Without it one is made and kept in the database, beside what it protects."""
    allow_private_notifications: bool = False
    """Whether notifications may go to private, loopback and link-local addresses."""
    notification_attempts: int = Field(default=5, ge=1)
    """How often a message is sent to a channel that fails."""
    notification_retry_seconds: float = Field(default=5.0, gt=0)
    """Pause after the first failed attempt; each further one is 4 times longer, up to 10 minutes."""
