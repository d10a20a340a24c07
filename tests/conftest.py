"""Fixtures that more than one area needs: real servers, and room of one's own on them for each test."""

import gc
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.servers import MIGRATED, ServerMissing, Servers, fast_directory

RUN_DIRECTORY = "RUNYARD_TEST_SERVERS"
SERVERS = pytest.StashKey[Servers]()
NEEDED_BY = {"postgres_url": "postgres", "amqp_url": "rabbitmq", "management_url": "rabbitmq"}
"""The fixtures that need a server."""


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    if _is_worker(config):
        config.stash[SERVERS] = Servers(Path(os.environ[RUN_DIRECTORY]))
    else:
        # where tmp_path is, also in the workers
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(fast_directory()))
        config.stash[SERVERS] = Servers.of_this_process()
        os.environ[RUN_DIRECTORY] = str(config.stash[SERVERS].directory)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Only here is known what the tests need; all workers collect the same, so the first of them launches for all."""
    # what was imported stays: the garbage collector need not look through it again and again
    gc.collect()
    gc.freeze()
    if session.config.option.collectonly or os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
        return
    functions = [item for item in session.items if isinstance(item, pytest.Function)]
    fixtures = {name for function in functions for name in function.fixturenames}
    # A fixture with parameters may name another in one of them, to ask for it only then.
    fixtures |= {
        str(value) for function in functions if hasattr(function, "callspec") for value in function.callspec.params.values()
    }
    for server in {server for fixture, server in NEEDED_BY.items() if fixture in fixtures}:
        if not (server == "rabbitmq" and os.environ.get("RUNYARD_AMQP_URL")):
            session.config.stash[SERVERS].launch(server)


def pytest_unconfigure(config: pytest.Config) -> None:
    if not _is_worker(config):
        config.stash[SERVERS].end()


@pytest.fixture
async def postgres_url(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    """The address of a database that is there for this test only: the tables of all services are in it, and they are empty.
    For a test that makes tables itself, `@pytest.mark.empty_database`, there are none."""
    server = request.config.stash[SERVERS].url("postgres")
    name = f"test_{secrets.token_hex(6)}"
    template = "template0" if request.node.get_closest_marker("empty_database") else MIGRATED
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to the test's own database."""
    async with asyncpg.create_pool(postgres_url, min_size=1, max_size=10) as pool:
        yield pool


@pytest.fixture
def amqp_url(request: pytest.FixtureRequest) -> str:
    """A real RabbitMQ, shared by all tests: use `namespace`. Without one the test is skipped; under CI it fails."""
    return os.environ.get("RUNYARD_AMQP_URL") or _of_rabbitmq(request, "url")


@pytest.fixture
def management_url(request: pytest.FixtureRequest) -> str:
    """The management API of the same RabbitMQ, with the credentials of an administrator."""
    if not os.environ.get("RUNYARD_AMQP_URL"):
        return _of_rabbitmq(request, "management_url")
    given = os.environ.get("RUNYARD_AMQP_MANAGEMENT_URL")
    return given or _without_rabbitmq("RUNYARD_AMQP_URL is set, RUNYARD_AMQP_MANAGEMENT_URL is not")


def _of_rabbitmq(request: pytest.FixtureRequest, which: str) -> str:
    try:
        return request.config.stash[SERVERS].url("rabbitmq", which)
    except ServerMissing as missing:
        _without_rabbitmq(str(missing))


def _without_rabbitmq(why: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI must run the tests on RabbitMQ: {why}", pytrace=False)
    pytest.skip(f"no RabbitMQ to test on: {why}")


@pytest.fixture
def namespace() -> str:
    """A short name that no other test has, for queues and exchanges on the shared broker."""
    return f"t{secrets.token_hex(4)}"
