"""What can be set on an agent. The only reader of the environment (`RUNYARD_URL`, `RUNYARD_AGENT_KEY_FILE`, …).

An agent knows where its server is and has a key; its name, its tenant and its pool are what the key was made for.
"""

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from runyard_shared.process_settings import OpsSettings

_SYSTEM_STATE: Final = Path("/var/lib/runyard-agent")


def default_state_dir() -> Path:
    """`$XDG_STATE_HOME/runyard-agent`; without that variable `/var/lib/runyard-agent` where this user may write, else
    `~/.local/state/runyard-agent`."""
    if chosen := os.environ.get("XDG_STATE_HOME"):
        return Path(chosen) / "runyard-agent"
    if os.access(_SYSTEM_STATE if _SYSTEM_STATE.exists() else _SYSTEM_STATE.parent, os.W_OK | os.X_OK):
        return _SYSTEM_STATE
    return Path.home() / ".local" / "state" / "runyard-agent"


class Settings(BaseSettings, OpsSettings):
    """Field `agent_tags` is read from `RUNYARD_AGENT_TAGS`, and so on."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_", extra="ignore", frozen=True, hide_input_in_errors=True)

    url: str | None = Field(default=None, description="The server: `https://runyard.example.com`. `http://` is for loopback")
    agent_key: SecretStr | None = Field(default=None, description="The agent's key, instead of a file")
    agent_key_file: Path | None = Field(default=None, description="A file with the agent's key, read when the agent starts")
    agent_transport: Literal["auto", "amqp", "https"] = Field(
        default="auto", description="`auto`: RabbitMQ if the server offers it and it can be reached within 10 s, else HTTPS"
    )
    agent_state_dir: Path = Field(
        default_factory=default_state_dir,
        description="Its key pair and unsent results, one directory for each agent, mode 0700. By itself"
        " `$XDG_STATE_HOME/runyard-agent`; without that variable `/var/lib/runyard-agent` if it can be written, else"
        " `~/.local/state/runyard-agent`",
    )
    agent_ca_file: Path | None = Field(
        default=None,
        description="Certificates (PEM) of a private authority, trusted for the server and for RabbitMQ beside the public ones",
    )
    agent_allow_http: bool = Field(default=False, description="Whether the key may travel over a network in plain text")

    agent_tags: Annotated[list[str], NoDecode] = Field(default=[], description="Beside the tags that it was given")
    agent_capacity: int = Field(default=10, ge=1, le=10_000, description="How many jobs run at the same time")

    spool_limit_bytes: int = Field(
        default=1 << 30, ge=0, description="Disk space for output that the server has not taken; results are always kept"
    )
    stop_grace_seconds: float = Field(default=30, ge=0, description="How long running jobs may go on when the agent stops")
    kill_grace_seconds: float = Field(default=5, ge=0, description="Between TERM and KILL of a job's processes")

    http_connect_timeout_seconds: float = Field(default=10, gt=0, description="Of `http.request`")
    http_read_timeout_seconds: float = Field(
        default=300, gt=0, description="Of `http.request`: the longest silence of a server"
    )

    ssh_connect_timeout_seconds: float = Field(default=15, gt=0, description="Of `ssh.…`")
    ssh_known_hosts: Path | None = Field(
        default=None, description="Else `~/.ssh/known_hosts`. [Unknown hosts are refused](../howto/reach-hosts-over-ssh.md)"
    )
    ssh_identity_files: Annotated[list[Path], NoDecode] = Field(default=[], description="Private keys; else ssh's own")
    ssh_username: str | None = Field(default=None, description="Where a job names no user")

    @field_validator("agent_tags", "ssh_identity_files", mode="before")
    @classmethod
    def _split_at_commas(cls, value: object) -> object:
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("url")
    @classmethod
    def _without_a_slash(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "http://nowhere")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be the address of the server, like https://runyard.example.com")
        return value.rstrip("/") if value else None

    @model_validator(mode="after")
    def _no_key_in_plain_text(self) -> "Settings":
        parts = urlsplit(self.url or "")
        if parts.scheme == "http" and not (self.agent_allow_http or _is_loopback(parts.hostname or "")):
            raise ValueError(
                "url: http:// would send the agent's key over the network in plain text: use https://, "
                "or set RUNYARD_AGENT_ALLOW_HTTP=true if that network is yours alone"
            )
        return self


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
