"""HTTP clients, one for each way to check certificates. Connections stay open between jobs; credentials are not the client's,
so connections that agree on whom they trust share one."""

import ssl
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from typing import Final

import httpx

from runyard_agent.actions.tls import tls_context
from runyard_agent.settings import Settings

_KEPT: Final = 32

Trust = tuple[str | None, bool]
"""(PEM of certificate authorities beside the public ones, whether certificates are checked at all)"""


@dataclass
class _Held:
    client: httpx.AsyncClient
    users: int = 0


class HttpClients:
    """Keeps the `kept` clients used last; one in use is never closed."""

    def __init__(self, settings: Settings, kept: int = _KEPT) -> None:
        self._settings = settings
        self._kept = kept
        self._held: OrderedDict[Trust, _Held] = OrderedDict()

    @asynccontextmanager
    async def client(self, ca_certificate: str | None, *, verify_tls: bool) -> AsyncIterator[httpx.AsyncClient]:
        """Raises `InvalidParams` if `ca_certificate` is none."""
        trust = (ca_certificate if verify_tls else None, verify_tls)
        if trust not in self._held:
            context = await tls_context(ca_certificate, verify=verify_tls)
            if trust not in self._held:  # another job may have been as quick
                self._held[trust] = _Held(self._made(context))
        held = self._held[trust]
        held.users += 1
        self._held.move_to_end(trust)
        try:
            yield held.client
        finally:
            held.users -= 1
            await self._close_old()

    async def close(self) -> None:
        while self._held:
            _, held = self._held.popitem()
            await held.client.aclose()

    async def _close_old(self) -> None:
        while len(self._held) > self._kept:
            unused = next((trust for trust, held in self._held.items() if not held.users), None)
            if unused is None:
                return
            await self._held.pop(unused).client.aclose()

    def _made(self, context: ssl.SSLContext) -> httpx.AsyncClient:
        read, connect = self._settings.http_read_timeout_seconds, self._settings.http_connect_timeout_seconds
        return httpx.AsyncClient(
            verify=context,
            headers={"user-agent": f"runyard-agent/{version('runyard-agent')}"},
            timeout=httpx.Timeout(read, connect=connect, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=self._settings.agent_capacity),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        )
