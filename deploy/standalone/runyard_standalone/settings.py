"""What standalone can be told from outside: the only reader of the environment (`RUNYARD_…`)."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict
from runyard_shared.logs import LogLevel

EXAMPLES = Path(__file__).parents[3] / "examples"
"""Of the working copy that this package is installed from."""


class Settings(BaseSettings):
    """Field `data_dir` is read from `RUNYARD_DATA_DIR`, and so on."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_", extra="ignore")

    data_dir: Path = Field(default=Path(".runyard"), description="Where everything is kept")
    port: int | None = Field(
        default=None, ge=0, le=65535, description="Where it listens, on loopback; else 8080, or a free one if that is taken"
    )
    admin_token: SecretStr | None = Field(
        default=None,
        min_length=1,
        description="The API key of the administrator; else one is made and kept in the data directory",
    )
    demo: bool = Field(default=True, description="Apply the examples and run the first of them")
    examples_dir: Path = Field(default=EXAMPLES, description="Where the examples are; else those of the working copy")
    log_format: Literal["human", "json"] = Field(default="human", description="Of the log: lines for people, or JSON objects")
    log_level: LogLevel = Field(
        default="info", description="Of the log: what is less is left out; debug, info, warning or error"
    )
    tracing: bool = Field(
        default=False, description="Spans go to an OpenTelemetry collector; to which is said by its own variables, `OTEL_…`"
    )
