"""`python -m runyard_standalone.migrate`: brings the tables of all services up to date, and ends.

Each service migrates its own schema when it starts, so nothing needs this command. An installation that starts new versions one
after the other runs it before the first of them: what cannot be migrated is known before any process was stopped, and no
process waits for a long migration when it should be serving.
"""

import asyncio
import os
import sys

import asyncpg
from runyard_approvals.app import SCHEMA as APPROVALS
from runyard_dispatcher.app import SCHEMA as DISPATCHER
from runyard_orchestrator.app import SCHEMA as ORCHESTRATOR
from runyard_projections.projection import LIVE
from runyard_shared.errors import RunyardError
from runyard_shared.eventstore.migrate import migrate

GATEWAY = "gateway"


async def migrate_all(database_url: str) -> dict[str, list[str]]:
    """The migrations that were applied now, by schema. Raises `MigrationChanged`, `OSError`, `asyncpg.PostgresError`."""
    connection = await asyncpg.connect(database_url)
    try:
        return {
            LIVE: await migrate(connection, LIVE, "runyard_projections"),
            ORCHESTRATOR: await migrate(connection, ORCHESTRATOR, "runyard_orchestrator", with_log=True),
            DISPATCHER: await migrate(connection, DISPATCHER, "runyard_dispatcher", with_log=True),
            APPROVALS: await migrate(connection, APPROVALS, "runyard_approvals", with_log=True),
            GATEWAY: await migrate(connection, GATEWAY, "runyard_gateway"),
        }
    finally:
        await connection.close()


def main() -> int:
    """Environment: RUNYARD_DATABASE_URL."""
    database_url = os.environ.get("RUNYARD_DATABASE_URL", "")
    if not database_url:
        print("RUNYARD_DATABASE_URL is not set: postgresql://user:password@host/database", file=sys.stderr)
        return 2
    try:
        applied = asyncio.run(migrate_all(database_url))
    except (RunyardError, OSError, asyncpg.PostgresError) as error:
        print(f"not migrated: {error}", file=sys.stderr)
        return 1
    for schema, names in applied.items():
        print(f"{schema}: {', '.join(names) if names else 'up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
