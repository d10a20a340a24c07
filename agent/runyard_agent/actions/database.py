"""`database.query`: one SQL statement on a PostgreSQL server.

A statement that only reads runs in a READ ONLY transaction, so that the server, not this code, refuses writes. A task that is
cancelled has its statement cancelled at the server: asyncpg sends the request, and the connection is closed only after that.
"""

import re
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import msgspec
from runyard_shared.contracts.actions import QueryOutput, QueryParams
from runyard_shared.contracts.connections import OpenedConnection, PostgresqlConfig, PostgresqlSecrets

from runyard_agent.actions.base import Action, Context, InvalidParams, Outcome, ProbeFailed, Unusable
from runyard_agent.actions.causes import cause_of
from runyard_agent.actions.opened import opened
from runyard_agent.actions.tls import tls_context, untrusted
from runyard_agent.output import OutputStream
from runyard_agent.settings import Settings

try:
    import asyncpg
except ModuleNotFoundError:
    raise Unusable("PostgreSQL's driver is not installed: install runyard-agent[database]") from None

from runyard_agent.actions.database_values import CODECS, as_argument, as_json

_LOST: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InterfaceError,
    OSError,
    ssl.SSLError,
)
"""The connection is gone: nothing that the server decided about the statement."""
ROWS_BYTES: Final = 512 * 1024
"""How much of the rows, as JSON, an output holds."""
_BATCH: Final = 100
_CONNECT_SECONDS: Final = 15.0
_CLOSE_SECONDS: Final = 10.0
_SKIP: Final = 1_000_000_000
_COUNTED: Final = frozenset({"SELECT", "UPDATE", "DELETE", "MERGE", "WITH", "FETCH"})
_BLANK: Final = " \t\r\n(;"
_COPY: Final = re.compile(r"copy\b.*\b(stdin|stdout)\b", re.IGNORECASE | re.DOTALL)


class Query(Action[QueryParams], built_in="database.query"):
    """Of a statement that gives rows, at most `max_rows` and 512 KiB of JSON are kept. What writes is run to its end all the
    same; `row_count` then counts all of its rows, else those that were kept."""

    async def run(self, params: QueryParams, context: Context) -> Outcome:
        config, secrets = opened(context.connection, PostgresqlConfig, PostgresqlSecrets)
        if "\0" in params.sql:
            raise InvalidParams("sql: must not contain NUL characters")
        if _COPY.match(_beginning(params.sql)):
            raise InvalidParams("sql: COPY has nothing to read from or to write to here; use INSERT or SELECT")
        try:
            async with _connected(config, secrets, f"runyard job {context.job.job_id}") as connection:
                connection.add_log_listener(_notices_to(context.stream("stdout")))
                output = await _answer(connection, params)
        except _NoServer as error:
            return Outcome.failed("refused" if error.refused else "exception", str(error))
        except _LOST as error:
            doubt = "" if params.read_only else "; whether the statement was carried out is not known"
            return Outcome.failed("exception", f"{config.host}:{config.port}: {_lost(error)}{doubt}")
        except asyncpg.PostgresError as error:
            return Outcome.failed("refused", _words(error, params))
        return Outcome.completed(output.model_dump(by_alias=True))


async def probe_postgresql(connection: OpenedConnection, settings: Settings) -> str:
    try:
        config, secrets = opened(connection, PostgresqlConfig, PostgresqlSecrets)
        async with _connected(config, secrets, "runyard probe") as session:
            version = ".".join(map(str, session.get_server_version()[:2]))
            # a pooler between has its own way to the server, of which the server would tell
            encrypted = config.tls in ("require", "verify-full") or await session.fetchval(
                "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            )
    except (InvalidParams, _NoServer) as error:
        raise ProbeFailed(str(error)) from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise ProbeFailed(f"{config.host}:{config.port}: {cause_of(error)}") from None
    how = "over TLS" if encrypted else "without TLS"
    return f"PostgreSQL {version}, database {config.database} as {config.username}, {how}"


class _NoServer(Exception):
    """The server cannot be reached, or does not let us in; the text is for people. `refused`: it said so itself."""

    def __init__(self, words: str, *, refused: bool = False) -> None:
        super().__init__(words)
        self.refused = refused


@asynccontextmanager
async def _connected(
    config: PostgresqlConfig, secrets: PostgresqlSecrets, name: str
) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """One connection of the job's own. Raises `_NoServer`."""
    server = f"{config.host}:{config.port}"
    tls = await _tls(config)
    try:
        connection = await asyncpg.connect(
            host=config.host,
            port=config.port,
            database=config.database,
            user=config.username,
            # never None: that would be the password in the agent's own environment or files
            password=secrets.password or "",
            ssl=tls,
            timeout=_CONNECT_SECONDS,
            statement_cache_size=0,
            server_settings={"application_name": name[:63], "datestyle": "ISO"},
        )
    except TimeoutError:
        raise _NoServer(f"{server}: no connection within {_CONNECT_SECONDS:g} s") from None
    except asyncpg.PostgresError as error:
        raise _NoServer(f"{server} does not let this agent in: {error.args[0]}", refused=True) from None
    except (asyncpg.InterfaceError, OSError, ssl.SSLError) as error:
        raise _NoServer(f"{server}: cannot connect: {untrusted(error) or cause_of(error)}") from None
    try:
        yield connection
    finally:
        # waits until a cancel request, if one is under way, has reached the server
        try:
            await connection.close(timeout=_CLOSE_SECONDS)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            connection.terminate()


async def _tls(config: PostgresqlConfig) -> ssl.SSLContext | Literal["prefer", False]:
    match config.tls:
        case "disable":
            return False
        case "prefer":
            return "prefer"
        case "require" if config.ca_certificate is None:
            return await tls_context(verify=False)
        case "require":
            # as in libpq: whoever names an authority wants it checked, though not the host's name
            context = await tls_context(config.ca_certificate)
            context.check_hostname = False
            return context
        case _:
            return await tls_context(config.ca_certificate)


async def _answer(connection: "asyncpg.Connection[asyncpg.Record]", params: QueryParams) -> QueryOutput:
    if not params.read_only:
        statement, args = await _prepared(connection, params)
        if not statement.get_attributes():
            # not in a transaction: VACUUM, CREATE DATABASE and their like refuse to run in one
            await statement.fetch(*args)
            command = statement.get_statusmsg() or ""
            return QueryOutput(columns=[], rows=[], row_count=_count(command), truncated=False, command=command)
    async with connection.transaction(readonly=params.read_only):
        statement, args = await _prepared(connection, params)
        columns = [attribute.name for attribute in statement.get_attributes()]
        if not columns:
            await statement.fetch(*args)
            command = statement.get_statusmsg() or ""
            return QueryOutput(columns=[], rows=[], row_count=_count(command), truncated=False, command=command)
        rows, count, truncated = await _rows(await statement.cursor(*args), columns, params)
    return QueryOutput(columns=columns, rows=rows, row_count=count, truncated=truncated, command=_command(params, count))


async def _prepared(
    connection: "asyncpg.Connection[asyncpg.Record]", params: QueryParams
) -> "tuple[asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record], list[Any]]":
    """The statement, and the arguments as it takes them. Raises `InvalidParams`."""
    statement = await connection.prepare(params.sql)
    types = [parameter.name for parameter in statement.get_parameters()]
    names = [attribute.name for attribute in statement.get_attributes()]
    problems: list[str] = []
    if len(types) != len(params.args):
        problems.append(f"args: the statement has {len(types)} parameters ($1, $2, …), and {len(params.args)} are given")
    twice = sorted({name for name in names if names.count(name) > 1})
    problems += [f"sql: two columns are called {name!r}: name them apart with AS" for name in twice]
    args: list[Any] = []
    for number, (value, type_) in enumerate(zip(params.args, types, strict=False)):
        try:
            args.append(as_argument(value, type_))
        except (TypeError, ValueError) as error:
            problems.append(f"args[{number}]: {error}")
    if problems:
        raise InvalidParams(*problems)
    wanted = _elements([*types, *(attribute.type.name for attribute in statement.get_attributes())])
    needed = [codec for codec in CODECS if codec.type in wanted]
    for codec in needed:
        await connection.set_type_codec(
            codec.type, schema="pg_catalog", encoder=codec.encode, decoder=codec.decode, format="text"
        )
    if "interval" in wanted:
        await connection.execute("SET intervalstyle TO iso_8601")
    return (await connection.prepare(params.sql) if needed else statement), args


async def _rows(
    cursor: "asyncpg.cursor.Cursor[asyncpg.Record]", columns: list[str], params: QueryParams
) -> tuple[list[dict[str, Any]], int, bool]:
    """The rows to keep, how many there are, and whether there are more."""
    rows: list[dict[str, Any]] = []
    size = 0
    while batch := await cursor.fetch(min(_BATCH, params.max_rows + 1 - len(rows))):
        for at, record in enumerate(batch):
            row = {column: as_json(record[column]) for column in columns}
            size += len(msgspec.json.encode(row))
            if len(rows) == params.max_rows or size > ROWS_BYTES:
                if params.read_only:
                    return rows, len(rows), True
                # what it does for the other rows, it must do
                count = len(rows) + len(batch) - at
                while skipped := await cursor.forward(_SKIP):
                    count += skipped
                return rows, count, True
            rows.append(row)
    return rows, len(rows), False


def _command(params: QueryParams, count: int) -> str:
    """The tag of a statement that gave rows; the server tells it only to those who take all of them at once."""
    word = _beginning(params.sql).split(maxsplit=1)[0].upper()
    if word in ("VALUES", "TABLE") or (word == "WITH" and params.read_only):
        word = "SELECT"
    if word == "INSERT":
        return f"INSERT 0 {count}"
    return f"{word} {count}" if word in _COUNTED else word


def _beginning(sql: str) -> str:
    """Without what stands before the first word."""
    rest = sql.lstrip(_BLANK)
    while rest.startswith(("--", "/*")):
        rest = rest.partition("\n" if rest.startswith("--") else "*/")[2].lstrip(_BLANK)
    return rest


def _count(command: str) -> int:
    last = command.rpartition(" ")[2]
    return int(last) if last.isdecimal() else 0


def _elements(types: Iterable[str]) -> set[str]:
    return {type_.removesuffix("[]") for type_ in types}


def _notices_to(stdout: OutputStream) -> Any:
    def write(_connection: object, notice: Any) -> None:
        stdout.write(f"{notice.severity}: {notice.message}\n".encode())

    return write


def _lost(error: Exception) -> str:
    """The server's last words, if it had any: leaving a transaction whose connection is gone hides them."""
    last = next((each for each in (error, error.__context__) if isinstance(each, asyncpg.PostgresError)), None)
    return str(last.args[0]) if last is not None else cause_of(error)


def _words(error: "asyncpg.PostgresError", params: QueryParams) -> str:
    words = [f"the database refused the statement: {error.args[0]}"]
    if position := getattr(error, "position", None):
        line = params.sql[: int(position) - 1].count("\n") + 1
        words.append(f"at line {line}")
    words += [f"{name}: {said}" for name in ("detail", "hint") if (said := getattr(error, name, None))]
    if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
        words.append("if it is meant to write, set readOnly: false")
    return "; ".join(words) + f" (SQLSTATE {error.sqlstate})"
