"""What a connection of the kind `http` gives to a request, and to whom: nobody but the origin of its base URL."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final

import httpx
from runyard_shared.contracts.connections import HttpConfig, HttpSecrets, OpenedConnection

from runyard_agent.actions.base import InvalidParams
from runyard_agent.actions.opened import opened

_AUTHORIZATION: Final = "authorization"


@dataclass(frozen=True, repr=False)
class Access:
    """`headers`: for requests that do not say otherwise. `credentials`: headers by lower-case name, not to be replaced."""

    base: httpx.URL
    headers: dict[str, str] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict)
    ca_certificate: str | None = None
    verify_tls: bool = True

    @classmethod
    def of(cls, connection: OpenedConnection) -> "Access":
        """Raises `InvalidParams` with all problems."""
        config, secrets = opened(connection, HttpConfig, HttpSecrets)
        problems = []
        base = None
        try:
            base = httpx.URL(config.base_url)
        except (httpx.InvalidURL, UnicodeError) as error:
            problems.append(f"config.baseUrl: {error}")
        if base is not None and (base.query or base.fragment or base.userinfo):
            problems.append("config.baseUrl: must have no user, no query and no fragment")
        header = config.header.lower()
        credentials = {}
        if secrets.token is not None:
            token = secrets.token.strip()
            if not (token.isascii() and token.isprintable()):
                problems.append("secrets.token: must be one line of plain letters, digits and signs")
            credentials[header] = f"Bearer {token}" if header == _AUTHORIZATION else token
        if secrets.password is not None:
            if _AUTHORIZATION in credentials:
                problems.append("secrets: password and token both want the header authorization: give one, or another `header`")
            pair = f"{config.username or ''}:{secrets.password}"
            credentials[_AUTHORIZATION] = f"Basic {b64encode(pair.encode()).decode()}"
        if problems or base is None:
            raise InvalidParams(*(f"connection {connection.name!r}: {problem}" for problem in problems))
        return cls(base, config.headers, credentials, config.ca_certificate, config.verify_tls)

    def url(self, given: str) -> str:
        """`given` below the base URL if it begins with `/`."""
        return f"{self.base}".rstrip("/") + given if given.startswith("/") else given

    def covers(self, url: httpx.URL) -> bool:
        return (url.scheme, url.host, url.port) == (self.base.scheme, self.base.host, self.base.port)

    def lend(self, request: httpx.Request) -> None:
        """Give the headers to a request to the connection's origin."""
        if not self.covers(request.url):
            raise InvalidParams(f"url: the connection is for {self.base} only: leave it out, or give a path that begins with /")
        if request.url.userinfo and self.credentials:
            raise InvalidParams("url: must have no user: the credentials are given by the connection")
        taken = sorted(name for name in self.credentials if name in request.headers)
        if taken:
            raise InvalidParams(*(f"headers.{name}: is given by the connection: leave it out" for name in taken))
        request.headers.update(self.credentials)

    def withhold(self, request: httpx.Request) -> None:
        """Take all that the connection gave from a request that goes elsewhere."""
        for name in [*self.headers, *self.credentials]:
            request.headers.pop(name, None)
