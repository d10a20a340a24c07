"""Workflows as operators write them, run on the real things: a host with sshd, a service over HTTP, a chat's webhook."""

import json
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.acceptance.systems import Client, Json, eventually
from tests.sshd import Sshd, running_sshd

SHAPES = Path(__file__).parent / "shapes"


class Chat(BaseHTTPRequestHandler):
    """A chat's webhook: `said` are the texts that were posted. GET is the service that is watched: `health` is its answer."""

    said: list[str] = []
    health: tuple[int, str] = (200, "ok")

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.said.append(json.dumps(message))
        self._answer(200, b"ok", "text/plain")

    def do_GET(self) -> None:
        status, verdict = self.health
        self._answer(status, json.dumps({"status": verdict}).encode(), "application/json")

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    def _answer(self, status: int, body: bytes, media_type: str) -> None:
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def chat() -> Iterator[tuple[type[Chat], str]]:
    handler = type("OwnChat", (Chat,), {"said": [], "health": (200, "ok")})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with running_sshd(tmp_path) as sshd:
        yield sshd


def published(client: Client, name: str, sshd: Sshd | None, chat_url: str) -> str:
    """The workflow of the file under a name of its own, with the connections it asks for."""
    client.has_connection("ops-slack", "slack", {}, {"webhookUrl": f"{chat_url}/services/T0/B0/secret"})
    if sshd is not None:
        config: Json = {"username": sshd.username, "port": sshd.port, "knownHosts": sshd.known_hosts.read_text()}
        client.has_connection("web-hosts", "ssh", config, {"privateKey": sshd.identity.read_text()})
    document = YAML(typ="safe", pure=True).load((SHAPES / name).read_text())
    return client.publish(document | {"name": f"{document['name']} {secrets.token_hex(4)}"})


def test_a_full_disk_is_cleaned_over_ssh_after_a_person_agreed_and_the_chat_is_told(
    client: Client, sshd: Sshd, chat: tuple[type[Chat], str]
) -> None:
    handler, url = chat
    workflow_id = published(client, "disk-cleanup.yaml", sshd, url)
    execution_id = client.run(workflow_id, {"host": "127.0.0.1", "threshold": -1})
    detail = client.until(execution_id, lambda row: bool(row["approvals"]), "the approval")
    assert detail["approvals"][0]["message"].startswith("Clean 127.0.0.1? The disk is ")
    path = f"/approvals/{detail['approvals'][0]['approvalId']}/approve"
    with client.somebody("operator", "oncall") as oncall:
        oncall.call("POST", path, json={"note": "go on"})
        name = oncall.name
    detail = client.finished(execution_id, "completed")
    assert [job["status"] for job in detail["jobs"]] == ["completed"] * 3
    eventually(lambda: len(handler.said) == 1, "the chat to be told")
    assert f"127.0.0.1 cleaned, agreed by {name}: go on" in handler.said[0]


def test_a_service_that_stays_down_is_tried_again_and_then_told_to_the_chat(
    client: Client, chat: tuple[type[Chat], str]
) -> None:
    handler, url = chat
    workflow_id = published(client, "http-health.yaml", None, url)
    assert client.finished(client.run(workflow_id, {"url": url}), "completed")["variables"]["verdict"] == "ok"
    assert handler.said == []
    handler.health = (503, "down")
    detail = client.finished(client.run(workflow_id, {"url": url}), "completed")
    assert [(job["nodeId"], job["attempt"]) for job in detail["jobs"]] == [
        *(("probe", attempt) for attempt in range(1, 5)),
        ("tell", 1),
    ]
    assert "(HTTP 503)" in handler.said[0]
