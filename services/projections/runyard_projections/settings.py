"""The settings of this service: the only place that reads its environment."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Environment variables with the prefix RUNYARD_."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_", extra="ignore")

    database_url: str = ""
    """PostgreSQL, such as postgresql://user:password@host/database."""
    amqp_url: str = ""
    """RabbitMQ, such as amqp://user:password@host/vhost."""
    amqp_namespace: str = ""
    """Prefix of every queue and exchange, for several systems on one broker."""
    output_retention_days: int = Field(default=30, ge=0)
    """For how many days the output of a job is kept, counted from when the job was made; 0 for ever."""
    archive_dir: Path | None = None
    """Where old history is archived to; without it no history is archived, and none leaves the database."""
    log_format: Literal["human", "json"] = "human"
