"""`database.query` against a real PostgreSQL, as a user of the test's own with a password."""

import asyncio
import secrets
import socket
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from runyard_agent.actions.base import ProbeFailed
from runyard_agent.actions.database import ROWS_BYTES, Query
from runyard_agent.probe import probe
from runyard_agent.settings import Settings
from runyard_agent.testing import Ran, run_action
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.values import JobStatus

from tests.certificates import ServerCertificate, server_certificate


@dataclass(frozen=True)
class Database:
    """`admin` is a connection of the test; jobs come as `username`, who owns the database's schema `public`."""

    admin: "asyncpg.Connection[asyncpg.Record]"
    host: str
    port: int
    name: str
    username: str
    password: str

    def connection(self, **changes: Any) -> OpenedConnection:
        given = {"host": self.host, "port": self.port, "database": self.name, "username": self.username, "tls": "disable"}
        password = changes.pop("password", self.password)
        return OpenedConnection(
            name="db", kind="postgresql", config=given | changes, secrets={"password": password} if password else {}
        )

    async def run(self, sql: str, *args: Any, **more: Any) -> Ran:
        ran = {name: more.pop(name) for name in ("timeout_seconds", "cancel", "job_id") if name in more}
        return await run_action(Query, {"sql": sql, "args": list(args), **more}, connection=self.connection(), **ran)

    async def rows(self, sql: str, *args: Any, **more: Any) -> list[dict[str, Any]]:
        ran = await self.run(sql, *args, **more)
        assert ran.error is None, ran.error
        rows: list[dict[str, Any]] = ran.output["rows"]
        return rows

    async def running(self, like: str) -> int:
        return int(
            await self.admin.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND state = 'active' AND query LIKE $2",
                self.username,
                like,
            )
        )


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[Database]:
    url = urlsplit(postgres_url)
    role, password = f"job_{secrets.token_hex(4)}", f"kanarienvogel-{secrets.token_hex(4)}"
    admin = await asyncpg.connect(postgres_url)
    try:
        await admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        await admin.execute(f"GRANT ALL ON SCHEMA public TO {role}")
        assert url.hostname is not None
        assert url.port is not None
        yield Database(admin, url.hostname, url.port, url.path[1:], role, password)
        await admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", role)
        await admin.execute(f"DROP OWNED BY {role}")
        await admin.execute(f"DROP ROLE {role}")
    finally:
        await admin.close()


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110 - a database has no event
            await asyncio.sleep(0.01)


def words_of(ran: Ran) -> str:
    assert ran.error is not None
    assert "kanarienvogel" not in str(ran)
    return ran.error.message


async def test_rows_come_by_column_with_what_the_database_says(database: Database) -> None:
    ran = await database.run("SELECT n, 'row ' || n AS label FROM generate_series(1, $1::int) n", 3)
    assert ran.error is None
    assert ran.output == {
        "columns": ["n", "label"],
        "rows": [{"n": 1, "label": "row 1"}, {"n": 2, "label": "row 2"}, {"n": 3, "label": "row 3"}],
        "rowCount": 3,
        "truncated": False,
        "command": "SELECT 3",
    }


VALUES: list[tuple[str, Any]] = [
    ("NULL::text", None),
    ("true", True),
    ("9223372036854775807::bigint", 2**63 - 1),
    ("sum(n) FROM generate_series(1, 3) n", 6),
    ("12.50::numeric", 12.5),
    ("0.1234567890123456789::numeric", "0.1234567890123456789"),
    ("1e30::numeric", "1000000000000000000000000000000"),
    ("'NaN'::numeric", "NaN"),
    ("'Infinity'::float8", "inf"),
    ("1.5::float4", 1.5),
    ("'2026-11-22 10:00:00.5+02'::timestamptz AT TIME ZONE 'UTC'", "2026-11-22T08:00:00.5"),
    ("'infinity'::timestamptz", "infinity"),
    ("'20000-01-01'::date", "20000-01-01"),
    ("'10:30'::time", "10:30:00"),
    ("'1 month 2 days 03:04:05'::interval", "P1M2DT3H4M5S"),
    ("'6f9619ff-8b86-d011-b42d-00c04fc964ff'::uuid", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    ("'\\xdeadbeef'::bytea", "3q2+7w=="),
    ("""'{"a": [1, null, "ü"]}'::jsonb""", {"a": [1, None, "ü"]}),
    ("'[1, 2.5]'::json", [1, 2.5]),
    ("'null'::json", None),
    ("ARRAY[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
    ("ARRAY['2026-01-01'::date, NULL]", ["2026-01-01", None]),
    ("ARRAY[1.5::numeric, 2]", [1.5, 2]),
    ("'10.0.0.1/24'::inet", "10.0.0.1/24"),
    ("int4range(1, 10)", "[1,10)"),
    ("'empty'::int4range", "empty"),
    ("'101'::bit(3)", "101"),
    ("point(1, 2)", [1.0, 2.0]),
    ("ROW(1, 'x')::part", {"id": 1, "name": "x"}),
    ("'sad'::mood", "sad"),
    ("'12.34'::money::text", "$12.34"),
]
"""What PostgreSQL makes of an expression, and what a template sees."""


async def test_every_type_becomes_json(database: Database) -> None:
    await database.admin.execute("CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE part AS (id int, name text)")
    selected = ", ".join(f"(SELECT {expression}) AS v{at}" for at, (expression, _) in enumerate(VALUES))
    (row,) = await database.rows(f"SELECT {selected}")
    assert list(zip((expression for expression, _ in VALUES), row.values(), strict=True)) == VALUES


async def test_a_moment_with_a_zone_is_rfc_3339(database: Database) -> None:
    (row,) = await database.rows("SELECT '2026-11-22 10:00:00+00'::timestamptz AS at")
    assert row["at"] == "2026-11-22T10:00:00+00:00"


ARGUMENTS: list[tuple[str, Any, Any]] = [
    ("int", 7, 7),
    ("int", "7\n", 7),
    ("bigint", 7.0, 7),
    ("text", 7, "7"),
    ("numeric", "12.5", 12.5),
    ("float8", 1, 1.0),
    ("boolean", False, False),
    ("timestamptz", "2026-11-22T10:00:00Z", "2026-11-22T10:00:00+00:00"),
    ("date", "2026-11-22", "2026-11-22"),
    ("interval", "90 minutes", "PT1H30M"),
    ("uuid", "6f9619ff-8b86-d011-b42d-00c04fc964ff", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
    ("bytea", "3q2+7w==", "3q2+7w=="),
    ("jsonb", {"a": [1, None]}, {"a": [1, None]}),
    ("json", "text", "text"),
    ("int[]", [1, None, 3], [1, None, 3]),
    ("text[]", ["a", 1], ["a", "1"]),
    ("timestamptz[]", ["2026-11-22T10:00:00Z"], ["2026-11-22T10:00:00+00:00"]),
    ("int[]", [[1], [2]], [[1], [2]]),
    ("inet", "10.0.0.1", "10.0.0.1"),
    ("int", None, None),
]
"""The type of a parameter, what a workflow gives for it, and what comes back."""


async def test_arguments_are_given_as_json(database: Database) -> None:
    selected = ", ".join(f"${at}::{type_} AS v{at}" for at, (type_, _, _) in enumerate(ARGUMENTS, 1))
    (row,) = await database.rows(f"SELECT {selected}", *(given for _, given, _ in ARGUMENTS))
    back = [(type_, given, value) for (type_, given, _), value in zip(ARGUMENTS, row.values(), strict=True)]
    assert back == ARGUMENTS


async def test_an_argument_is_never_part_of_the_statement(database: Database) -> None:
    evil = "'; DROP TABLE t; --"
    assert await database.rows("SELECT $1::text AS value", evil) == [{"value": evil}]


IMPOSSIBLE: list[tuple[str, list[Any], list[str]]] = [
    ("SELECT $1::int", [], ["args: the statement has 1 parameters ($1, $2, …), and 0 are given"]),
    ("SELECT $1::int + $2::int AS n", ["x", True], ["args[0]: 'x' is no number", "args[1]: int4 takes a number"]),
    ("SELECT $1::int AS n", [1.5], ["args[0]: 1.5 is no whole number"]),
    ("SELECT $1::int[] AS n", [1], ["args[0]: int4[] takes a list"]),
    ("SELECT 1, 2", [], ["two columns are called '?column?': name them apart with AS"]),
    ("SELECT '\0'", [], ["sql: must not contain NUL"]),
    ("-- load\nCOPY t FROM STDIN", [], ["sql: COPY has nothing to read from"]),
]


async def test_what_cannot_be_run_is_said_before_it_runs(database: Database) -> None:
    for sql, args, problems in IMPOSSIBLE:
        ran = await database.run(sql, *args)
        assert ran.error is not None
        assert ran.error.reason == "invalid_params"
        assert [problem for problem in problems if problem not in words_of(ran)] == []


WRITES = [
    "INSERT INTO t VALUES (1)",
    "WITH w AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM w",
    "SELECT writes()",
    "SELECT set_config('transaction_read_only', 'off', false), writes()",
    "CREATE TABLE u (n int)",
    "DO $$ BEGIN PERFORM writes(); END $$",
]


async def test_the_server_refuses_writes_unless_they_are_allowed(database: Database) -> None:
    await database.admin.execute(
        "CREATE TABLE t (n int); GRANT ALL ON t TO public;"
        "CREATE FUNCTION writes() RETURNS int LANGUAGE plpgsql AS 'BEGIN INSERT INTO t VALUES (2); RETURN 1; END'"
    )
    for sql in WRITES:
        ran = await database.run(sql)
        assert ran.error is not None
        assert ran.error.reason == "refused"
        assert "read-only" in words_of(ran) or "read-write mode" in words_of(ran)
    assert "set readOnly: false" in words_of(await database.run(WRITES[0]))
    assert await database.admin.fetchval("SELECT count(*) FROM t") == 0


async def test_a_read_only_statement_cannot_leave_its_transaction(database: Database) -> None:
    await database.admin.execute("CREATE TABLE t (n int); INSERT INTO t VALUES (1); GRANT ALL ON t TO public")
    for sql in ("COMMIT", "SET TRANSACTION READ WRITE", "SELECT 1 AS a; DELETE FROM t", "COMMIT; DELETE FROM t"):
        await database.run(sql)
    assert await database.admin.fetchval("SELECT count(*) FROM t") == 1


async def test_a_write_says_how_many_rows_it_changed(database: Database) -> None:
    for sql, command, count in (
        ("CREATE TABLE t (n int)", "CREATE TABLE", 0),
        ("INSERT INTO t SELECT generate_series(1, 5)", "INSERT 0 5", 5),
        ("UPDATE t SET n = n + 10 WHERE n > 2", "UPDATE 3", 3),
        ("VACUUM t", "VACUUM", 0),
    ):
        ran = await database.run(sql, readOnly=False)
        assert ran.error is None
        assert ran.output == {"columns": [], "rows": [], "rowCount": count, "truncated": False, "command": command}
    ran = await database.run("DELETE FROM t WHERE n > 11 RETURNING n", readOnly=False)
    assert (ran.output["rowCount"], ran.output["command"]) == (3, "DELETE 3")
    assert await database.admin.fetchval("SELECT array_agg(n) FROM t") == [1, 2]


async def test_what_writes_is_done_for_all_rows_also_those_that_are_not_kept(database: Database) -> None:
    await database.admin.execute(
        "CREATE TABLE t (n int); GRANT ALL ON t TO public;"
        "CREATE FUNCTION noted(n int) RETURNS int LANGUAGE sql AS 'INSERT INTO t VALUES (n) RETURNING n'"
    )
    ran = await database.run("SELECT noted(n) AS n FROM generate_series(1, 500) n", readOnly=False, maxRows=10)
    assert (len(ran.output["rows"]), ran.output["rowCount"], ran.output["truncated"]) == (10, 500, True)
    assert await database.admin.fetchval("SELECT count(*) FROM t") == 500
    ran = await database.run("UPDATE t SET n = -n RETURNING n", readOnly=False, maxRows=1)
    assert (len(ran.output["rows"]), ran.output["command"], ran.output["truncated"]) == (1, "UPDATE 500", True)


async def test_the_command_is_named_as_the_database_does(database: Database) -> None:
    for sql, command in (
        ("/* all */ VALUES (1), (2)", "SELECT 2"),
        ("-- of the catalog\nWITH one AS (SELECT 1 AS n) SELECT n FROM one", "SELECT 1"),
        ("SHOW timezone", "SHOW"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
    ):
        assert (await database.run(sql)).output["command"] == command
    ran = await database.run("CREATE TABLE t (n int)", readOnly=False)
    ran = await database.run("INSERT INTO t VALUES (1), (2) RETURNING n", readOnly=False)
    assert ran.output["command"] == "INSERT 0 2"


@pytest.mark.parametrize("read_only", [True, False])
async def test_a_connection_that_is_lost_is_said_to_leave_a_doubt_about_writes(database: Database, read_only: bool) -> None:
    await database.admin.execute("CREATE TABLE t (n int); GRANT ALL ON t TO public")
    ran = await database.run("SELECT pg_terminate_backend(pg_backend_pid())", readOnly=read_only)
    doubt = "; whether the statement was carried out is not known"
    assert ran.error is not None
    assert ran.error.reason == "exception"
    assert words_of(ran).endswith(f"terminating connection due to administrator command{'' if read_only else doubt}")
    running = asyncio.create_task(database.run("INSERT INTO t SELECT 1 FROM pg_sleep(60)", readOnly=False))

    async def begun() -> bool:
        return await database.running("INSERT INTO t%") == 1

    await eventually(begun)
    await database.admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1", database.username)
    assert words_of(await running).endswith(f"terminating connection due to administrator command{doubt}")


async def test_a_failed_write_changes_nothing(database: Database) -> None:
    await database.admin.execute("CREATE TABLE t (n int PRIMARY KEY); INSERT INTO t VALUES (3); GRANT ALL ON t TO public")
    ran = await database.run("INSERT INTO t SELECT generate_series(1, 5) RETURNING n", readOnly=False)
    assert words_of(ran) == (
        'the database refused the statement: duplicate key value violates unique constraint "t_pkey"; '
        "detail: Key (n)=(3) already exists. (SQLSTATE 23505)"
    )
    assert await database.admin.fetchval("SELECT count(*) FROM t") == 1


async def test_a_mistake_is_said_with_its_line(database: Database) -> None:
    words = words_of(await database.run("SELECT 1 AS one,\n  nocolumn\nFROM pg_class"))
    assert 'column "nocolumn" does not exist; at line 2' in words


async def test_a_million_rows_are_cut_in_bounded_memory(database: Database) -> None:
    tracemalloc.start()
    try:
        ran = await database.run("SELECT n, repeat('x', 100) AS x FROM generate_series(1, 1000000) n", maxRows=1000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(ran.output["rows"]), ran.output["truncated"], ran.output["rowCount"]) == (1000, True, 1000)
    assert peak < 8_000_000


async def test_rows_beyond_what_an_output_holds_are_cut(database: Database) -> None:
    ran = await database.run("SELECT repeat('x', 10000) AS x FROM generate_series(1, 100000)", maxRows=100_000)
    assert ran.error is None
    assert ran.output["truncated"] is True
    assert ROWS_BYTES // 10_100 <= len(ran.output["rows"]) <= ROWS_BYTES // 10_000


async def test_exactly_as_many_rows_as_wanted_are_not_cut(database: Database) -> None:
    ran = await database.run("SELECT n FROM generate_series(1, 100) n", maxRows=100)
    assert (len(ran.output["rows"]), ran.output["truncated"]) == (100, False)


async def test_notices_show_while_the_statement_runs(database: Database) -> None:
    ran = await database.run("DO $$ BEGIN RAISE NOTICE 'step %', 1; RAISE WARNING 'careful'; END $$")
    assert ran.streams["stdout"] == b"NOTICE: step 1\nWARNING: careful\n"


@pytest.mark.parametrize("read_only", [True, False])
async def test_the_timeout_cancels_the_statement_at_the_server(database: Database, read_only: bool) -> None:
    ran = await database.run("SELECT pg_sleep(60) AS slept", timeout_seconds=0.5, readOnly=read_only)
    assert ran.status is JobStatus.TIMEOUT
    assert await database.running("SELECT pg_sleep(60)%") == 0


async def test_a_cancel_cancels_the_statement_at_the_server(database: Database) -> None:
    await database.admin.execute("CREATE TABLE t (n int); GRANT ALL ON t TO public")
    cancel = asyncio.Event()
    insert = "INSERT INTO t SELECT 1 FROM (SELECT pg_sleep(60)) s"
    running = asyncio.create_task(database.run(insert, readOnly=False, cancel=cancel))

    async def begun() -> bool:
        return await database.running("INSERT INTO t%") == 1

    await eventually(begun)
    cancel.set()
    assert (await running).status is JobStatus.CANCELLED
    assert await database.running("INSERT INTO t%") == 0
    assert await database.admin.fetchval("SELECT count(*) FROM t") == 0


async def test_people_at_the_database_see_whose_statement_it_is(database: Database) -> None:
    ran = await database.run("SELECT current_setting('application_name') AS name", job_id="0197-job")
    assert ran.output["rows"] == [{"name": "runyard job 0197-job"}]


async def test_a_job_leaves_no_connection_behind(database: Database) -> None:
    await database.run("SELECT 1 AS one")
    await database.run("SELECT broken")

    async def gone() -> bool:
        left = await database.admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = $1", database.username)
        return bool(left == 0)

    await eventually(gone)


async def test_a_wrong_password_is_said_and_never_shown(database: Database) -> None:
    wrong = database.connection(password="falscher-kanarienvogel")
    ran = await run_action(Query, {"sql": "SELECT 1"}, connection=wrong)
    assert ran.error is not None
    assert ran.error.reason == "refused"
    assert f"{database.port} does not let this agent in: password authentication failed" in words_of(ran)
    with pytest.raises(ProbeFailed, match="password authentication failed"):
        await probe(wrong, Settings())


async def test_the_password_of_the_agents_own_environment_is_not_used(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", database.password)
    ran = await run_action(Query, {"sql": "SELECT 1"}, connection=database.connection(password=None))
    assert "does not let this agent in" in words_of(ran)


async def test_a_server_without_tls_is_refused_where_tls_is_required(database: Database) -> None:
    ran = await run_action(Query, {"sql": "SELECT 1"}, connection=database.connection(tls="require"))
    assert "cannot connect" in words_of(ran)
    assert "SSL" in words_of(ran)
    preferred = await run_action(Query, {"sql": "SELECT 1 AS one"}, connection=database.connection(tls="prefer"))
    assert preferred.error is None


async def test_tls_is_checked_as_the_connection_says(database: Database, tmp_path: Path) -> None:
    certificate = server_certificate(tmp_path, "localhost")
    async with tls_in_front_of(database, certificate) as port:

        async def run(host: str, tls: str, authority: str | None) -> Ran:
            through = database.connection(host=host, port=port, tls=tls, caCertificate=authority)
            return await run_action(Query, {"sql": "SELECT 1 AS one"}, connection=through)

        (tmp_path / "other").mkdir()
        ours, other = certificate.authority, server_certificate(tmp_path / "other").authority
        for host, tls, authority in (
            ("localhost", "verify-full", ours),
            ("127.0.0.1", "require", ours),
            ("127.0.0.1", "require", None),
            ("127.0.0.1", "prefer", None),
        ):
            assert (await run(host, tls, authority)).error is None, (host, tls)
        for host, tls, authority in (
            ("127.0.0.1", "verify-full", ours),
            ("localhost", "verify-full", other),
            ("localhost", "verify-full", None),
            ("127.0.0.1", "require", other),
        ):
            assert "its certificate is not trusted" in words_of(await run(host, tls, authority)), (host, tls)
        trusted = database.connection(host="localhost", port=port, tls="verify-full", caCertificate=ours)
        assert ", over TLS" in await probe(trusted, Settings())


@asynccontextmanager
async def tls_in_front_of(database: Database, certificate: ServerCertificate) -> AsyncIterator[int]:
    """The server's TLS (the server of the tests is built without): says yes to TLS, and hands on what was in it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readexactly(8)  # SSLRequest
            writer.write(b"S")
            await writer.start_tls(certificate.context())
            behind_reader, behind = await asyncio.open_connection(database.host, database.port)
            await asyncio.gather(copy(reader, behind), copy(behind_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_server_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    config = {"host": "127.0.0.1", "port": port, "database": "d", "username": "u", "tls": "disable"}
    nowhere = OpenedConnection(name="db", kind="postgresql", config=config, secrets={})
    ran = await run_action(Query, {"sql": "SELECT 1"}, connection=nowhere)
    assert words_of(ran) == f"127.0.0.1:{port}: cannot connect: Connection refused"


async def test_the_secret_is_in_nothing_that_a_query_gives(database: Database) -> None:
    ran = await database.run("SELECT $1::text AS shown", database.password)
    assert ran.status is JobStatus.COMPLETED
    assert database.password not in str(ran)


async def test_the_probe_names_the_server(database: Database) -> None:
    found = await probe(database.connection(), Settings())
    assert found.startswith("PostgreSQL ")
    assert f"database {database.name} as {database.username}, without TLS" in found
