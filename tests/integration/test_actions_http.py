"""`http.request` against a real server on this machine."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from runyard_agent.actions.http import HttpRequest
from runyard_shared.contracts.reports import JobFinished
from runyard_shared.contracts.values import JobStatus

from tests.agents import BreakableBus, Desk, agent_at, until

Request = Callable[..., Any]


@dataclass
class Seen:
    """A request as the server got it."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Answers by path; keeps what it got, and how many connections it has seen."""

    url: str = ""
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


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield server
    server.hold.set()
    listening.close()
    await listening.wait_closed()
    await until(lambda: server.open == 0)


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
