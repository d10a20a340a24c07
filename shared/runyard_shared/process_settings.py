"""What processes are told in the same words. Each has a `settings.py` that builds on these and alone reads its environment."""

import sys
from collections.abc import Callable, Iterable
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, field_validator

from runyard_shared.logs import LogLevel

ADDRESSES: Final = {
    "database_url": "postgresql://user:password@host/database",
    "amqp_url": "amqp://user:password@host/vhost",
}


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

    database_url: str = Field(default="", description=f"PostgreSQL: `{ADDRESSES['database_url']}`")
    amqp_url: str = Field(default="", description=f"RabbitMQ: `{ADDRESSES['amqp_url']}`")
    amqp_namespace: str = Field(
        default="", description="Before the name of every queue and exchange, for several systems on one broker"
    )

    @field_validator("database_url")
    @classmethod
    def _is_of_postgresql(cls, url: str) -> str:
        return _address("database_url", url, "postgresql://", "postgres://")

    @field_validator("amqp_url")
    @classmethod
    def _is_of_rabbitmq(cls, url: str) -> str:
        return _address("amqp_url", url, "amqp://", "amqps://")


SettingsT = TypeVar("SettingsT", bound=ServerSettings)


def read_settings(kind: Callable[[], SettingsT], needs: Iterable[str] = tuple(ADDRESSES)) -> SettingsT:
    """Of a service, from its environment. All that is wrong with them is said at once, and the process ends with 2. `needs`:
    the servers that it talks to."""
    try:
        settings = kind()
    except ValidationError as error:
        sys.stderr.writelines(f"{_problem(tuple(map(str, each['loc'])), each['msg'])}\n" for each in error.errors())
        sys.exit(2)
    missing = [name for name in needs if not getattr(settings, name)]
    if missing:
        sys.stderr.writelines(f"{_variable((name,))} is not set: {ADDRESSES[name]}\n" for name in missing)
        sys.exit(2)
    return settings


def _address(name: str, url: str, *schemes: str) -> str:
    if url and not url.startswith(schemes):
        raise ValueError(f"must be an address such as {ADDRESSES[name]}")
    return url


def _problem(place: tuple[str, ...], message: str) -> str:
    what = message.removeprefix("Value error, ")
    return f"{_variable(place)}: {what}" if place else what


def _variable(place: tuple[str, ...]) -> str:
    return "RUNYARD_" + "_".join(place).upper()
