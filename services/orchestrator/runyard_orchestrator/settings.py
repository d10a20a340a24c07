"""The orchestrator's settings: the only place that reads its environment."""

from typing import Literal

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
    cached_executions: int = 10_000
    """How many executions under way are kept in memory; others are replayed when something happens to them."""
