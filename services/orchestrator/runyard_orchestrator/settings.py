"""The orchestrator's settings: the only place that reads its environment."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Environment variables with the prefix RUNYARD_."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_")

    database_url: str = Field(default="", description="PostgreSQL: `postgresql://user:password@host/database`")
    amqp_url: str = Field(default="", description="RabbitMQ: `amqp://user:password@host/vhost`")
    amqp_namespace: str = Field(
        default="", description="Before the name of every queue and exchange, for several systems on one broker"
    )
    log_format: Literal["human", "json"] = Field(default="human", description="Of the log: lines for people, or JSON objects")
    cached_executions: int = Field(
        default=10_000, description="Executions under way kept in memory; others are replayed when something happens to them"
    )
