"""What a gateway can be told from outside: the only reader of the environment (`RUNYARD_…`)."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from runyard_gateway.addresses import is_loopback

BODY_LIMIT_BYTES = 1024 * 1024
READ_MODEL_WAIT_SECONDS = 5.0
MIN_TOKEN = 32
MIN_DISTINCT = 10
"""Characters of an admin token, and different ones among them, where not only this machine can try it."""


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
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        default=(), description="Comma-separated networks of proxies whose X-Forwarded-For names the source of a request"
    )
    session_idle_seconds: float = Field(default=8 * 3600.0, gt=0, description="A session that is not used for so long ends")
    session_seconds: float = Field(default=24 * 3600.0, gt=0, description="A session lasts no longer than this")
    oidc_issuer: str = Field(default="", description="The identity provider, as tokens name it in `iss`; empty for none")
    oidc_audience: str = Field(default="", description="`aud` of the bearer tokens that are taken; empty: none are")
    oidc_client_id: str = Field(default="", description="The client as which people sign in; empty: they cannot")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Empty for a public client")
    oidc_scopes: str = "openid profile email"
    oidc_user_claim: str = Field(default="preferred_username", min_length=1, description="What a new user is called")
    oidc_tenant_claim: str = Field(default="", description="Which tenant; empty: all are of RUNYARD_TENANT")
    oidc_groups_claim: str = Field(default="groups", min_length=1)
    oidc_roles: dict[str, list[str]] = Field(default_factory=dict, description="Group to roles, as JSON")
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
    metrics_token: SecretStr = Field(default=SecretStr(""), description="Of /metrics; empty: shown on loopback only")
    stale_after_seconds: float = Field(
        default=300.0, gt=0, description="The gateway is not ready while read models lack something older than this"
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _separate(cls, value: object) -> object:
        return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value

    @model_validator(mode="after")
    def _nothing_guessable_is_reachable(self) -> Self:
        token = self.admin_token.get_secret_value()
        if not is_loopback(self.host) and (len(token) < MIN_TOKEN or len(set(token)) < MIN_DISTINCT):
            raise ValueError(
                f"RUNYARD_ADMIN_TOKEN could be guessed, and RUNYARD_HOST={self.host} lets others try: it needs at least"
                f" {MIN_TOKEN} random characters. Make one with `openssl rand -base64 32`, or listen on 127.0.0.1."
            )
        return self

    @model_validator(mode="after")
    def _identity_provider_is_whole(self) -> Self:
        issuer = urlsplit(self.oidc_issuer)
        if not self.oidc_issuer:
            if self.oidc_audience or self.oidc_client_id:
                raise ValueError("RUNYARD_OIDC_AUDIENCE and RUNYARD_OIDC_CLIENT_ID mean nothing without RUNYARD_OIDC_ISSUER.")
            return self
        if issuer.scheme != "https" and not (issuer.scheme == "http" and is_loopback(issuer.hostname or "")):
            raise ValueError("RUNYARD_OIDC_ISSUER must be an https:// URL; plain http:// is for loopback alone.")
        if not self.oidc_audience and not self.oidc_client_id:
            raise ValueError(
                "RUNYARD_OIDC_ISSUER is set, and nobody can come in by it: set RUNYARD_OIDC_AUDIENCE for programs that send its"
                " tokens, RUNYARD_OIDC_CLIENT_ID for people who sign in, or both."
            )
        return self
