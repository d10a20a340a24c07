"""`http.request` against real servers on this machine."""

import asyncio
import gzip
import hashlib
import json
import socket
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from runyard_agent.actions.base import ProbeFailed
from runyard_agent.actions.http import HttpRequest
from runyard_agent.actions.http_clients import HttpClients
from runyard_agent.probe import probe
from runyard_agent.testing import Ran, run_action
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.reports import JobFinished
from runyard_shared.contracts.values import JobStatus

from tests.agents import BreakableBus, Desk, agent_at, settings, until
from tests.certificates import ServerCertificate, server_certificate

Request = Callable[..., Any]


@dataclass
class Seen:
    """A request as the server got it."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Answers by path; keeps what it got, and how many connections it has seen. `elsewhere`: where it redirects to."""

    url: str = ""
    elsewhere: str = ""
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while line := (await reader.readline()).decode().strip():
                headers: dict[str, str] = {}
                while header := (await reader.readline()).decode().strip():
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.seen.append(Seen(line, headers, body))
                await self._answer(line.split()[1].split("?")[0], reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _answer(self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def send(status: str, body: bytes = b"", *headers: str) -> None:
            head = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers]
            writer.write("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)

        match path:
            case "/json":
                value = {"ok": True, "name": "Jürgen\0", "n": 3}
                send("200 OK", json.dumps(value).encode(), "Content-Type: application/json; charset=utf-8", "X-A: 1", "X-A: 2")
            case "/not-json":
                send("200 OK", b"{oops", "content-type: application/json")
            case "/latin":
                send("200 OK", "Jürgen".encode("latin-1"), "content-type: text/plain; charset=iso-8859-1")
            case "/strange-charset":
                send("200 OK", b"plain", "content-type: text/plain; charset=base64")
            case "/big":
                send("200 OK", b'{"a": "' + b"x" * 3_000_000 + b'"}', "content-type: application/json")
            case "/missing":
                send("404 Not Found", b'{"problem": "no such host"}', "content-type: application/problem+json")
            case "/redirect":
                send("302 Found", b"", "location: /json", "set-cookie: session=secret")
            case "/away":
                send("307 Temporary Redirect", b"", f"location: {self.elsewhere}")
            case "/chunked":
                writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
                for part in (b"one ", b"two ", b"three"):
                    writer.write(b"%x\r\n%s\r\n" % (len(part), part))
                    await writer.drain()
                writer.write(b"0\r\n\r\n")
            case "/gzip":
                send("200 OK", gzip.compress(b"pressed " * 1000), "content-encoding: gzip", "content-type: text/plain")
            case "/binary":
                send("200 OK", bytes(range(256)) * 100, "content-type: application/octet-stream")
            case "/huge":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (HUGE_PARTS * len(HUGE_PART)))
                for _ in range(HUGE_PARTS):
                    writer.write(HUGE_PART)
                    await writer.drain()
            case "/drips":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
                for _ in range(10):
                    writer.write(b".")
                    await writer.drain()
                    await asyncio.sleep(0.15)
            case "/echo":
                send("400 Bad Request", json.dumps(self.seen[-1].headers).encode(), "content-type: application/json")
            case "/locked":
                send("401 Unauthorized")
            case "/broken":
                send("503 Service Unavailable")
            case "/loop":
                send("302 Found", b"", "location: /loop")
            case "/half":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this")
                await reader.read()  # until the client hangs up
            case "/cut":
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this")
                writer.close()
            case "/silent":
                await self.hold.wait()
            case _:
                send("204 No Content")


HUGE_PART = bytes(range(256)) * 1024
HUGE_PARTS = 400
"""Of 256 KiB: 100 MiB."""


@asynccontextmanager
async def serving(context: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=context)
    scheme = "http" if context is None else "https"
    server.url = f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield server
    server.hold.set()
    listening.close()
    await listening.wait_closed()
    await until(lambda: server.open == 0)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as server:
        yield server


@pytest.fixture
async def other() -> AsyncIterator[Server]:
    """Another origin."""
    async with serving() as server:
        yield server


@pytest.fixture
def certificate(tmp_path: Path) -> ServerCertificate:
    return server_certificate(tmp_path)


@pytest.fixture
async def secure(certificate: ServerCertificate) -> AsyncIterator[Server]:
    """With a certificate of a private authority."""
    async with serving(certificate.context()) as server:
        yield server


@pytest.fixture
async def desk(server: Server) -> AsyncIterator[Desk]:
    bus = BreakableBus()
    await bus.open()
    desk = await Desk(bus).open()
    agent = await agent_at(desk, lambda settings: {"http.request": HttpRequest(settings)}, http_read_timeout_seconds=1)
    yield desk
    await agent.stop()
    await bus.close()


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@pytest.fixture
def request_to(desk: Desk, server: Server) -> Request:
    async def request_to(path: str, *, timeout_seconds: float = 0, **params: Any) -> JobFinished:
        return await desk.run("http.request", {"url": server.url + path, **params}, timeout_seconds=timeout_seconds)

    return request_to


async def test_a_json_answer_is_parsed_and_its_text_kept(desk: Desk, request_to: Request) -> None:
    finished = await request_to("/json")
    assert finished.status is JobStatus.COMPLETED
    assert finished.output["statusCode"] == 200
    assert finished.output["json"] == {"ok": True, "name": "Jürgen\ufffd", "n": 3}
    assert finished.output["headers"]["x-a"] == "1, 2"
    assert finished.output["truncated"] is False
    assert json.loads(finished.output["body"])["n"] == 3
    assert desk.whole(finished, "body").decode() == finished.output["body"]


async def test_a_post_sends_json_query_headers_and_names_the_agent(server: Server, request_to: Request) -> None:
    finished = await request_to(
        "/hook?kept=yes", method="POST", json={"a": [1, None]}, query={"page": 2}, headers={"X-Token": "t", "X-Number": 7}
    )
    assert finished.output["statusCode"] == 204
    (seen,) = server.seen
    assert seen.line == "POST /hook?kept=yes&page=2 HTTP/1.1"
    assert json.loads(seen.body) == {"a": [1, None]}
    assert (seen.headers["content-type"], seen.headers["x-token"], seen.headers["x-number"]) == ("application/json", "t", "7")
    assert seen.headers["user-agent"].startswith("runyard-agent/")


async def test_a_body_is_sent_as_it_is(server: Server, request_to: Request) -> None:
    await request_to("/hook", method="PUT", body="ä=1", headers={"content-type": "text/plain"})
    assert server.seen[0].body == "ä=1".encode()
    assert server.seen[0].headers["content-type"] == "text/plain"


async def test_any_other_status_fails_the_job_and_keeps_the_answer(request_to: Request, server: Server) -> None:
    finished = await request_to("/missing", query={"token": "secret"})
    assert finished.status is JobStatus.FAILED
    assert finished.error is not None
    assert (finished.error.reason, finished.error.status_code) == ("http_status", 404)
    assert finished.error.message == f"GET {server.url}/missing answered 404 Not Found"
    assert finished.output["json"] == {"problem": "no such host"}


async def test_a_redirect_is_followed_without_its_cookies_reaching_later_jobs(request_to: Request, server: Server) -> None:
    assert (await request_to("/redirect")).output["json"]["ok"] is True
    await request_to("/json")
    assert all("cookie" not in seen.headers for seen in server.seen)


async def test_a_redirect_not_followed_is_not_a_success(request_to: Request) -> None:
    finished = await request_to("/redirect", followRedirects=False)
    assert (finished.status, finished.output["statusCode"]) == (JobStatus.FAILED, 302)
    assert finished.output["headers"]["location"] == "/json"


async def test_an_endless_redirect_fails_in_clear_words(request_to: Request) -> None:
    assert "redirected too often" in (await request_to("/loop")).error.message


async def test_a_big_body_is_cut_for_templates_and_complete_in_the_output(desk: Desk, request_to: Request) -> None:
    finished = await request_to("/big")
    assert finished.status is JobStatus.COMPLETED
    assert finished.output["truncated"] is True
    assert len(finished.output["body"]) == 64 * 1024
    assert "json" not in finished.output
    assert len(desk.whole(finished, "body")) == 3_000_009


@pytest.mark.parametrize(("path", "body"), [("/latin", "Jürgen"), ("/strange-charset", "plain"), ("/not-json", "{oops")])
async def test_a_body_is_text_by_its_charset_and_json_only_if_it_is(request_to: Request, path: str, body: str) -> None:
    finished = await request_to(path)
    assert (finished.status, finished.output["body"]) == (JobStatus.COMPLETED, body)
    assert "json" not in finished.output


async def test_a_refused_connection_says_so(desk: Desk, unused_port: int) -> None:
    finished = await desk.run("http.request", {"url": f"http://user:secret@127.0.0.1:{unused_port}/x?token=secret"})
    assert finished.error is not None
    assert finished.error.reason == "exception"
    assert finished.error.message == f"http://127.0.0.1:{unused_port}/x: cannot connect: Connection refused"


async def test_an_unknown_host_says_so(desk: Desk) -> None:
    finished = await desk.run("http.request", {"url": "http://no-such-host.invalid/"})
    assert finished.error is not None
    assert finished.error.message.startswith("http://no-such-host.invalid/: cannot connect: ")
    assert "attempts" not in finished.error.message


async def test_a_server_that_stays_silent_fails_the_job(request_to: Request) -> None:
    assert (await request_to("/silent")).error.message.endswith("/silent: no answer for 1 s")


async def test_the_timeout_of_the_job_ends_the_request_and_keeps_what_came(
    desk: Desk, server: Server, request_to: Request
) -> None:
    finished = await request_to("/half", timeout_seconds=0.5)
    assert finished.status is JobStatus.TIMEOUT
    assert finished.output == {"body": "only this", "truncated": False}
    assert desk.whole(finished, "body") == b"only this"
    await until(lambda: server.open == 0)


async def test_an_answer_cut_off_fails_the_job(request_to: Request) -> None:
    finished = await request_to("/cut")
    assert (finished.status, finished.error.reason) == (JobStatus.FAILED, "exception")
    assert finished.output["body"] == "only this"


async def test_connections_are_used_again(request_to: Request, server: Server) -> None:
    for _ in range(5):
        await request_to("/json")
    assert server.connections == 1


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"url": "ftp://host/"}, "url: must begin with http:// or https://"),
        ({"url": "http://host:port/"}, "url, headers: Invalid port"),
        ({"url": "http://h/", "json": 1, "body": "x"}, "json, body: give at most one of them"),
        ({"url": "http://h/", "method": "FETCH", "header": {}}, "method: Input should be 'GET'"),
    ],
)
async def test_impossible_requests_are_refused_before_they_are_sent(desk: Desk, params: dict[str, Any], problem: str) -> None:
    finished = await desk.run("http.request", params)
    assert finished.error is not None
    assert finished.error.reason == "invalid_params"
    assert problem in finished.error.message


# --- bodies


async def test_a_chunked_body_and_a_compressed_one_are_put_together(request_to: Request) -> None:
    assert (await request_to("/chunked")).output["body"] == "one two three"
    assert (await request_to("/gzip")).output["body"] == "pressed " * 1000


async def test_a_binary_body_is_complete_in_the_output(desk: Desk, request_to: Request) -> None:
    finished = await request_to("/binary")
    assert finished.status is JobStatus.COMPLETED
    assert desk.whole(finished, "body") == bytes(range(256)) * 100


async def test_a_huge_body_is_streamed_and_never_held(server: Server) -> None:
    """The chunks are counted as they come: kept, they would be what takes the memory."""
    hashed, size = hashlib.sha256(), 0

    async def count(items: Any) -> None:
        nonlocal size
        for item in items:
            if data := getattr(item, "data", None):
                hashed.update(data)
                size += len(data)

    bus = BreakableBus()
    await bus.open()
    counting = Desk(bus)
    counting._output = count  # type: ignore[method-assign]
    await counting.open()
    agent = await agent_at(counting, lambda settings: {"http.request": HttpRequest(settings)})
    job = counting.job("http.request", {"url": f"{server.url}/huge"})
    before = most = psutil.Process().memory_info().rss
    await counting.order(job)
    while not counting.ends_of(job):
        most = max(most, psutil.Process().memory_info().rss)
        await asyncio.sleep(0.01)
    (finished,) = counting.ends_of(job)
    await agent.stop()
    await bus.close()
    assert finished.status is JobStatus.COMPLETED
    assert size == HUGE_PARTS * len(HUGE_PART)
    assert hashed.hexdigest() == finished.seals[0].sha256 == hashlib.sha256(HUGE_PART * HUGE_PARTS).hexdigest()
    assert most - before < 40_000_000


async def test_a_slow_answer_that_keeps_coming_is_waited_for(request_to: Request) -> None:
    """The read timeout of 1 s is the longest silence, not the longest answer."""
    finished = await request_to("/drips")
    assert (finished.status, finished.output["body"]) == (JobStatus.COMPLETED, "." * 10)


async def test_a_forced_cancel_ends_the_request(desk: Desk, server: Server) -> None:
    job = desk.job("http.request", {"url": f"{server.url}/half"})
    await desk.order(job)
    await until(lambda: bool(desk.chunks(job.job_id, "body")))
    await desk.cancel(job, force=True)
    assert (await desk.end_of(job)).status is JobStatus.CANCELLED
    await until(lambda: server.open == 0)


# --- with a connection


def connection_to(url: str, secrets: dict[str, str] | None = None, **config: Any) -> OpenedConnection:
    given = {"token": "canary-token"} if secrets is None else secrets
    return OpenedConnection(name="api", kind="http", config={"baseUrl": url, **config}, secrets=given)


async def ask(connection: OpenedConnection | None, url: str, **params: Any) -> Ran:
    params = {"url": url, **params}
    return await run_action(HttpRequest, params, connection=connection, settings=settings(http_read_timeout_seconds=1))


def words(ran: Ran) -> str:
    assert ran.status is JobStatus.FAILED, ran
    assert ran.error is not None
    return ran.error.message


async def test_a_path_is_below_the_base_url_and_gets_headers_and_token(server: Server) -> None:
    api = connection_to(f"{server.url}/v1/", headers={"X-Team": "ops", "Accept": "a/b"})
    ran = await ask(api, "/hosts?kept=yes", query={"page": 2}, headers={"accept": "c/d"})
    assert ran.status is JobStatus.COMPLETED, ran.error
    (seen,) = server.seen
    assert seen.line == "GET /v1/hosts?kept=yes&page=2 HTTP/1.1"
    assert (seen.headers["authorization"], seen.headers["x-team"]) == ("Bearer canary-token", "ops")
    assert seen.headers["accept"] == "c/d"


async def test_a_token_goes_into_the_header_that_is_named_and_a_password_beside_it(server: Server) -> None:
    secrets = {"token": "canary-token\n", "password": "canary:päss"}
    ran = await ask(connection_to(server.url, secrets, header="X-Api-Key", username="deploy"), server.url + "/x")
    assert ran.status is JobStatus.COMPLETED, ran.error
    headers = server.seen[0].headers
    assert headers["x-api-key"] == "canary-token"
    assert headers["authorization"] == "Basic " + b64encode("deploy:canary:päss".encode()).decode()


async def test_a_redirect_within_the_origin_keeps_the_credentials(server: Server) -> None:
    server.elsewhere = "/json"
    assert (await ask(connection_to(server.url), "/away")).status is JobStatus.COMPLETED
    assert [seen.headers.get("authorization") for seen in server.seen] == ["Bearer canary-token"] * 2


@pytest.mark.parametrize("header", ["authorization", "X-Api-Key"])
async def test_a_redirect_to_another_origin_gets_nothing_of_the_connection(server: Server, other: Server, header: str) -> None:
    """And gets it not back by leading home again."""
    server.elsewhere = f"{other.url}/away"
    other.elsewhere = f"{server.url}/locked"
    api = connection_to(
        server.url,
        {"token": "canary-token", "password": "canary-word"} if header != "authorization" else None,
        header=header,
        headers={"X-Team": "canary-team"},
    )
    ran = await ask(api, "/away", headers={"X-Own": "kept"})
    assert "canary" in str(server.seen[0].headers)
    assert [seen.headers["x-own"] for seen in other.seen + server.seen] == ["kept"] * 3
    assert "canary" not in str(other.seen[0].headers) + str(server.seen[1].headers)
    assert words(ran).endswith(f"it was redirected there from {server.url}, whose connection gives it nothing there")


async def test_a_url_of_another_origin_is_refused(server: Server, other: Server) -> None:
    port = server.url.rpartition(":")[2]
    for url in (
        f"{other.url}/x",
        f"https://127.0.0.1:{port}/x",
        f"http://localhost:{port}/x",
        f"http://127.0.0.1:{port}@evil.invalid/x",
    ):
        assert f"url: the connection is for {server.url} only" in words(await ask(connection_to(server.url), url))
    for url in ("@evil.invalid/x", ".evil.invalid/x"):
        assert "url: must begin with http:// or https://, or with /" in words(await ask(connection_to(server.url), url))
    await ask(connection_to(server.url), "//evil.invalid/x")
    assert [seen.line for seen in server.seen] == ["GET //evil.invalid/x HTTP/1.1"]
    assert other.seen == []


async def test_a_job_cannot_replace_the_credentials(server: Server) -> None:
    ran = await ask(connection_to(server.url), "/x", headers={"Authorization": "mine"})
    assert words(ran).endswith("headers.authorization: is given by the connection: leave it out")
    ran = await ask(connection_to(server.url), server.url.replace("//", "//me:mine@") + "/x")
    assert words(ran).endswith("url: must have no user: the credentials are given by the connection")
    assert server.seen == []


@pytest.mark.parametrize(
    ("secrets", "config", "problem"),
    [
        ({"token": "two\nlines"}, {}, "secrets.token: must be one line"),
        ({"token": "tokén"}, {}, "secrets.token: must be one line"),
        ({"token": "abcd-1", "password": "efgh-2"}, {}, "secrets: password and token both want the header authorization"),
        ({}, {"baseUrl": "http://user:pass@host/"}, "config.baseUrl: must have no user"),
        ({}, {"baseUrl": "http://host/?a=b"}, "config.baseUrl: must have no user"),
        ({}, {"retries": 3}, "config.retries: Extra inputs are not permitted"),
    ],
)
async def test_a_connection_that_cannot_be_used_says_why_without_its_secrets(
    secrets: dict[str, str], config: dict[str, Any], problem: str
) -> None:
    ran = await ask(connection_to("http://host/", secrets, **config), "/x")
    assert f"connection 'api': {problem}" in words(ran)
    assert "lines" not in words(ran)


async def test_a_secret_that_the_server_repeats_is_nowhere(server: Server) -> None:
    api = connection_to(server.url, {"token": "canary-token", "password": "canary-word"}, header="x-key", username="me")
    ran = await ask(api, "/echo")
    assert ran.output["statusCode"] == 400
    for form in ("canary", b64encode(b"me:canary-word").decode()[4:-4]):
        assert form not in str(ran)


# --- TLS


async def test_a_private_authority_is_trusted_by_its_connection_alone(secure: Server, certificate: ServerCertificate) -> None:
    api = connection_to(secure.url, caCertificate=certificate.authority)
    assert (await ask(api, "/json")).output["json"]["ok"] is True
    for distrusting in (connection_to(secure.url), None):
        ran = await ask(distrusting, f"{secure.url}/json")
        assert "its certificate is not trusted: unable to get local issuer certificate" in words(ran)
        assert "give that authority's certificate in a connection" in words(ran)
    assert len(secure.seen) == 1


async def test_another_authority_is_not_enough(secure: Server, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    wrong = server_certificate(tmp_path / "other").authority
    assert "certificate is not trusted" in words(await ask(connection_to(secure.url, caCertificate=wrong), "/json"))
    assert "caCertificate is no certificate in PEM" in words(
        await ask(connection_to(secure.url, caCertificate="none"), "/json")
    )


async def test_the_name_of_the_server_is_checked(tmp_path: Path) -> None:
    certificate = server_certificate(tmp_path, "somewhere.else")
    async with serving(certificate.context()) as server:
        ran = await ask(connection_to(server.url, caCertificate=certificate.authority), "/json")
        assert "certificate is not valid for '127.0.0.1'" in words(ran)


async def test_certificates_are_not_checked_only_where_the_connection_or_the_job_says_so(secure: Server) -> None:
    assert (await ask(connection_to(secure.url, verifyTls=False), "/json")).status is JobStatus.COMPLETED
    assert (await ask(connection_to(secure.url), "/json", verifyTls=False)).status is JobStatus.COMPLETED


async def test_a_redirect_does_not_take_the_trust_in_a_private_authority_elsewhere(
    server: Server, secure: Server, certificate: ServerCertificate
) -> None:
    server.elsewhere = f"{secure.url}/json"
    for lax in ({"caCertificate": certificate.authority}, {"verifyTls": False}):
        ran = await ask(connection_to(server.url, **lax), "/away")
        assert words(ran).startswith(f"{secure.url}/json: its certificate is not trusted")
    assert secure.seen == []


async def test_clients_that_nobody_uses_are_closed_and_those_in_use_are_not(certificate: ServerCertificate) -> None:
    clients = HttpClients(settings(), kept=3)
    async with clients.client(None, verify_tls=True) as used:
        for number in range(5):
            async with clients.client(certificate.authority + f"\n# {number}\n", verify_tls=True) as client:
                assert not client.is_closed
        assert not used.is_closed
        async with clients.client(None, verify_tls=True) as again:
            assert again is used
        assert len(clients._held) == 3
    await clients.close()
    assert used.is_closed


# --- trying out


async def test_trying_a_connection_asks_for_its_base_url(
    server: Server, secure: Server, certificate: ServerCertificate, unused_port: int
) -> None:
    found = await probe(connection_to(f"{server.url}/json"), settings())
    assert found.startswith(f"{server.url}/json answered 200 OK in ")
    assert server.seen[0].headers["authorization"] == "Bearer canary-token"
    found = await probe(connection_to(secure.url, caCertificate=certificate.authority), settings())
    assert "answered 204 No Content over TLS in " in found
    for address, problem in [
        (f"{server.url}/locked", "answered 401 Unauthorized: it is reached, but does not accept the credentials"),
        (f"{server.url}/broken", "answered 503 Service Unavailable: it is reached, but does not work"),
        (f"http://127.0.0.1:{unused_port}", "cannot connect: Connection refused"),
        (secure.url, "certificate is not trusted"),
        ("http://user@host/", "config.baseUrl: must have no user"),
    ]:
        with pytest.raises(ProbeFailed, match=problem):
            await probe(connection_to(address), settings())
