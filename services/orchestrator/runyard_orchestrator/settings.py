"""The orchestrator's settings: the only place that reads its environment."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from runyard_shared.process_settings import OpsSettings, ServerSettings


class Settings(BaseSettings, OpsSettings, ServerSettings):
    """Environment variables with the prefix RUNYARD_."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_")

    cached_executions: int = Field(
        default=10_000, description="Executions under way kept in memory; others are replayed when something happens to them"
    )
