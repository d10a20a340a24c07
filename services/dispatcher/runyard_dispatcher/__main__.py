"""`python -m runyard_dispatcher`: the dispatcher as a process; `… rotate-master-key` re-seals all secrets for the first key."""

# ruff: noqa: T201 - a command talks to whoever called it

import argparse
import asyncio
import sys

import asyncpg
from runyard_shared.errors import Refusal
from runyard_shared.ops import Ops
from runyard_shared.process import run_service
from runyard_shared.process_settings import read_settings

from runyard_dispatcher.app import create
from runyard_dispatcher.rotation import Rotated, rotate_master_key
from runyard_dispatcher.settings import Settings
from runyard_dispatcher.vault import Vault


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m runyard_dispatcher", description="Runyard's dispatcher.")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="run the dispatcher (the default)")
    commands.add_parser(
        "rotate-master-key",
        help="re-seal the secrets of all connections for the first key of RUNYARD_MASTER_KEYS, "
        "also while dispatchers with the same keys run",
    )
    if parser.parse_args().command == "rotate-master-key":
        sys.exit(asyncio.run(_rotate(read_settings(Settings, needs=["database_url"]))))
    settings = read_settings(Settings)
    run_service("dispatcher", settings, create, Ops(settings.ops_host, settings.ops_port))


async def _rotate(settings: Settings) -> int:
    """The exit code: 0 if every secret is sealed for the first key now."""
    try:
        connection = await asyncpg.connect(settings.database_url)
    except (OSError, asyncpg.PostgresError) as error:
        print(f"PostgreSQL is away: {error}", file=sys.stderr)
        return 1
    try:
        rotated = await rotate_master_key(connection, Vault(settings.keys))
    except Refusal as refusal:
        print(refusal.detail, file=sys.stderr)
        return 1
    finally:
        await connection.close()
    return _tell(rotated)


def _tell(rotated: Rotated) -> int:
    print(f"{rotated.resealed} secrets were re-sealed for the first key, {rotated.current} were already")
    if not rotated.unreadable:
        print("the other keys can be taken out of RUNYARD_MASTER_KEYS now")
        return 0
    print("none of the keys opens these secrets; add the key they were sealed for, or enter them again:", file=sys.stderr)
    for secret in rotated.unreadable:
        print(f"  {secret}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    main()
