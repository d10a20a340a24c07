"""The server as an agent sees it over HTTPS: its calls, and what its answers mean.

Only an answer that is the server's own counts against the agent: something between the two may answer with 401 as well.
"""

import json
import ssl
from base64 import b64encode
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import httpx
import msgspec
from runyard_shared.agent_keys import PREFIX
from runyard_shared.contracts.link import Enrolment
from runyard_shared.errors import Conflict, Refusal, Revoked, RunyardError, Unavailable
from runyard_shared.sealing import OpeningKey

from runyard_agent.settings import Settings
from runyard_agent.version import VERSION

CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 30.0
_LONGEST_WAIT_SECONDS: Final = 300.0
_PATH: Final = "/api/v1/agent"


class Busy(Unavailable):
    """The server is there, and asks not to be asked again before `retry_after_seconds`."""

    def __init__(self, words: str, retry_after_seconds: float) -> None:
        super().__init__(words)
        self.retry_after_seconds = retry_after_seconds


class NotConfigured(RunyardError):
    """What the agent was told about its server cannot be used; the text says what to do."""


class Server:
    """Proxies are those of the environment (HTTPS_PROXY, NO_PROXY)."""

    def __init__(self, settings: Settings) -> None:
        """Raises `NotConfigured`."""
        self.url = server_url(settings)
        self._http = httpx.AsyncClient(
            base_url=self.url,
            headers={"authorization": f"Bearer {agent_key(settings)}", "user-agent": f"runyard-agent/{VERSION}"},
            verify=tls_context(settings),
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS, pool=None),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=8),
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def who_am_i(self) -> dict[str, Any]:
        """`{agentId, tenantId, name, pool, status, serverTime}`. Raises `Revoked`, `Unavailable`."""
        answer = await self._call("GET", "")
        try:
            found: dict[str, Any] = answer.json()
            return {name: found[name] for name in ("agentId", "tenantId", "name", "pool", "serverTime")} | found
        except (ValueError, KeyError, TypeError):
            raise Unavailable(f"what answers at {self.url} is no Runyard server: check the address") from None

    async def enrol(self, key: OpeningKey, transport: str) -> Enrolment:
        """Raises `Revoked`, `Conflict` (another process of the agent is connected), `Refusal`, `Unavailable`."""
        body = {"publicKey": b64encode(key.public).decode(), "version": VERSION, "transport": transport}
        answer = await self._call("POST", "/enrol", content=json.dumps(body).encode())
        try:
            return msgspec.json.decode(answer.content, type=Enrolment)
        except msgspec.DecodeError as problem:
            raise Unavailable(f"what answers at {self.url} is no Runyard server of this version: {problem}") from None

    async def say(self, messages: bytes) -> None:
        """Returns when all of the JSON list are safe. Raises `Revoked`, `Refusal` (none was taken), `Unavailable` (some may
        have been taken)."""
        await self._call("POST", "/messages", content=messages)

    def orders(self, instance: str, silence_seconds: float) -> AbstractAsyncContextManager[httpx.Response]:
        """The stream of orders; hold its answer against `checked`. Raises httpx's errors, also while it is read."""
        timeout = httpx.Timeout(silence_seconds, connect=CONNECT_SECONDS, pool=None)
        headers = {"accept": "text/event-stream"}
        return self._http.stream("GET", f"{_PATH}/orders", params={"instance": instance}, headers=headers, timeout=timeout)

    async def checked(self, answer: httpx.Response) -> None:
        """Raises what an answer other than 2xx means."""
        if answer.is_success:
            return
        await answer.aread()
        problem = _problem(answer)
        detail = str(problem.get("detail", "")) if problem else ""
        words = detail or f"{self.url} answers with {answer.status_code} {answer.reason_phrase}"
        match answer.status_code:
            case 401 if problem:
                raise Revoked(words)
            case 409 if problem:
                raise Conflict(str(problem["code"]), words)
            case 403 | 413 | 422 if problem:
                raise Refusal(str(problem["code"]), words, answer.status_code)
            case 404 if not problem:
                raise Unavailable(f"there is no Runyard server at {self.url}: check the address")
            case status if 300 <= status < 400:
                target = answer.headers.get("location", "elsewhere")
                raise Unavailable(f"{self.url} sends agents on to {target}: use that address")
        seconds = _retry_after(answer)
        if seconds is not None:
            raise Busy(words, seconds)
        raise Unavailable(words)

    async def _call(self, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        headers = {"content-type": "application/json"} if content is not None else {}
        try:
            answer = await self._http.request(method, f"{_PATH}{path}", content=content, headers=headers)
        except httpx.HTTPError as problem:
            raise Unavailable(words_of(problem, self.url)) from None
        await self.checked(answer)
        return answer


def server_url(settings: Settings) -> str:
    if settings.url is None:
        raise NotConfigured("where is the server? Give its address with --url or RUNYARD_URL")
    return settings.url


def agent_key(settings: Settings) -> str:
    """Of the settings, or of the file that they name. Raises `NotConfigured`."""
    if settings.agent_key is not None:
        key = settings.agent_key.get_secret_value().strip()
    elif settings.agent_key_file is not None:
        try:
            key = settings.agent_key_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as problem:
            raise NotConfigured(f"the agent's key cannot be read from {settings.agent_key_file}: {problem}") from None
    else:
        key = ""
    if not key:
        raise NotConfigured("the agent needs its key: give it with RUNYARD_AGENT_KEY_FILE, RUNYARD_AGENT_KEY or --key")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise NotConfigured(f"what was given as the agent's key is none: it begins with {PREFIX} and is one word")
    return key


def tls_context(settings: Settings) -> ssl.SSLContext:
    """Trusts the public authorities, and that of the settings. Raises `NotConfigured`."""
    context = httpx.create_ssl_context()
    if settings.agent_ca_file is not None:
        try:
            context.load_verify_locations(cafile=settings.agent_ca_file)
        except (OSError, ssl.SSLError) as problem:
            raise NotConfigured(f"no certificates (PEM) can be read from {settings.agent_ca_file}: {problem}") from None
    return context


def words_of(problem: httpx.HTTPError, url: str) -> str:
    """Why the server does not answer, for people."""
    match problem:
        case httpx.ConnectTimeout():
            why = f"no connection within {CONNECT_SECONDS:g} s"
        case httpx.ReadTimeout():
            why = "it is silent"
        case _:
            why = str(problem) or type(problem).__name__
    return f"{url} cannot be reached: {why}"


def _problem(answer: httpx.Response) -> dict[str, Any]:
    """The server's own words about why not; empty if they are somebody else's."""
    try:
        found = json.loads(answer.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("code"), str) else {}


def _retry_after(answer: httpx.Response) -> float | None:
    """In seconds; a date would have to be held against a clock that may be wrong."""
    given = answer.headers.get("retry-after", "")
    return min(float(given), _LONGEST_WAIT_SECONDS) if given.isascii() and given.isdigit() else None
