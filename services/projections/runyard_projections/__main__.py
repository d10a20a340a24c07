"""`python -m runyard_projections [run]`: the projections as a process; `… rebuild [NAME …]`: read models made anew."""

import argparse
import sys
from time import monotonic

import asyncpg
import uvloop
from runyard_shared.errors import RunyardError
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.logs import configure_logs
from runyard_shared.process import calm_garbage_collector, run_service

from runyard_projections.app import create, log, projections
from runyard_projections.projection import LIVE
from runyard_projections.rebuild import rebuild
from runyard_projections.settings import Settings


def main() -> int:
    names = [projection.name for projection in projections()]
    parser = argparse.ArgumentParser(prog="runyard_projections", description="Keeps the read models up to date.")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("run", help="follow the log until told to stop (the default)")
    rebuilding = commands.add_parser("rebuild", help="make read models anew from the log while the system runs")
    rebuilding.add_argument("names", nargs="*", metavar="NAME", help=f"which ones: {', '.join(names)}; all if none is named")
    arguments = parser.parse_args()
    settings = Settings()
    if arguments.command != "rebuild":
        run_service("projections", settings, create)
        return 0
    if unknown := set(arguments.names) - set(names):
        parser.error(f"there is no projection {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    configure_logs("projections", settings.log_format)
    try:
        uvloop.run(_rebuild(settings, arguments.names or names))
    except (RunyardError, OSError, asyncpg.PostgresError) as error:
        _say(f"not rebuilt: {error}")
        return 1
    return 0


async def _rebuild(settings: Settings, names: list[str]) -> None:
    began_at = told_at = monotonic()

    def tell(position: int, head: int) -> None:
        nonlocal told_at
        if monotonic() - told_at >= 1:
            told_at = monotonic()
            _say(f"{position:,} of {head:,} events")

    async with asyncpg.create_pool(settings.database_url, min_size=1, max_size=4) as pool:
        calm_garbage_collector()
        await migrate(pool, LIVE, "runyard_projections")
        chosen = [projection for projection in projections() if projection.name in names]
        position = await rebuild(pool, log(pool), chosen, on_progress=tell)
    _say(f"{', '.join(names)} rebuilt up to position {position:,} in {monotonic() - began_at:.1f} s")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
