"""`http.request`: one HTTP request from the agent's host. 2xx succeeds, any other status fails the job (R34)."""

import time
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final

import httpx
import msgspec
from runyard_shared.contracts.actions import HttpParams
from runyard_shared.contracts.connections import OpenedConnection

from runyard_agent.actions.base import Action, Context, InvalidParams, Outcome, ProbeFailed
from runyard_agent.actions.causes import cause_of
from runyard_agent.actions.http_access import Access
from runyard_agent.actions.http_clients import HttpClients
from runyard_agent.actions.tls import untrusted
from runyard_agent.output import OutputStream
from runyard_agent.settings import Settings
from runyard_agent.spans import context_of_call, tell_call

_REDIRECTS: Final = 20
_TRACEPARENT: Final = "traceparent"


class HttpRequest(Action[HttpParams], built_in="http.request"):
    """Connections are kept and shared by jobs, cookies are not. The body, after decompression, is the stream `body`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._clients = HttpClients(settings)

    async def run(self, params: HttpParams, context: Context) -> Outcome:
        access = Access.of(context.connection) if context.connection is not None else None
        body = context.stream("body")
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(self._client(params, access))
            request = _request(client, params, access)
            try:
                response, left = await self._send(client, request, params, access, context, stack)
                async for part in response.aiter_bytes():
                    body.write(part)
                    await body.drain()
            except httpx.HTTPError as error:
                return Outcome.failed("exception", in_words(error, self.settings), context.output_so_far())
        output = _output(response, body)
        if response.is_success:
            return Outcome.completed(output)
        message = f"{request.method} {_address(response.url)} answered {_status(response)}"
        if left and access is not None:
            message += f"; it was redirected there from {access.base}, whose connection gives it nothing there"
        return Outcome.failed("http_status", message, output, status_code=response.status_code)

    async def close(self) -> None:
        await self._clients.close()

    async def _send(
        self,
        client: httpx.AsyncClient,
        request: httpx.Request,
        params: HttpParams,
        access: Access | None,
        context: Context,
        stack: AsyncExitStack,
    ) -> tuple[httpx.Response, bool]:
        """The answer, which `stack` closes, and whether redirects led out of the connection's origin: then the connection's
        headers and its trust in certificates are left behind, even if they lead back."""
        left = False
        traced = context.traceparent is not None and _TRACEPARENT not in request.headers
        for _ in range(_REDIRECTS + 1):
            response = await (_traced(client, request, context) if traced else client.send(request, stream=True))
            if not params.follow_redirects or response.next_request is None:
                stack.push_async_callback(response.aclose)
                return response, left
            await response.aclose()
            request = response.next_request
            if access is not None and not left and not access.covers(request.url):
                left = True
                client = await stack.enter_async_context(self._client(params, None))
            if access is not None and left:
                access.withhold(request)
        raise httpx.TooManyRedirects("too many redirects", request=request)

    def _client(self, params: HttpParams, access: Access | None) -> AbstractAsyncContextManager[httpx.AsyncClient]:
        if access is None:
            return self._clients.client(None, verify_tls=params.verify_tls)
        return self._clients.client(access.ca_certificate, verify_tls=params.verify_tls and access.verify_tls)


async def _traced(client: httpx.AsyncClient, request: httpx.Request, context: Context) -> httpx.Response:
    """Sends it with the trace context of a call of its own."""
    call = context_of_call(context.traceparent)
    request.headers[_TRACEPARENT] = call or ""
    began_at = time.time_ns()
    answered: int | str = "cancelled"
    try:
        response = await client.send(request, stream=True)
        answered = response.status_code
    except httpx.HTTPError as error:
        answered = type(error).__name__
        raise
    finally:
        tell_call(call, context.traceparent, request.method, _address(request.url), began_at, time.time_ns(), answered)
    return response


def in_words(error: httpx.HTTPError, settings: Settings) -> str:
    """What went wrong with the request that the error is of: after a redirect, not the first one."""
    address = _address(error.request.url)
    distrust = untrusted(error)
    if distrust is not None:
        advice = "if it is of a private certificate authority, give that authority's certificate in a connection"
        return f"{address}: {distrust}; {advice}"
    match error:
        case httpx.ConnectTimeout():
            return f"{address}: no connection within {settings.http_connect_timeout_seconds:g} s"
        case httpx.TimeoutException():
            return f"{address}: no answer for {settings.http_read_timeout_seconds:g} s"
        case httpx.ConnectError():
            return f"{address}: cannot connect: {cause_of(error)}"
        case httpx.TooManyRedirects():
            return f"{address}: redirected too often"
        case _:
            return f"{address}: {type(error).__name__}: {cause_of(error)}"


async def probe_http(connection: OpenedConnection, settings: Settings) -> str:
    """Asks for the base URL, with the connection's credentials, and follows no redirect."""
    access = Access.of(connection)
    clients = HttpClients(settings)
    try:
        async with clients.client(access.ca_certificate, verify_tls=access.verify_tls) as client:
            request = client.build_request("GET", access.base, headers=access.headers)
            access.lend(request)
            try:
                response = await client.send(request, stream=True)
            except httpx.HTTPError as error:
                raise ProbeFailed(in_words(error, settings)) from None
            await response.aclose()
    finally:
        await clients.close()
    answered = f"{_address(access.base)} answered {_status(response)}"
    if response.status_code in (401, 403):
        raise ProbeFailed(f"{answered}: it is reached, but does not accept the credentials of the connection")
    if response.is_server_error:
        raise ProbeFailed(f"{answered}: it is reached, but does not work")
    secured = "" if access.base.scheme == "http" else " over TLS" if access.verify_tls else " over TLS that is not checked"
    return f"{answered}{secured}"


def _request(client: httpx.AsyncClient, params: HttpParams, access: Access | None) -> httpx.Request:
    problems = []
    has_json = "json_body" in params.model_fields_set
    if has_json and params.body is not None:
        problems.append("json, body: give at most one of them")
    address = access.url(params.url) if access is not None else params.url
    if not address.lower().startswith(("http://", "https://")):
        path = ", or with / for what is below the connection's base URL" if access is not None else ""
        problems.append(f"url: must begin with http:// or https://{path}")
    if problems:
        raise InvalidParams(*problems)
    headers = httpx.Headers(access.headers if access is not None else None)
    content = params.body
    try:
        headers.update(params.headers)
        if has_json:
            content = msgspec.json.encode(params.json_body).decode()
            headers.setdefault("content-type", "application/json")
        url = httpx.URL(address).copy_merge_params(params.query) if params.query else httpx.URL(address)
        request = client.build_request(params.method, url, headers=headers, content=content)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise InvalidParams(f"url, headers: {error}") from None
    if access is not None:
        access.lend(request)
    return request


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


def _status(response: httpx.Response) -> str:
    return f"{response.status_code} {response.reason_phrase}".rstrip()
