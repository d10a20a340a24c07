"""The kinds of connections (R59): for each what it is configured with, and which secrets it has. One definition for the API,
the form of the web app, publish and agent.

`config` is shown to whoever may see connections. `secrets` are given once and never shown: sealed for the dispatcher by the
gateway, and for the chosen agent by the dispatcher.
"""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Secret = Annotated[str, Field(min_length=4, max_length=65_536, json_schema_extra={"writeOnly": True, "format": "password"})]
"""At least 4 characters: a shorter one could not be hidden in an output without hiding half of it."""
Host = Annotated[str, Field(min_length=1, max_length=253)]
Port = Annotated[int, Field(ge=1, le=65_535)]
Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2_000)]


class Part(BaseModel):
    """camelCase on the wire; unknown fields are errors."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, extra="forbid", frozen=True)


class SshConfig(Part):
    """`host` is for jobs that name none. `known_hosts`: lines as in a known_hosts file; without them the agent's own count."""

    username: str | None = None
    host: Host | None = None
    port: Port = 22
    known_hosts: str | None = None


class SshSecrets(Part):
    password: Secret | None = None
    private_key: Secret | None = None
    passphrase: Secret | None = None


class HttpConfig(Part):
    """`base_url` is put before a `url` that begins with `/`, and is the only place its secrets are sent to. `ca_certificate`:
    PEM, trusted beside the public ones. `header`: where `token` goes, as `Bearer` if it is authorization."""

    base_url: Url
    username: str | None = None
    header: str = "authorization"
    headers: dict[str, str] = Field(default_factory=dict)
    ca_certificate: str | None = None
    verify_tls: bool = True


class HttpSecrets(Part):
    password: Secret | None = None
    token: Secret | None = None


class ChatConfig(Part):
    """Slack and Teams."""


class ChatSecrets(Part):
    webhook_url: Annotated[
        str, Field(pattern=r"^https?://[^\s]+$", json_schema_extra={"writeOnly": True, "format": "password"})
    ]


class SmtpConfig(Part):
    """`sender`: the address that mails come from."""

    host: Host
    port: Port = 587
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    sender: Annotated[str, Field(min_length=3, max_length=320)]
    ca_certificate: str | None = None


class SmtpSecrets(Part):
    password: Secret | None = None


class PostgresqlConfig(Part):
    host: Host
    port: Port = 5432
    database: Annotated[str, Field(min_length=1)]
    username: Annotated[str, Field(min_length=1)]
    tls: Literal["disable", "prefer", "require", "verify-full"] = "prefer"
    ca_certificate: str | None = None


class PostgresqlSecrets(Part):
    password: Secret | None = None


class KubernetesConfig(Part):
    """`server`: of the API, `https://10.0.0.1:6443`."""

    server: Url
    namespace: str = "default"
    ca_certificate: str | None = None
    verify_tls: bool = True


class KubernetesSecrets(Part):
    token: Secret


class SecretsConfig(Part):
    """A bag of secrets for scripts, which get each as a variable of its name, and for actions of installed packages."""

    values: dict[str, str] = Field(default_factory=dict)


class NamedSecrets(BaseModel):
    """Any names."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, Secret]


class ConnectionKind(msgspec.Struct, frozen=True, kw_only=True):
    config: type[BaseModel]
    secrets: type[BaseModel]


CONNECTION_KINDS: dict[str, ConnectionKind] = {
    "ssh": ConnectionKind(config=SshConfig, secrets=SshSecrets),
    "http": ConnectionKind(config=HttpConfig, secrets=HttpSecrets),
    "slack": ConnectionKind(config=ChatConfig, secrets=ChatSecrets),
    "teams": ConnectionKind(config=ChatConfig, secrets=ChatSecrets),
    "smtp": ConnectionKind(config=SmtpConfig, secrets=SmtpSecrets),
    "postgresql": ConnectionKind(config=PostgresqlConfig, secrets=PostgresqlSecrets),
    "kubernetes": ConnectionKind(config=KubernetesConfig, secrets=KubernetesSecrets),
    "secrets": ConnectionKind(config=SecretsConfig, secrets=NamedSecrets),
}


class OpenedConnection(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What is in the box that an agent gets: its JSON, sealed for the agent's public key. Never logged, never in an event."""

    name: str
    kind: str
    config: dict[str, Any]
    secrets: dict[str, str]

    def __repr__(self) -> str:
        return f"OpenedConnection(name={self.name!r}, kind={self.kind!r})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Tracebacks that show local variables show them with this."""
        return [("name", self.name), ("kind", self.kind)]
