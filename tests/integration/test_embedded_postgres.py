import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from runyard_standalone.postgres import DirectoryInUse, EmbeddedPostgres, PostgresError

SMALL = {"shared_buffers": "16MB"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path / "postgres", settings=SMALL)
    yield server
    server.kill()


async def fetch(server: EmbeddedPostgres, query: str) -> object:
    connection = await asyncpg.connect(server.dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_a_first_start_gives_a_durable_server_on_loopback_that_wants_its_password(server: EmbeddedPostgres) -> None:
    server.start()
    assert await fetch(server, "SHOW fsync") == "on"
    assert await fetch(server, "SHOW synchronous_commit") == "on"
    assert await fetch(server, "SHOW listen_addresses") == "127.0.0.1"
    assert await fetch(server, "SHOW shared_buffers") == "16MB"
    assert (server.directory / "password").stat().st_mode & 0o777 == 0o600
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(f"postgresql://runyard:wrong@127.0.0.1:{server.port}/runyard")


async def test_a_stop_and_a_start_keep_data_and_password(server: EmbeddedPostgres) -> None:
    server.start()
    await fetch(server, "CREATE TABLE kept AS SELECT 7 AS n")
    password = (server.directory / "password").read_text()
    server.stop()
    assert not server.running
    server.start()
    assert await fetch(server, "SELECT n FROM kept") == 7
    assert (server.directory / "password").read_text() == password


async def test_what_was_committed_survives_a_kill(server: EmbeddedPostgres) -> None:
    server.start()
    await fetch(server, "CREATE TABLE kept AS SELECT 7 AS n")
    server.kill()
    assert (server.directory / "cluster").exists()
    server.start()
    assert await fetch(server, "SELECT n FROM kept") == 7


LAUNCHER = """
import sys, time
from runyard_standalone.postgres import EmbeddedPostgres
server = EmbeddedPostgres(sys.argv[1], settings={"shared_buffers": "16MB"})
server.start()
print(server.pid, flush=True)
time.sleep(600)
"""


@contextmanager
def launched_elsewhere(directory: Path) -> Iterator[psutil.Process]:
    """A server whose launcher is another process, which is killed at the end."""
    with subprocess.Popen([sys.executable, "-c", LAUNCHER, directory], stdout=subprocess.PIPE, text=True) as launcher:
        try:
            assert launcher.stdout is not None
            yield psutil.Process(int(launcher.stdout.readline()))
        finally:
            launcher.kill()


async def test_the_server_of_a_killed_launcher_is_ended_by_the_next_start(server: EmbeddedPostgres) -> None:
    with launched_elsewhere(server.directory) as orphan:
        await fetch(server, "CREATE TABLE kept AS SELECT 7 AS n")
        with pytest.raises(DirectoryInUse, match="another running process"):
            server.start()
        assert await fetch(server, "SELECT n FROM kept") == 7
    assert orphan.is_running()
    server.start()
    assert server.pid != orphan.pid
    assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
    assert await fetch(server, "SELECT n FROM kept") == 7


async def test_a_pid_file_that_names_a_strangers_process_is_no_hindrance(server: EmbeddedPostgres) -> None:
    server.start()
    pid_path = server.directory / "cluster" / "postmaster.pid"
    lines = pid_path.read_text().splitlines()
    server.kill()
    pid_path.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert not server.running
    server.start()
    assert await fetch(server, "SELECT 1") == 1


async def test_an_initdb_that_was_killed_half_way_is_begun_again(server: EmbeddedPostgres) -> None:
    half = server.directory / "cluster.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server.start()
    assert await fetch(server, "SELECT 1") == 1


def test_a_server_that_cannot_start_says_why_from_its_log(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "postgres", settings={"no_such_setting": "1"})
    with pytest.raises(PostgresError, match="no_such_setting"):
        server.start()
    assert not server.running


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives up its rights")
async def test_as_root_it_runs_unprivileged_below_a_directory_that_it_cannot_enter(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    server = EmbeddedPostgres(private / "data" / "postgres", settings=SMALL)
    server.start()
    try:
        assert server.pid is not None
        assert psutil.Process(server.pid).uids().effective != 0
        assert await fetch(server, "SELECT count(*) FROM pg_timezone_names") != 0
        assert private.stat().st_mode & 0o777 == 0o700
        assert private.stat().st_uid == 0
    finally:
        server.kill()
