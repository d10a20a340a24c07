"""`runyard-agent check`: each thing that can be wrong is named, with what to do."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from runyard_agent.check import findings
from runyard_agent.identity import Identity
from runyard_agent.settings import Settings
from runyard_dispatcher.accounts import BrokerAccounts
from runyard_shared.clock import rfc3339
from runyard_shared.contracts.link import AmqpAccess
from runyard_shared.messaging.rabbit import RabbitBus
from runyard_shared.sealing import seal
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.agents import NAME, TENANT, enrolment
from tests.certificates import ServerCertificate, server_certificate
from tests.webserver import serving

KEY = "rya_a-key-for-tests"
AGENT_ID = "019ab2c4-0000-7000-8000-000000000001"


def application(ahead_seconds: float = 0) -> Starlette:
    """Knows one agent; its clock is so far ahead."""

    async def who(request: Request) -> Response:
        if request.headers["authorization"] != f"Bearer {KEY}":
            body = {"status": 401, "code": "unauthorized", "detail": "This agent key is not known here."}
            return JSONResponse(body, 401, media_type="application/problem+json")
        agent = {"agentId": AGENT_ID, "tenantId": TENANT, "name": NAME, "pool": "db"}
        return JSONResponse(agent | {"serverTime": rfc3339(datetime.now(UTC) + timedelta(seconds=ahead_seconds))})

    return Starlette(routes=[Route("/api/v1/agent", who)])


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serving(application()) as url:
        yield url


@pytest.fixture
def certificate(tmp_path: Path) -> ServerCertificate:
    return server_certificate(tmp_path)


async def found(tmp_path: Path, url: str, **changes: Any) -> dict[str, tuple[str, str]]:
    """The findings: level and words by what they are about."""
    given: dict[str, Any] = {"agent_key": KEY, "agent_state_dir": tmp_path / "state"}
    return {each.what: (each.level, each.words) async for each in findings(Settings(url=url, **(given | changes)))}


async def test_an_agent_that_could_start_is_told_so(url: str, tmp_path: Path) -> None:
    findings = await found(tmp_path, url, agent_transport="https")
    assert {level for level, _ in findings.values()} == {"ok"}
    assert findings["address"][1] == f"127.0.0.1 (127.0.0.1) on port {url.rpartition(':')[2]}, without TLS"
    assert findings["key"][1] == "of agent agent-1 in pool db, tenant default"
    assert findings["state"][1] == f"{tmp_path / 'state'}, new: nothing was enrolled from here yet"
    assert findings["transport"][1] == "https, as it is set"
    assert "script.bash" in findings["actions"][1]


async def test_a_name_that_nobody_knows(tmp_path: Path) -> None:
    level, words = (await found(tmp_path, "https://runyard.invalid"))["address"]
    assert level == "failed"
    assert "the name runyard.invalid is not known to this host" in words


async def test_a_port_where_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        findings = await found(tmp_path, f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert findings["address"][0] == "failed"
    assert "Connection refused" in findings["address"][1]
    assert findings["key"] == ("failed", "not tried, because the server cannot be reached")
    assert findings["state"][0] == "ok"


async def test_a_certificate_of_a_private_authority_needs_that_authority(
    tmp_path: Path, certificate: ServerCertificate
) -> None:
    authority = tmp_path / "authority.pem"
    authority.write_text(certificate.authority)
    async with serving(application(), certificate) as url:
        level, words = (await found(tmp_path, url))["address"]
        assert level == "failed"
        assert "is not trusted" in words
        assert "--ca-file" in words
        trusted = await found(tmp_path, url, agent_ca_file=authority)
    assert trusted["address"][0] == "ok"
    assert "TLSv1.3" in trusted["address"][1]
    assert trusted["key"][0] == "ok"


async def test_a_server_without_tls_at_an_address_with_https(tmp_path: Path, url: str) -> None:
    level, words = (await found(tmp_path, url.replace("http:", "https:")))["address"]
    assert level == "failed"
    assert "speaks no TLS" in words


async def test_a_proxy_is_used_and_named_without_its_password(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = url.removeprefix("http://")
    monkeypatch.setenv("http_proxy", f"http://user:hunter2@{proxy}")
    monkeypatch.delenv("no_proxy", raising=False)
    findings = await found(tmp_path, "http://runyard.invalid", agent_allow_http=True)
    assert findings["address"] == ("ok", f"through the proxy {proxy}")
    assert findings["key"][0] == "ok"
    monkeypatch.setenv("no_proxy", "runyard.invalid")
    findings = await found(tmp_path, "http://runyard.invalid", agent_allow_http=True)
    assert findings["address"][0] == "failed"


async def test_a_file_without_certificates(tmp_path: Path, url: str) -> None:
    (tmp_path / "empty.pem").touch()
    level, words = (await found(tmp_path, url, agent_ca_file=tmp_path / "empty.pem"))["address"]
    assert level == "failed"
    assert "no certificates (PEM) can be read from" in words


async def test_a_key_that_is_not_known_and_one_that_is_not_there(tmp_path: Path, url: str) -> None:
    assert (await found(tmp_path, url, agent_key="rya_old"))["key"] == ("failed", "This agent key is not known here.")
    missing = await found(tmp_path, url, agent_key=None, agent_key_file=tmp_path / "key")
    assert missing["key"][0] == "failed"
    assert str(tmp_path / "key") in missing["key"][1]
    (tmp_path / "key").write_text(f"{KEY}\n")
    assert (await found(tmp_path, url, agent_key=None, agent_key_file=tmp_path / "key"))["key"][0] == "ok"


@pytest.mark.parametrize(
    ("ahead", "level", "words"), [(0, "ok", "0.0 s"), (3600, "warning", "3600.0 s behind"), (-7, "warning", "7.0 s ahead of")]
)
async def test_the_clock_is_held_against_the_servers(tmp_path: Path, ahead: float, level: str, words: str) -> None:
    async with serving(application(ahead)) as url:
        clock = (await found(tmp_path, url))["clock"]
    assert clock[0] == level
    assert words in clock[1]


async def test_a_state_directory_that_cannot_be_used_and_one_that_is(tmp_path: Path, url: str) -> None:
    (tmp_path / "file").touch()
    level, words = (await found(tmp_path, url, agent_state_dir=tmp_path / "file" / "state"))["state"]
    assert level == "failed"
    assert "choose another with RUNYARD_AGENT_STATE_DIR" in words
    identity = Identity.open(tmp_path / "state")
    assert "used by the agent that runs" in (await found(tmp_path, url))["state"][1]
    identity.close()
    assert "no agent runs on it" in (await found(tmp_path, url))["state"][1]


@pytest.fixture
async def enrolled(tmp_path: Path, amqp_url: str, management_url: str, namespace: str) -> AsyncIterator[BrokerAccounts]:
    """The state of an agent that has an account on RabbitMQ."""
    bus = RabbitBus(amqp_url, namespace=namespace)
    await bus.open()
    await bus.close()
    accounts = BrokerAccounts(management_url, amqp_url, namespace)
    username = await accounts.grant(AGENT_ID, TENANT, NAME, "a password")
    identity = Identity.open(tmp_path / "state")
    box = seal(identity.key.public, b"a password")
    broker = amqp_url.rpartition("@")[2]
    access = AmqpAccess(url=f"amqp://{broker}", namespace=namespace, username=username, sealed_password=box)
    identity.remember(enrolment(transport="amqp", amqp=access))
    identity.close()
    yield accounts
    await accounts.revoke(AGENT_ID)
    await accounts.close()


async def test_the_enrolled_account_is_tried_on_the_broker(tmp_path: Path, url: str, enrolled: BrokerAccounts) -> None:
    level, words = (await found(tmp_path, url))["transport"]
    assert level == "ok"
    assert "amqp, with the account" in words
    assert "a password" not in words
    await enrolled.revoke(AGENT_ID)
    level, words = (await found(tmp_path, url))["transport"]
    assert level == "warning"
    assert "so it will be https" in words
    level, words = (await found(tmp_path, url, agent_transport="amqp"))["transport"]
    assert level == "failed"
    assert "Try --transport https" in words


@pytest.mark.parametrize(("key", "code"), [(KEY, 0), ("rya_old", 1)])
async def test_the_exit_code_says_whether_something_failed(tmp_path: Path, url: str, key: str, code: int) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "runyard_agent", "check", "--url", url,
        env=os.environ | {"RUNYARD_AGENT_KEY": key, "RUNYARD_AGENT_STATE_DIR": str(tmp_path / "state")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert (process.returncode, err) == (code, b"")
    lines = out.decode().splitlines()
    assert lines[0].startswith("runyard-agent ")
    assert [line.split()[1] for line in lines[1:4]] == ["address", "key", "clock" if code == 0 else "state"]
    assert key not in out.decode()
