"""Kubernetes' REST API as the actions use it: a token, JSON, and errors as `Status` objects, which are put into words.

Plain HTTP, no client library: see docs/adr/0014.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final

import httpx
import msgspec
from runyard_shared.contracts.connections import KubernetesConfig, KubernetesSecrets, OpenedConnection
from runyard_shared.errors import RunyardError

from runyard_agent.actions.base import InvalidParams
from runyard_agent.actions.causes import cause_of
from runyard_agent.actions.opened import opened
from runyard_agent.actions.tls import tls_context, untrusted
from runyard_agent.settings import Settings

APPS: Final = "/apis/apps/v1"
CORE: Final = "/api/v1"
STRATEGIC_MERGE: Final = "application/strategic-merge-patch+json"
MERGE: Final = "application/merge-patch+json"
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_TRIES: Final = 5
_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 60.0


class ApiError(RunyardError):
    """The API refused, or cannot be reached. `status` is 0 if there was no answer; the text is for people."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status

    @property
    def passing(self) -> bool:
        """Whether the same question may be answered a little later."""
        return self.status in (0, 429) or self.status >= 500


class KubernetesApi:
    """The API of one connection, for one job."""

    def __init__(self, client: httpx.AsyncClient, connection: str, namespace: str) -> None:
        self.namespace = namespace
        self._client = client
        self._connection = connection

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        return await self._json("GET", path, query or {})

    async def post(self, path: str, body: object) -> dict[str, Any]:
        return await self._json("POST", path, {}, msgspec.json.encode(body), "application/json")

    async def patch(self, path: str, body: object, media_type: str) -> dict[str, Any]:
        """Again and again where the API asks for it: a conflict, or too many requests, changed nothing."""
        return await self._json("PATCH", path, {"fieldManager": "runyard"}, msgspec.json.encode(body), media_type)

    @asynccontextmanager
    async def stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[httpx.Response]:
        """The body is not read yet. Raises `ApiError`, also when the connection breaks while it is read."""
        try:
            async with self._client.stream("GET", path, params=dict(query)) as response:
                if not response.is_success:
                    await response.aread()
                    raise self._refusal(response)
                yield response
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    async def _json(
        self, method: str, path: str, query: Mapping[str, str], content: bytes | None = None, media_type: str | None = None
    ) -> dict[str, Any]:
        headers = {"content-type": media_type} if media_type else {}
        for tries in range(1, _TRIES + 1):
            try:
                response = await self._client.request(method, path, params=dict(query), content=content, headers=headers)
            except httpx.HTTPError as error:
                raise self._unreachable(error) from None
            again = response.status_code == 429 or (response.status_code == 409 and method == "PATCH")
            if not again or tries == _TRIES:
                break
            await asyncio.sleep(_pause(response, tries))
        if not response.is_success:
            raise self._refusal(response)
        try:
            answer = msgspec.json.decode(response.content)
        except msgspec.DecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise ApiError(f"{self._client.base_url} does not answer as Kubernetes does: is the connection's server its API?")
        return answer

    def _refusal(self, response: httpx.Response) -> ApiError:
        status, said = response.status_code, _status_message(response)
        match status:
            case 401:
                words = f"the API does not know the token of connection {self._connection} (it is wrong or has expired)"
            case 403:
                words = f"the account of connection {self._connection} may not do this"
            case 404:
                words = "there is no such thing"
            case 409:
                words = "somebody else changed it at the same time, again and again"
            case 422:
                words = "the API finds this invalid"
            case 429:
                words = "the API has too much to do"
            case _:
                words = f"the API answered {status} {response.reason_phrase}".rstrip()
        return ApiError(f"{words}: {said}" if said else words, status)

    def _unreachable(self, error: httpx.HTTPError) -> ApiError:
        server = self._client.base_url
        match error:
            case httpx.ConnectTimeout():
                return ApiError(f"{server}: no connection in time")
            case httpx.TimeoutException():
                return ApiError(f"{server}: no answer within {_ANSWER_SECONDS:g} s")
            case httpx.ConnectError():
                return ApiError(f"{server}: cannot connect: {untrusted(error) or cause_of(error)}")
            case _:
                return ApiError(f"{server}: {cause_of(error)}")


@asynccontextmanager
async def kubernetes_api(
    connection: OpenedConnection | None, settings: Settings, namespace: str | None = None
) -> AsyncIterator[KubernetesApi]:
    """Raises `InvalidParams` if the connection cannot be used."""
    config, secrets = opened(connection, KubernetesConfig, KubernetesSecrets)
    name = connection.name if connection is not None else ""
    token = secrets.token.strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InvalidParams(f"connection {name}: token: must be one word, as in a service account's secret")
    try:
        client = httpx.AsyncClient(
            base_url=config.server,
            headers={"authorization": f"Bearer {token}", "user-agent": f"runyard-agent/{version('runyard-agent')}"},
            verify=await tls_context(config.ca_certificate, verify=config.verify_tls),
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=settings.http_connect_timeout_seconds),
        )
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidParams(f"connection {name}: server: {error}") from None
    async with client:
        yield KubernetesApi(client, name, namespace or config.namespace)


def valid_names(**names: str | None) -> None:
    """Raises `InvalidParams`: a name becomes part of a path, and Kubernetes allows no others."""
    problems = [
        f"{field}: {name!r} is no name of Kubernetes: lower-case letters, digits, '-' and '.'"
        for field, name in names.items()
        if name is not None and not _NAME.fullmatch(name)
    ]
    if problems:
        raise InvalidParams(*problems)


def _status_message(response: httpx.Response) -> str:
    try:
        status = msgspec.json.decode(response.content)
    except msgspec.DecodeError:
        status = None
    said = status.get("message") if isinstance(status, dict) else response.text
    return " ".join(str(said or "").split())[:1_000]


def _pause(response: httpx.Response, tries: int) -> float:
    given = response.headers.get("retry-after", "")
    seconds = float(given) if given.isdecimal() else _PAUSE_SECONDS * 2**tries
    return min(seconds, _LONGEST_PAUSE_SECONDS)
