"""The approvals service's settings: the only place that reads its environment."""

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from runyard_shared.process_settings import OpsSettings, ServerSettings


class Settings(BaseSettings, OpsSettings, ServerSettings):
    """Environment variables with the prefix RUNYARD_."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_")

    public_url: str = Field(
        default="http://127.0.0.1:8080", description="Where people reach the gateway: what links in notifications begin with"
    )
    approvals_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Encrypts channels and signs links; the same for every process. During"
        " [a rotation](../howto/connections.md#change-the-master-key) the new one, a comma and the old one. **Set it in"
        " production**: without it one"
        " is made and kept in the database, beside what it protects. Channels saved and links signed before it was set stay"
        " valid",
    )
    allow_private_notifications: bool = Field(
        default=False,
        description="Whether notifications may go to private, loopback and link-local addresses (`make run` and `make up` set"
        " it). An HTTP proxy in such a network needs it as well",
    )
    notification_attempts: int = Field(default=5, ge=1, description="How often a message is sent to a channel that fails")
    notification_retry_seconds: float = Field(
        default=5.0, gt=0, description="Pause after the first failure; each further one is 4 times longer, up to 10 minutes"
    )
