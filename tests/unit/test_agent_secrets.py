"""A job's connection: opened, held against what the action can use, and nowhere in what the job leaves behind."""

import asyncio
import base64
import hashlib
import io
import json
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
import structlog
from pydantic import BaseModel
from runyard_agent import job
from runyard_agent.actions.base import Action, Context, Outcome
from runyard_agent.delivery import Delivery
from runyard_agent.job import run_job
from runyard_agent.leases import Lease
from runyard_agent.redacted_log import RedactedLog
from runyard_agent.settings import Settings
from runyard_agent.spool import Spool
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.jobs import OutputChunk, RunJob
from runyard_shared.contracts.reports import JobFinished
from runyard_shared.contracts.values import JobStatus
from runyard_shared.logs import configure_logs
from runyard_shared.sealing import OpeningKey, seal

CANARY = 'canary-Zw7+q/9 "ä"'
KEY = OpeningKey.generate()
CONNECTION = OpenedConnection(name="web", kind="secrets", config={}, secrets={"TOKEN": CANARY})


class Params(BaseModel):
    how: Literal["prints", "returns", "raises", "fails", "logs", "is quiet"] = "is quiet"


class Leaky(Action[Params]):
    """Shows its secret in every way it can."""

    params = Params
    connections = ("secrets",)

    async def run(self, params: Params, context: Context) -> Outcome:
        secret = context.connection.secrets["TOKEN"] if context.connection is not None else ""
        forms = [secret, base64.b64encode(f"user:{secret}".encode()).decode(), json.dumps({"a": secret})]
        match params.how:
            case "prints":
                stdout = context.stream("stdout")
                for byte in "\n".join(forms).encode():
                    stdout.write(bytes([byte]))
                    await asyncio.sleep(0)
                return Outcome.completed({"stdout": stdout.text(), "truncated": stdout.truncated})
            case "returns":
                return Outcome.completed({secret: forms, "nested": {"list": [secret, {"x": forms}]}})
            case "raises":
                raise RuntimeError(f"login failed with {forms}") from ValueError(secret)
            case "logs":
                structlog.get_logger().error("login failed", password=secret, tried=forms)
                logging.getLogger("library").warning("login with %s failed: %r", secret, forms)
            case "fails":
                return Outcome.failed("exit_code", f"it says {forms}", {"forms": forms})
        return Outcome.completed({})


class Needy(Leaky):
    """Cannot do without."""

    needs_connection = True


class Taken:
    """A transport that takes everything."""

    trouble = None

    def __init__(self) -> None:
        self.items: list[Any] = []

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        self.items += items

    async def receive(self, handler: Any) -> Any: ...

    def on_reconnect(self, callback: Any) -> None: ...

    def on_revoked(self, callback: Any) -> None: ...


@pytest.fixture
def taken() -> Taken:
    return Taken()


async def run(taken: Taken, action_type: str = "leaky", params: dict[str, Any] | None = None, **more: Any) -> JobFinished:
    given: dict[str, Any] = {"connection": "web", "sealed_connection": seal(KEY.public, msgspec.json.encode(CONNECTION))}
    order = RunJob(
        tenant_id="default",
        execution_id="e",
        job_id="j",
        node_id="n",
        attempt=1,
        dispatch=1,
        session_id="s",
        action=action_type,
        params=params or {},
        **(given | more),
    )
    settings = Settings()
    actions: dict[str, Action[Any]] = {"leaky": Leaky(settings), "needy": Needy(settings)}
    with tempfile.TemporaryDirectory() as directory:
        spool = Spool.open(Path(directory), limit_bytes=0)
        finished = await run_job(Lease(order), actions, Delivery(taken, spool), "agent-1", KEY)
        spool.close()
    return finished


@pytest.mark.parametrize("how", ["prints", "returns", "raises", "fails"])
@pytest.mark.parametrize("log_format", ["human", "json"])
async def test_no_secret_of_its_connection_is_in_what_a_job_leaves_behind(
    taken: Taken, how: str, log_format: Literal["human", "json"], monkeypatch: pytest.MonkeyPatch
) -> None:
    logged = io.StringIO()
    before = structlog.get_config()
    configure_logs("agent", log_format, stream=logged)
    monkeypatch.setattr(job, "log", structlog.get_logger())  # one that was used keeps to the stream it had
    try:
        finished = await run(taken, params={"how": how})
    finally:
        structlog.configure(**before)
    left = msgspec.json.encode([finished, taken.items]).decode() + logged.getvalue()
    output = b"".join(item.data for item in taken.items if isinstance(item, OutputChunk)).decode()
    inner = base64.b64encode(f"user:{CANARY}".encode()).decode()[8:-4]
    for form in (CANARY, json.dumps(CANARY)[1:-1], json.dumps(CANARY, ensure_ascii=False)[1:-1], inner):
        assert form not in left + output
        assert json.dumps(form)[1:-1] not in left
    assert "***" in left + output
    if how == "raises":
        assert "RuntimeError: login failed with ['***'" in logged.getvalue().replace("\\\\", "")
        assert "in run" in logged.getvalue()


@pytest.mark.parametrize("log_format", ["human", "json"])
async def test_what_an_action_or_a_library_logs_is_redacted_while_its_job_runs(
    taken: Taken, log_format: Literal["human", "json"]
) -> None:
    written = io.BytesIO()
    stream = RedactedLog(written, encoding="utf-8", write_through=True)
    before, handler = structlog.get_config(), logging.StreamHandler(stream)
    configure_logs("agent", log_format, stream=stream)
    logging.getLogger("library").addHandler(handler)
    try:
        await run(taken, params={"how": "logs"})
        structlog.get_logger().info("afterwards", password=CANARY[:12])
    finally:
        structlog.configure(**before)
        logging.getLogger("library").removeHandler(handler)
    logged = written.getvalue().decode()
    assert "login failed" in logged
    assert "login with *** failed: ['***', '" in logged
    for form in (CANARY, json.dumps(CANARY)[1:-1], json.dumps(CANARY, ensure_ascii=False)[1:-1]):
        assert form not in logged
    assert CANARY[:12] in logged


async def test_offsets_size_and_hash_are_those_of_the_redacted_stream(taken: Taken) -> None:
    finished = await run(taken, params={"how": "prints"})
    chunks = [item for item in taken.items if isinstance(item, OutputChunk)]
    data = b"".join(chunk.data for chunk in chunks)
    (sealed,) = finished.seals
    assert data.decode() == finished.output["stdout"]
    assert data.startswith(b"***\n")
    assert (sealed.chunks, sealed.size, sealed.sha256) == (len(chunks), len(data), hashlib.sha256(data).hexdigest())
    assert [chunk.offset for chunk in chunks] == [sum(len(c.data) for c in chunks[:n]) for n in range(len(chunks))]


@pytest.mark.parametrize(
    ("box", "words"),
    [
        (None, "no sealed box came with the job"),
        (b"short", "it is too short"),
        (seal(OpeningKey.generate().public, b"{}"), "made for another key"),
        (seal(KEY.public, b"no connection"), "holds no connection that this version of the agent can read"),
        (seal(KEY.public, msgspec.json.encode(msgspec.structs.replace(CONNECTION, name="db"))), "holds connection 'db'"),
    ],
    ids=["none", "too short", "for another key", "not a connection", "another connection"],
)
async def test_a_job_whose_box_cannot_be_opened_is_not_run_and_says_what_to_do(
    taken: Taken, box: bytes | None, words: str
) -> None:
    finished = await run(taken, sealed_connection=box)
    assert finished.status is JobStatus.FAILED
    assert finished.error is not None
    assert finished.error.reason == "credentials_undelivered"
    assert words in finished.error.message
    assert "restart the agent" in finished.error.message


async def test_an_action_gets_no_connection_that_it_cannot_use(taken: Taken) -> None:
    box = seal(KEY.public, msgspec.json.encode(msgspec.structs.replace(CONNECTION, kind="ssh")))
    finished = await run(taken, sealed_connection=box)
    assert finished.error is not None
    assert finished.error.reason == "invalid_params"
    assert finished.error.message == "connection 'web' is of the kind ssh, and leaky can use one of the kind secrets"


async def test_an_action_that_needs_a_connection_says_so(taken: Taken) -> None:
    finished = await run(taken, "needy", connection=None, sealed_connection=None)
    assert finished.error is not None
    assert finished.error.reason == "invalid_params"
    assert finished.error.message == "needy needs a connection of the kind secrets: name one in the node's `connection`"
    assert (await run(taken, "leaky", connection=None, sealed_connection=None)).status is JobStatus.COMPLETED


def test_a_connection_does_not_show_its_secrets() -> None:
    assert CANARY not in f"{CONNECTION} {CONNECTION!r} {CONNECTION.__rich_repr__()}"
