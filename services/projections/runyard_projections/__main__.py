"""`python -m runyard_projections [run]`: the projections as a process. Beside it, commands for whoever looks after the data:
`rebuild` and `checksum` of read models, `archive …` for old history."""

import argparse
import asyncio
import getpass
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
import uvloop
from runyard_shared.clock import SystemClock
from runyard_shared.errors import NotFound, RunyardError
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.logs import configure_logs
from runyard_shared.ops import Ops
from runyard_shared.process import calm_garbage_collector, run_service
from runyard_shared.process_settings import read_settings

from runyard_projections.app import archiver, create, log, projections
from runyard_projections.archive.files import APPROVALS, AUDIT, EVENTS, ArchiveFiles, find
from runyard_projections.archive.month import Month
from runyard_projections.archive.restoring import discard, restore
from runyard_projections.projection import LIVE
from runyard_projections.settings import Settings
from runyard_projections.upkeep import Progress, Upkeep

Pool = asyncpg.Pool
FOUND_SHOWN = 100


def main() -> int:
    names = [projection.name for projection in projections()]
    parser = _parser(names)
    arguments = parser.parse_args()
    if arguments.command in (None, "run"):
        settings = read_settings(Settings)
        run_service("projections", settings, create, Ops(settings.ops_host, settings.ops_port))
        return 0
    settings = read_settings(Settings, needs=["database_url"])
    if unknown := set(getattr(arguments, "names", ())) - set(names):
        parser.error(f"there is no projection {', '.join(sorted(unknown))}; there are: {', '.join(names)}")
    if arguments.command == "archive" and settings.archive_dir is None:
        parser.error("there is no place for archives: set RUNYARD_ARCHIVE_DIR")
    configure_logs("projections", settings.log_format)
    try:
        status: int = uvloop.run(arguments.act(settings, arguments))
    except (RunyardError, OSError, asyncpg.PostgresError) as error:
        _say(f"{arguments.failed}: {error}")
        return 1
    return status


def _parser(names: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="runyard_projections", description="Keeps the read models up to date.")
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("run", help="follow the log until told to stop (the default)")
    which = f"which ones: {', '.join(names)}; all if none is named"

    rebuilding = commands.add_parser("rebuild", help="make read models anew from the log while the system runs")
    rebuilding.add_argument("names", nargs="*", metavar="NAME", help=which)
    rebuilding.set_defaults(act=_rebuild, failed="not rebuilt")
    checking = commands.add_parser("checksum", help="compare read models with a replay of the log while the system runs")
    checking.add_argument("names", nargs="*", metavar="NAME", help=which)
    checking.set_defaults(act=_checksum, failed="not checked")

    archives = commands.add_parser("archive", help="old history in files").add_subparsers(dest="what", required=True)
    running = archives.add_parser("run", help="archive now what is due")
    running.set_defaults(act=_archive, failed="not archived")
    listing = archives.add_parser("list", help="what there is, read back and compared")
    listing.set_defaults(act=_list, failed="not listed")
    searching = archives.add_parser("search", help="executions with a text in their events or their approvals'")
    searching.add_argument("text", metavar="TEXT")
    searching.add_argument("--tenant")
    searching.add_argument("--month", type=Month.parse, help="such as 2026-03")
    searching.set_defaults(act=_search, failed="not searched")
    restoring = archives.add_parser("restore", help="bring a month back, in a schema of its own")
    restoring.set_defaults(act=_restore, failed="not restored")
    discarding = archives.add_parser("discard", help="drop what was restored; the archive stays")
    discarding.set_defaults(act=_discard, failed="not discarded")
    auditing = archives.add_parser("audit", help="the commands of a month of the audit log, a JSON object a line")
    auditing.set_defaults(act=_show_audit, failed="not shown")
    for each in (restoring, discarding, auditing):
        each.add_argument("tenant", metavar="TENANT")
        each.add_argument("month", metavar="MONTH", type=Month.parse, help="such as 2026-03")
    return parser


async def _rebuild(settings: Settings, arguments: argparse.Namespace) -> int:
    began_at = monotonic()

    async def work(pool: "Pool[asyncpg.Record]") -> int:
        upkeep = Upkeep(pool, log(pool), projections())
        chosen = upkeep.chosen(arguments.names)
        position = await upkeep.rebuild(chosen, _who(), _TellingProgress())
        names = ", ".join(projection.name for projection in chosen)
        _say(f"{names} rebuilt up to position {position:,} in {monotonic() - began_at:.1f} s")
        return 0

    return await _with_pool(settings, work)


async def _checksum(settings: Settings, arguments: argparse.Namespace) -> int:
    began_at = monotonic()

    async def work(pool: "Pool[asyncpg.Record]") -> int:
        upkeep = Upkeep(pool, log(pool), projections())
        chosen = upkeep.chosen(arguments.names)
        checked = await upkeep.check(chosen, _who(), _TellingProgress())
        for each in checked.differences:
            _say(f"{each.table}: {each.rows:,} rows, {each.expected:,} expected; they differ first in {'; '.join(each.keys)}")
        names = ", ".join(projection.name for projection in chosen)
        verdict = "not what the log gives: rebuild them" if checked.differences else "what the log gives"
        _say(f"{names} are {verdict}: {checked.rows:,} rows at position {checked.position:,} in {monotonic() - began_at:.1f} s")
        return 1 if checked.differences else 0

    return await _with_pool(settings, work)


async def _archive(settings: Settings, arguments: argparse.Namespace) -> int:
    async def work(pool: "Pool[asyncpg.Record]") -> int:
        done = await archiver(settings, pool, SystemClock()).turn(_say)
        if not done:
            _say("nothing was archived")
        return 0

    return await _with_pool(settings, work)


async def _list(settings: Settings, arguments: argparse.Namespace) -> int:
    files = _files(settings)
    for manifest in files.manifests():
        await asyncio.to_thread(files.verify, manifest)
        part = "" if manifest.part == 1 else f" part {manifest.part}"
        _say(
            f"{manifest.tenant_id} {manifest.month}{part}: {manifest.executions:,} executions, {manifest.events.rows:,} events,"
            f" {manifest.output.rows:,} pieces of output, {sum(file.size for file in manifest.files.values()):,} bytes, whole"
        )
    for audit in files.audits():
        await asyncio.to_thread(files.verify, audit)
        part = "" if audit.part == 1 else f" part {audit.part}"
        _say(f"{audit.tenant_id} {audit.month}{part}: {audit.entries.rows:,} commands, {audit.entries.size:,} bytes, whole")
    return 0


async def _search(settings: Settings, arguments: argparse.Namespace) -> int:
    files = _files(settings)
    found: dict[tuple[str, str, str], int] = {}
    for manifest in files.manifests(arguments.tenant, arguments.month):
        for kind in manifest.files.keys() & {EVENTS, APPROVALS}:
            for event in find(files.lines(manifest, kind), arguments.text):
                place = (manifest.tenant_id, manifest.month, event.correlation_id or event.stream_id)
                found[place] = found.get(place, 0) + 1
    for (tenant_id, month, execution_id), events in list(found.items())[:FOUND_SHOWN]:
        _say(f"{tenant_id} {month} {execution_id}: in {events} of its events")
    if len(found) > FOUND_SHOWN:
        _say(f"and {len(found) - FOUND_SHOWN:,} more")
    return 0 if found else 1


async def _show_audit(settings: Settings, arguments: argparse.Namespace) -> int:
    files = _files(settings)
    manifests = files.audits(arguments.tenant, arguments.month)
    if not manifests:
        raise NotFound("archive_not_found", f"there is no archive of the audit log of {arguments.tenant} of {arguments.month}")
    for manifest in manifests:
        for line in files.lines(manifest, AUDIT):
            _say(line.decode())
    return 0


async def _restore(settings: Settings, arguments: argparse.Namespace) -> int:
    async def work(pool: "Pool[asyncpg.Record]") -> int:
        schema = await restore(pool, _files(settings), projections(), arguments.tenant, arguments.month)
        _say(f"restored: ask the views of schema {schema} as those of schema read, such as {schema}.execution")
        return 0

    return await _with_pool(settings, work)


async def _discard(settings: Settings, arguments: argparse.Namespace) -> int:
    async def work(pool: "Pool[asyncpg.Record]") -> int:
        _say(f"dropped schema {await discard(pool, arguments.tenant, arguments.month)}")
        return 0

    return await _with_pool(settings, work)


async def _with_pool(settings: Settings, work: Callable[["Pool[asyncpg.Record]"], Coroutine[Any, Any, int]]) -> int:
    async with asyncpg.create_pool(settings.database_url, min_size=1, max_size=6) as pool:
        calm_garbage_collector()
        await migrate(pool, LIVE, "runyard_projections")
        return await work(pool)


class _TellingProgress(Progress):
    """Says every second how far it is."""

    def __init__(self) -> None:
        super().__init__()
        self._told_at = monotonic()

    def __call__(self, position: int, head: int) -> None:
        super().__call__(position, head)
        if monotonic() - self._told_at >= 1:
            self._told_at = monotonic()
            _say(f"{position:,} of {head:,} events")


def _files(settings: Settings) -> ArchiveFiles:
    return ArchiveFiles(settings.archive_dir or Path())


def _who() -> str:
    """Of a command, whoever typed it."""
    try:
        return f"{getpass.getuser()} (command)"
    except (KeyError, OSError):
        return "command"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
