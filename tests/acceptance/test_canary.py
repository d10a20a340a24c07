"""The canary hunt: secrets that are put into connections, used, misused and printed are found nowhere afterwards.

Looked through are the whole database (rows and files), every byte that went over the broker's connections, every log, the state
of the agents, every answer of the API and every frame of its streams, and the command lines of all processes.
"""

import asyncio
import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import psutil
import pytest

from tests.acceptance.remote_agents import remote_agents, wire_to
from tests.acceptance.systems import Client, Distributed, Json, distributed_system
from tests.acceptance.test_first_promises import bash, chain


class Hunt:
    """The secrets, and where to look for them."""

    def __init__(self) -> None:
        self.canaries = {name: f"canary-{name}-{secrets.token_hex(12)}" for name in ("TOKEN", "bearer", "password", "pin")}
        self.answers: list[bytes] = []

    def finds(self, haystack: bytes) -> list[str]:
        """The names of the canaries that are in it, in any of the forms in which a secret gets about."""
        return [name for name, canary in self.canaries.items() if any(form in haystack for form in _forms(canary))]

    def listen(self, answer: httpx.Response) -> None:
        self.answers.append(
            answer.read() if not answer.headers.get("content-type", "").startswith("text/event-stream") else b""
        )


def _forms(canary: str) -> list[bytes]:
    raw = canary.encode()
    inner = [base64.b64encode(b"x" * pad + raw)[4 if pad else 0 :].rstrip(b"=")[:-1] for pad in (0, 1, 2)]
    return [raw, raw.hex().encode(), quote(canary).encode(), raw[::-1], *inner]


class _Gossip(BaseHTTPRequestHandler):
    """Answers with whatever it was told, headers included, and a failure: the worst that a server can do with a secret."""

    def do_GET(self) -> None:
        told = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
        body = f"you said {told}".encode()
        self.send_response(500)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-told", self.headers.get("authorization", ""))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture
def gossip() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Gossip)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def recorded(amqp_url: str, management_url: str, tmp_path: Path) -> Iterator[tuple[Distributed, Path]]:
    """A system whose services and agents reach the broker over a wire that records."""
    record = tmp_path / "amqp.bytes"
    with wire_to(amqp_url, record) as wire:
        credentials, _, place = amqp_url.removeprefix("amqp://").rpartition("@")
        path = place.partition("/")[2]
        via = f"127.0.0.1:{wire.port}/{path}"
        with distributed_system(
            amqp_url=f"amqp://{credentials}@{via}",
            amqp_management_url=management_url,
            environment={"RUNYARD_AGENT_AMQP_URL": f"amqp://{via}"},
        ) as system:
            yield system, record


@pytest.mark.xdist_group("canary")
def test_a_secret_is_found_nowhere_but_where_it_is_needed(recorded: tuple[Distributed, Path], gossip: str) -> None:
    system, record = recorded
    hunt = Hunt()
    with Client(system) as client, remote_agents(client) as makers:
        client.http.event_hooks["response"].append(hunt.listen)
        pool = makers.pool()
        makers.agent(pool=pool).start(transport="https")
        execution_ids = []
        for place in (pool, "default"):
            names = make_connections(client, hunt, gossip)
            execution_ids += [client.run(client.publish(document)) for document in misuses(names, place)]
        frames = b"".join(json.dumps(frame).encode() for each in execution_ids for frame in client.stream(each))
        command_lines = watch_command_lines(client, execution_ids)
        for execution_id in execution_ids:
            detail = client.detail(execution_id)
            client.log(execution_id)
            for job in detail["jobs"]:
                for stream in ("stdout", "stderr", "body"):
                    client.send("GET", f"/executions/{execution_id}/jobs/{job['jobId']}/output?stream={stream}")
        for path in ("/connections", "/agents", "/pools", "/events.json?limit=200", "/executions", "/workflows"):
            client.call("GET", path)
        redacted = [detail for each in execution_ids if "***" in json.dumps(detail := client.detail(each))]
        assert len(redacted) >= 4, "the secrets were never printed, so this test shows nothing"
        agent_files = b"".join(path.read_bytes() for path in makers.directory.rglob("*") if path.is_file())

    places = {
        "API answers": b"\n".join(hunt.answers),
        "stream frames": frames,
        "command lines": command_lines,
        "logs and states of agents": agent_files,
        "logs and states of the deployment": files_of(system.deployment.directory),
        "rows of the database": asyncio.run(rows_of(system.deployment.database_url)),
        "the wire to the broker": record.read_bytes(),
    }
    marks = [execution_ids[0].encode(), names["bag"].encode()]
    blank = [place for place, content in places.items() if not any(mark in content for mark in marks)]
    assert blank == ["command lines"], "not looked through"
    found = {place: hunt.finds(content) for place, content in places.items()}
    assert {place: names for place, names in found.items() if names} == {}


async def rows_of(database_url: str) -> bytes:
    """Every row of every table of ours, as text."""
    connection = await asyncpg.connect(database_url)
    try:
        tables = await connection.fetch(
            "select format('%I.%I', schemaname, tablename) as name from pg_tables"
            " where schemaname not in ('pg_catalog', 'information_schema')"
        )
        assert len(tables) > 20
        rows = [row for table in tables for row in await connection.fetch(f"select t::text as row from {table['name']} t")]
        return "\n".join(row["row"] for row in rows).encode()
    finally:
        await connection.close()


def make_connections(client: Client, hunt: Hunt, gossip: str) -> dict[str, str]:
    """The name of a connection of each kind of use. One was changed, and one was refused, with a secret in the request."""
    suffix = secrets.token_hex(4)
    canaries = hunt.canaries
    port = int(gossip.rpartition(":")[2])
    bodies: dict[str, Json] = {
        "bag": {"kind": "secrets", "config": {}, "secrets": {"TOKEN": canaries["TOKEN"]}},
        "http": {"kind": "http", "config": {"baseUrl": gossip}, "secrets": {"token": canaries["bearer"]}},
        "ssh": {
            "kind": "ssh",
            "config": {"host": "127.0.0.1", "port": port, "username": "x"},
            "secrets": {"password": canaries["password"]},
        },
    }
    names = {use: f"{use}-{suffix}" for use in bodies}
    for use, body in bodies.items():
        made = client.call("POST", "/connections", status=201, json={"name": names[use], **body})
        client.call("POST", f"/connections/{made['connectionId']}/test")
        client.call("PUT", f"/connections/{made['connectionId']}", json={"name": names[use], **body})
    refused = {"name": "bad name!", "kind": "ssh", "config": {"port": canaries["pin"]}, "secrets": {"pin": canaries["pin"]}}
    client.call("POST", "/connections", status=422, json=refused)
    return names


def misuses(names: dict[str, str], pool: str) -> list[Json]:
    """Workflows that print, encode, fail with and send around what they were trusted with."""
    place = {"pool": pool}
    bag = {"connection": names["bag"], **place}
    get = action("http.request", {"url": "/x"}, names["http"], place)
    ssh = action("ssh.executeCommand", {"command": "true"}, names["ssh"], place)
    return [
        chain(bash("print", "echo $TOKEN; echo $TOKEN >&2; for c in $(echo $TOKEN | fold -w3); do printf %s $c; done", **bag)),
        chain(bash("encode", "printf %s $TOKEN | base64 -w0; sleep 1", **bag)),
        chain(bash("fail", 'echo "cannot log in with $TOKEN" >&2; exit 4', **bag)),
        chain(bash("expand", "bash -xc 'true '$TOKEN; env", **bag)),
        chain(get),
        chain(ssh),
    ]


def action(kind: str, params: Json, connection: str, place: Json) -> Json:
    return {"id": "one", "type": "action", "action": kind, "params": params, "connection": connection, **place}


def watch_command_lines(client: Client, execution_ids: list[str]) -> bytes:
    """The command lines of all processes, looked at until the executions have ended."""
    seen: set[bytes] = set()
    deadline = time.monotonic() + 60
    while any(client.detail(each)["status"] in ("pending", "running") for each in execution_ids):
        seen |= {" ".join(process.info["cmdline"] or []).encode() for process in psutil.process_iter(["cmdline"])}
        assert time.monotonic() < deadline, "the executions do not end"
    return b"\n".join(seen)


def files_of(directory: Path) -> bytes:
    """Every file of the deployment; what cannot be read belongs to a database that runs, and is read through it as well."""
    parts = []
    for path in directory.rglob("*"):
        if path.is_file():
            with closing(path.open("rb")) as file:
                parts.append(file.read())
    return b"\n".join(parts)
