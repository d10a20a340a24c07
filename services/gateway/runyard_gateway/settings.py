"""What a gateway can be told from outside: the only reader of the environment (`RUNYARD_…`)."""

from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

BODY_LIMIT_BYTES = 1024 * 1024
READ_MODEL_WAIT_SECONDS = 5.0


class Settings(BaseSettings):
    """Every field is an environment variable: `host` is `RUNYARD_HOST`."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_", extra="ignore")

    database_url: str = ""
    amqp_url: str = ""
    amqp_namespace: str = ""
    log_format: Literal["human", "json"] = "human"

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535, description="0 takes a free port; the service's `address` tells which")
    public_url: str = Field(default="", description="Where agents reach the gateway; empty: where the request came to")
    tenant: str = Field(default="default", min_length=1)
    admin_token: SecretStr = Field(min_length=1, description="The API key of the first administrator")
    gateway_secret: SecretStr | None = Field(
        default=None, min_length=32, description="Encrypts the secrets of webhooks; without it one is kept in the database"
    )
    command_timeout_seconds: float = Field(default=10.0, gt=0)
    connection_test_seconds: float = Field(default=60.0, gt=0, description="How long the test of a connection may take")
    body_limit_bytes: int = Field(default=BODY_LIMIT_BYTES, gt=0)
    read_model_wait_seconds: float = Field(default=READ_MODEL_WAIT_SECONDS, gt=0)
    keep_alive_seconds: float = Field(default=15.0, gt=0, description="Silence after which an event stream gets a comment line")
    stream_buffer_bytes: int = Field(
        default=16 * 1024 * 1024, gt=0, description="Unsent bytes at which a slow reader is cut off"
    )
    streams_buffer_bytes: int = Field(
        default=128 * 1024 * 1024, gt=0, description="Unsent bytes of all readers at which the slowest is cut off"
    )
    max_streams: int = Field(default=5000, gt=0, description="Event streams that may be open at once; more get a 503")
