"""`http.request`: one HTTP request from the agent's host. 2xx succeeds, any other status fails the job (R34)."""

from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from typing import Any

import httpx
import msgspec
from runyard_shared.contracts.actions import HttpParams

from runyard_agent.actions.base import Action, Context, InvalidParams, Outcome
from runyard_agent.actions.causes import cause_of
from runyard_agent.output import OutputStream
from runyard_agent.settings import Settings


class HttpRequest(Action[HttpParams], built_in="http.request"):
    """Connections are kept and shared by jobs, cookies are not. The body, after decompression, is the stream `body`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._clients: dict[bool, httpx.AsyncClient] = {}

    async def run(self, params: HttpParams, context: Context) -> Outcome:
        client = self._client(verify_tls=params.verify_tls)
        request = _request(client, params)
        body = context.stream("body")
        try:
            response = await client.send(request, stream=True, follow_redirects=params.follow_redirects)
            try:
                async for part in response.aiter_bytes():
                    body.write(part)
                    await body.drain()
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            return Outcome.failed("exception", self._words(error, request), context.output_so_far())
        output = _output(response, body)
        if response.is_success:
            return Outcome.completed(output)
        status = f"{response.status_code} {response.reason_phrase}".rstrip()
        message = f"{request.method} {_address(response.url)} answered {status}"
        return Outcome.failed("http_status", message, output, status_code=response.status_code)

    async def close(self) -> None:
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    def _client(self, *, verify_tls: bool) -> httpx.AsyncClient:
        client = self._clients.get(verify_tls)
        if client is None:
            read, connect = self.settings.http_read_timeout_seconds, self.settings.http_connect_timeout_seconds
            client = self._clients[verify_tls] = httpx.AsyncClient(
                verify=verify_tls,
                headers={"user-agent": f"runyard-agent/{version('runyard-agent')}"},
                timeout=httpx.Timeout(read, connect=connect, pool=None),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=self.settings.agent_capacity),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
        return client

    def _words(self, error: httpx.HTTPError, request: httpx.Request) -> str:
        address = _address(request.url)
        match error:
            case httpx.ConnectTimeout():
                return f"{address}: no connection within {self.settings.http_connect_timeout_seconds:g} s"
            case httpx.TimeoutException():
                return f"{address}: no answer for {self.settings.http_read_timeout_seconds:g} s"
            case httpx.ConnectError():
                return f"{address}: cannot connect: {cause_of(error)}"
            case httpx.TooManyRedirects():
                return f"{address}: redirected too often"
            case _:
                return f"{address}: {type(error).__name__}: {cause_of(error)}"


def _request(client: httpx.AsyncClient, params: HttpParams) -> httpx.Request:
    problems = []
    has_json = "json_body" in params.model_fields_set
    if has_json and params.body is not None:
        problems.append("json, body: give at most one of them")
    if not params.url.lower().startswith(("http://", "https://")):
        problems.append("url: must begin with http:// or https://")
    if problems:
        raise InvalidParams(*problems)
    headers = dict(params.headers)
    content = params.body
    if has_json:
        content = msgspec.json.encode(params.json_body).decode()
        if not any(name.lower() == "content-type" for name in headers):
            headers["content-type"] = "application/json"
    try:
        url = httpx.URL(params.url).copy_merge_params(params.query) if params.query else params.url
        return client.build_request(params.method, url, headers=headers, content=content)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise InvalidParams(f"url, headers: {error}") from None


def _output(response: httpx.Response, body: OutputStream) -> dict[str, Any]:
    text = body.text(_encoding(response))
    output: dict[str, Any] = {
        "statusCode": response.status_code,
        "headers": dict(response.headers),
        "body": text,
        "truncated": body.truncated,
    }
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not body.truncated and (media_type == "application/json" or media_type.endswith("+json")):
        try:
            output["json"] = _without_nul(msgspec.json.decode(text))
        except (msgspec.DecodeError, RecursionError):
            return output  # it says JSON and is none: the text is all there is
    return output


def _encoding(response: httpx.Response) -> str:
    name = response.charset_encoding or "utf-8"
    try:
        b"x".decode(name, "ignore")
    except (LookupError, ValueError):
        return "utf-8"
    return name


def _without_nul(value: Any) -> Any:
    """NUL can be written in JSON, and kept by no database as text: it shows as U+FFFD, as in every output."""
    match value:
        case str():
            return value.replace("\0", "\ufffd")
        case list():
            return [_without_nul(item) for item in value]
        case dict():
            return {_without_nul(name): _without_nul(item) for name, item in value.items()}
        case _:
            return value


def _address(url: httpx.URL) -> str:
    """The URL without user, password and query: they may hold secrets."""
    return str(url.copy_with(username=None, password=None, query=None, fragment=None))
