"""What can be set on an agent. The only reader of the environment (`RUNYARD_AGENT_NAME`, `RUNYARD_AMQP_URL`, …)."""

import socket
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Settings(BaseSettings):
    """Field `agent_name` is read from `RUNYARD_AGENT_NAME`, and so on."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_", extra="ignore", frozen=True)

    amqp_url: str = "amqp://guest:guest@127.0.0.1:5672/"
    amqp_namespace: str = Field(default="", description="As all processes of the same system have it")
    log_format: Literal["human", "json"] = "human"
    tenant_id: str = "default"

    agent_name: str = Field(default_factory=socket.gethostname, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")
    agent_pool: str = Field(default="default", min_length=1)
    agent_tags: Annotated[list[str], NoDecode] = Field(default=[], description="Comma-separated")
    agent_capacity: int = Field(default=10, ge=1, le=10_000, description="How many jobs run at the same time")

    heartbeat_seconds: float = Field(default=10, gt=0)
    offline_after_seconds: float = Field(default=30, gt=0, description="The dispatcher's setting of the same name")
    stop_grace_seconds: float = Field(default=30, ge=0, description="How long running jobs may go on when the agent stops")
    kill_grace_seconds: float = Field(default=5, ge=0, description="Between TERM and KILL of a job's processes")

    http_connect_timeout_seconds: float = Field(default=10, gt=0)
    http_read_timeout_seconds: float = Field(default=300, gt=0, description="The longest silence of a server")

    ssh_connect_timeout_seconds: float = Field(default=15, gt=0)
    ssh_known_hosts: Path | None = Field(default=None, description="Default: ~/.ssh/known_hosts. Unknown hosts are refused")
    ssh_identity_files: Annotated[list[Path], NoDecode] = Field(default=[], description="Comma-separated; default: ssh's own")
    ssh_username: str | None = Field(default=None, description="Where a job names no user")

    @field_validator("agent_tags", "ssh_identity_files", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @property
    def contact_seconds(self) -> float:
        """Without contact to the broker for this long, nothing new is started: the dispatcher may soon give the jobs away."""
        return self.offline_after_seconds * 2 / 3
