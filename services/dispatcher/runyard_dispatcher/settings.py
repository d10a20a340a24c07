"""What a dispatcher can be told from outside: the only reader of the environment (`RUNYARD_…`)."""

from dataclasses import dataclass
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


@dataclass(frozen=True)
class Patience:
    """How long to wait for agents. A heartbeat is expected every `heartbeat_seconds`; after `offline_after_seconds` of silence
    the agent is offline; a lease it does not list is sent again when it is `resend_after_seconds` old."""

    heartbeat_seconds: float = 10
    offline_after_seconds: float = 30
    resend_after_seconds: float = 5


class Settings(BaseSettings):
    """Every field is an environment variable: `database_url` is `RUNYARD_DATABASE_URL`."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_", extra="ignore")

    database_url: str = ""
    amqp_url: str = ""
    amqp_namespace: str = ""
    log_format: Literal["human", "json"] = "human"

    heartbeat_seconds: float = Field(default=10, gt=0)
    offline_after_seconds: float = Field(default=30, gt=0)
    resend_after_seconds: float = Field(default=5, ge=0)
    rescue_every_seconds: float = Field(default=1, gt=0, description="How often silence is measured and reasons are renewed")

    @property
    def patience(self) -> Patience:
        return Patience(self.heartbeat_seconds, self.offline_after_seconds, self.resend_after_seconds)
