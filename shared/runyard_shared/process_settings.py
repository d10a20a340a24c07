"""What processes are told in the same words. Each has a `settings.py` that builds on these and alone reads its environment."""

from typing import Literal

from pydantic import BaseModel, Field

from runyard_shared.logs import LogLevel


class LogSettings(BaseModel):
    """Of every process."""

    log_format: Literal["human", "json"] = Field(default="human", description="Of the log: lines for people, or JSON objects")
    log_level: LogLevel = Field(
        default="info", description="Of the log: what is less is left out; debug, info, warning or error"
    )
    tracing: bool = Field(
        default=False, description="Spans go to an OpenTelemetry collector; to which is said by its own variables, `OTEL_…`"
    )


class OpsSettings(LogSettings):
    """Of every process but the gateway, which answers at its own address."""

    ops_host: str = Field(
        default="127.0.0.1",
        description="Where this process answers `/metrics`, `/healthz` and `/readyz`, to anybody who reaches it",
    )
    ops_port: int | None = Field(
        default=None, ge=0, le=65535, description="The port for [what it says of itself](../howto/monitor.md); none: nowhere"
    )


class ServerSettings(BaseModel):
    """Of every service: the servers they share."""

    database_url: str = Field(default="", description="PostgreSQL: `postgresql://user:password@host/database`")
    amqp_url: str = Field(default="", description="RabbitMQ: `amqp://user:password@host/vhost`")
    amqp_namespace: str = Field(
        default="", description="Before the name of every queue and exchange, for several systems on one broker"
    )
