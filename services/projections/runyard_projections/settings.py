"""The settings of this service: the only place that reads its environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict
from runyard_shared.process_settings import OpsSettings, ServerSettings


class Settings(BaseSettings, OpsSettings, ServerSettings):
    """Environment variables with the prefix RUNYARD_."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_", extra="ignore")

    output_retention_days: int = Field(
        default=30,
        ge=0,
        description="For how many days the output of a job is kept where the tenant does [not say"
        " otherwise](../howto/retention.md), counted from when the job was made; 0 for ever. What the log and the read models"
        " say of the job stays",
    )
    archive_dir: Path | None = Field(
        default=None,
        description="Where [old history and audit logs](../howto/retention.md) are archived to. Without it nothing is"
        " archived, and none of it leaves the database",
    )
