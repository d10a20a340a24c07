"""What a gateway can be told from outside: the only reader of the environment (`RUNYARD_…`)."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from runyard_shared.process_settings import LogSettings, ServerSettings

from runyard_gateway.addresses import is_loopback

BODY_LIMIT_BYTES = 1024 * 1024
READ_MODEL_WAIT_SECONDS = 5.0
MIN_TOKEN = 32
MIN_DISTINCT = 10
"""Characters of an admin token, and different ones among them, where not only this machine can try it."""


class Settings(BaseSettings, LogSettings, ServerSettings):
    """Every field is an environment variable: `host` is `RUNYARD_HOST`."""

    model_config = SettingsConfigDict(env_prefix="RUNYARD_", extra="ignore")

    access_log: bool = Field(default=True, description="Whether the log has a line for each request")

    host: str = Field(default="127.0.0.1", description="The address that the gateway listens on")
    port: int = Field(default=8080, ge=0, le=65535, description="Where the gateway listens; 0 takes a free port")
    public_url: str = Field(
        default="",
        description="Where people and agents reach the gateway: the command lines that start agents, and the addresses of"
        " webhooks, name it; else where the request came to",
    )
    tenant: str = Field(default="default", min_length=1, description="The tenant of the first administrator")
    admin_token: SecretStr = Field(
        min_length=1,
        description="The API key of the first administrator; at least 32 random characters if `RUNYARD_HOST` is not loopback",
    )
    gateway_secret: SecretStr | None = Field(
        default=None,
        min_length=32,
        description="Encrypts the secrets of webhooks; the same for every gateway. During"
        " [a rotation](../howto/connections.md#change-the-master-key) the new one, a comma and the old one. **Set it in"
        " production**: without it one"
        " is made and kept in the database, beside what it protects. Webhooks made before it was set stay valid",
    )
    trusted_proxies: Annotated[tuple[IPvAnyNetwork, ...], NoDecode] = Field(
        default=(), description="Networks (`10.0.0.0/8`) of proxies whose `X-Forwarded-For` names the source of a request"
    )
    session_idle_seconds: float = Field(
        default=8 * 3600.0, gt=0, description="A session of the web app that is not used for so long ends"
    )
    session_seconds: float = Field(default=24 * 3600.0, gt=0, description="A session lasts no longer than this")
    oidc_issuer: str = Field(
        default="", description="The [identity provider](../howto/sign-in-with-oidc.md), exactly as its tokens name it in `iss`"
    )
    oidc_audience: str = Field(default="", description="`aud` of the bearer tokens that are taken; empty: none are")
    oidc_client_id: str = Field(default="", description="The client as which people sign in; empty: they cannot")
    oidc_client_secret: SecretStr = Field(default=SecretStr(""), description="Of that client; empty for a public one")
    oidc_scopes: str = Field(default="openid profile email", description="What is asked for at a sign-in")
    oidc_user_claim: str = Field(
        default="preferred_username", min_length=1, description="The claim that says what a new user is called"
    )
    oidc_tenant_claim: str = Field(
        default="", description="The claim that names the tenant; empty: all are of `RUNYARD_TENANT`"
    )
    oidc_groups_claim: str = Field(
        default="groups", min_length=1, description="The claim that lists somebody's groups; a dot leads into an object"
    )
    oidc_roles: dict[str, list[str]] = Field(
        default_factory=dict, description='The roles that each group gives: `{"ops": ["operator", "oncall"]}`'
    )
    command_timeout_seconds: float = Field(default=10.0, gt=0, description="How long a command waits for the answer to it")
    connection_test_seconds: float = Field(default=60.0, gt=0, description="How long the test of a connection may take")
    body_limit_bytes: int = Field(default=BODY_LIMIT_BYTES, gt=0, description="Larger bodies are refused with 413")
    read_model_wait_seconds: float = Field(
        default=READ_MODEL_WAIT_SECONDS, gt=0, description="The longest wait of `minPosition`"
    )
    keep_alive_seconds: float = Field(default=15.0, gt=0, description="Silence after which an event stream gets a comment line")
    stream_buffer_bytes: int = Field(
        default=16 * 1024 * 1024, gt=0, description="Unsent bytes at which a slow reader is cut off"
    )
    streams_buffer_bytes: int = Field(
        default=128 * 1024 * 1024,
        gt=0,
        description="Unsent bytes of all readers together at which the one with the most is cut off",
    )
    max_streams: int = Field(default=5000, gt=0, description="Event streams that may be open at once; more get a 503")
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="Bearer token for `/metrics`. Without one they are shown if the gateway listens on loopback, else to"
        " nobody",
    )
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
