"""Writes docs/reference/read-models.md from the comments in the database: `python -m tests.read_model_reference`.

What a comment cannot say (how views belong together) is written here, before the columns.
"""

import asyncio
import re
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Final

import asyncpg
from runyard_shared.eventstore.migrate import migrate
from runyard_standalone.postgres import EmbeddedPostgres

FILE: Final = Path(__file__).parents[1] / "docs" / "reference" / "read-models.md"
MARK: Final = "## Every view, column by column\n"
"""What stands above it is written by hand, in the file itself."""

SERVICES: Final = (
    ("orchestrator", "runyard_orchestrator", True),
    ("dispatcher", "runyard_dispatcher", True),
    ("approvals", "runyard_approvals", True),
    ("projections", "runyard_projections", False),
    ("gateway", "runyard_gateway", False),
)

_COLUMNS: Final = """
    select c.relname as view, obj_description(c.oid, 'pg_class') as says, a.attname as column,
           format_type(a.atttypid, a.atttypmod) as type, col_description(c.oid, a.attnum) as meaning
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where c.relnamespace = 'read'::regnamespace and c.relkind in ('v', 'm', 'r', 'p', 'f')
    order by c.relname collate "C", a.attnum
"""
_FUNCTIONS: Final = """
    select p.proname as name, pg_get_function_arguments(p.oid) as arguments, pg_get_function_result(p.oid) as gives,
           obj_description(p.oid, 'pg_proc') as says
    from pg_proc p where p.pronamespace = 'read'::regnamespace
    order by p.proname collate "C"
"""

Connection = asyncpg.Pool | asyncpg.Connection


async def make_read_models(database: Connection) -> None:
    """Every service's schema, as its start makes it."""
    for schema, package, with_log in SERVICES:
        await migrate(database, schema, package, with_log=with_log)


async def without_comment(database: Connection) -> list[str]:
    """What of the schema `read` says nothing about itself."""
    columns = await database.fetch(_COLUMNS)
    functions = await database.fetch(_FUNCTIONS)
    return [
        *sorted({row["view"] for row in columns if not row["says"]}),
        *(f"{row['view']}.{row['column']}" for row in columns if not row["meaning"]),
        *(f"{row['name']}()" for row in functions if not row["says"]),
    ]


async def text(database: Connection) -> str:
    """The whole file: what stands in it by hand, then what the database says."""
    by_view: dict[str, list[asyncpg.Record]] = defaultdict(list)
    for row in await database.fetch(_COLUMNS):
        by_view[row["view"]].append(row)
    written = FILE.read_text().partition(MARK)[0]
    parts = [written.rstrip("\n"), MARK.rstrip("\n")]
    parts.append("As the comments in the database say (`\\d+ read.execution` in psql shows them). Times are UTC, ids UUIDv7.")
    parts += [_view(name, rows) for name, rows in by_view.items()]
    parts += [_function(row) for row in await database.fetch(_FUNCTIONS)]
    return "\n\n".join(parts) + "\n"


def _view(name: str, rows: list[asyncpg.Record]) -> str:
    lines = [f"### read.{name}", "", _line(rows[0]["says"]), "", "| column | | |", "|---|---|---|"]
    lines += [f"| `{row['column']}` | {row['type']} | {_cell(row['meaning'])} |" for row in rows]
    return "\n".join(lines)


def _function(row: asyncpg.Record) -> str:
    return f"### read.{row['name']}({row['arguments']})\n\n{_line(row['says'])} Gives {row['gives']}."


def _line(comment: str | None) -> str:
    return re.sub(r"\s+", " ", comment or "").strip()


def _cell(comment: str | None) -> str:
    return _line(comment).replace("|", "\\|")


async def _write(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await make_read_models(connection)
        FILE.write_text(await text(connection))
    finally:
        await connection.close()


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        server = EmbeddedPostgres(Path(directory) / "postgres")
        server.start()
        try:
            asyncio.run(_write(server.dsn))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
