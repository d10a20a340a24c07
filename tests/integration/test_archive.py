"""Old history goes to files and out of the database, one tenant's and not the other's, and can be brought back and asked."""

import asyncio
import gzip
import hashlib
import inspect
import os
import random
import re
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlencode

import asyncpg
import msgspec
import pytest
from msgspec.structs import replace
from runyard_projections.analytics import archived as analytics
from runyard_projections.app import projections
from runyard_projections.archive import forgetting
from runyard_projections.archive.archiver import Archiver
from runyard_projections.archive.audit import copy_audit, forget_audit
from runyard_projections.archive.files import (
    APPROVALS,
    AUDIT,
    EVENTS,
    AnyManifest,
    ArchiveDamaged,
    ArchiveFiles,
    FileWriter,
    Manifest,
    find,
)
from runyard_projections.archive.forgetting import NotYet
from runyard_projections.archive.month import Month
from runyard_projections.archive.restoring import discard, restore
from runyard_projections.checksum import check
from runyard_projections.handlers import OutputKeeper
from runyard_projections.projection import LIVE, LOG
from runyard_projections.rebuild import nothing_else, rebuild
from runyard_shared.clock import FrozenClock
from runyard_shared.contracts import events
from runyard_shared.contracts.feed import Recorded
from runyard_shared.contracts.jobs import OutputChunk, OutputSealed
from runyard_shared.contracts.values import StreamSeal
from runyard_shared.errors import Conflict
from runyard_shared.eventstore.follower import Follower
from runyard_shared.eventstore.migrate import migrate
from runyard_shared.eventstore.postgres import PostgresEventStore
from runyard_shared.eventstore.store import Claim
from runyard_shared.ids import derived_id

from tests import histories
from tests.histories import MAPPER
from tests.projections import VIEWS, apply, mixed, projecting, reached, rows, write

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
MARCH = Month(2026, 3)
NOVEMBER = datetime(2026, 11, 23, tzinfo=UTC)
HISTORY_VIEWS = ("execution", "job", "node", "iteration", "iteration_node", "approval")
OUTPUT_VIEWS = {"job_output": "job_id, stream", "job_output_chunk": "job_id, stream, number"}
FIGURES = "select * from read.analytics_execution order by tenant_id, workflow_id, width, starts_at"
_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{11}[0-9a-f]")


def of_another(history: Iterable[Recorded]) -> list[Recorded]:
    """The same things happened at the same times to another tenant: other ids, made at the same time."""

    def other(content: bytes) -> bytes:
        return _ID.sub(lambda found: found[0][:-1] + b"%x" % (int(found[0][-1:], 16) ^ 1), content)

    return [
        replace(
            row,
            tenant_id="other",
            stream_id=other(row.stream_id.encode()).decode(),
            correlation_id=None if row.correlation_id is None else other(row.correlation_id.encode()).decode(),
            data=msgspec.Raw(other(bytes(row.data))),
        )
        for row in history
    ]


class Archive:
    """Two tenants' history of March, in the log and the read models; `default` keeps 3 months."""

    def __init__(self, pool: Pool, store: PostgresEventStore, directory: Path) -> None:
        self.pool = pool
        self.store = store
        self.clock = FrozenClock(NOVEMBER)
        self.files = ArchiveFiles(directory)
        self.directory = directory
        self.archiver = Archiver(pool, self.clock, MAPPER, directory)

    async def keep(self, tenant_id: str, months: int | None, audit_months: int | None = None) -> None:
        await self.pool.execute(
            "insert into projections.retention (tenant_id, history_months, audit_months, changed_at, changed_by)"
            " values ($1, $2, $3, now(), 'ann') on conflict (tenant_id) do update"
            " set history_months = excluded.history_months, audit_months = excluded.audit_months",
            *(tenant_id, months, audit_months),
        )

    async def turn(self) -> list[Manifest]:
        """Of history."""
        return [manifest for manifest in await self.archiver.turn() if isinstance(manifest, Manifest)]

    async def end_all(self) -> None:
        """What is still active is cancelled."""
        for tenant_id, execution_id, version in await self.pool.fetch(
            "select tenant_id, execution_id::text, (select max(version) from read.event where stream_id = e.execution_id)"
            " from read.execution e where finished_at is null"
        ):
            await self.append(execution_id, version, events.ExecutionCancelled(by="ann"), tenant_id)
        await self.catch_up()

    async def append(self, stream_id: str, version: int, event: Any, tenant_id: str = "default", **more: Any) -> None:
        at = histories.at(100_000)
        await self.store.append(stream_id, version, [event], tenant_id=tenant_id, at=at, **more)

    async def catch_up(self) -> None:
        position = await self.pool.fetchval("select min(position) from read.projection")
        if news := await self.store.read(position, 10_000):
            await apply(self.pool, [news])

    async def keep_output(self) -> None:
        """Of one job, of a tenant each."""
        for tenant_id in ("default", "other"):
            jobs = await self.pool.fetch(
                "select tenant_id, execution_id::text, job_id::text from read.job where tenant_id = $1 order by job_id",
                tenant_id,
            )
            whose = dict(jobs[0])
            data = f"out of {tenant_id}\n".encode()
            seal = StreamSeal(stream="stdout", chunks=1, size=len(data), sha256=hashlib.sha256(data).hexdigest())
            chunk = OutputChunk(stream="stdout", number=0, offset=0, data=data, **whose)
            await OutputKeeper(self.pool).keep([chunk, OutputSealed(seals=[seal], **whose)])

    async def seen(self, tenant_id: str, schema: str = "read") -> dict[str, list[tuple[Any, ...]]]:
        """All that readers see of the tenant's history."""
        found = {}
        for view, order in [*((name, VIEWS[name]) for name in HISTORY_VIEWS), *OUTPUT_VIEWS.items()]:
            records = await self.pool.fetch(f"select * from {schema}.{view} where tenant_id = $1 order by {order}", tenant_id)
            found[view] = [tuple(record) for record in records]
        found["event"] = [
            tuple(record)
            for record in await self.pool.fetch(
                f"select * from {schema}.event where tenant_id = $1 and topic not like 'workflow.%' order by position",
                tenant_id,
            )
        ]
        return found

    async def waits(self) -> str | None:
        reason: str | None = await self.pool.fetchval("select reason from read.expired_month where tenant_id = 'default'")
        return reason


@asynccontextmanager
async def an_archive(pool: Pool, directory: Path, *, partitioned: bool) -> AsyncIterator[Archive]:
    await migrate(pool, LIVE, "runyard_projections")
    await migrate(pool, LOG, "runyard_orchestrator", with_log=True)
    if partitioned:
        await pool.execute(
            f"create table {LOG}.event_2026_03 partition of {LOG}.event"
            f" for values from ('{MARCH.first_id}') to ('{MARCH.next_first_id}')"
        )
        await pool.execute(f"select {LIVE}.create_month('{LIVE}', '2026-03-01')")
    store = PostgresEventStore(pool, LOG, MAPPER)
    await store.open()
    try:
        archive = Archive(pool, store, directory)
        history = mixed(seed=31)
        await write(store, history)
        await write(store, of_another(history))
        await archive.catch_up()
        await archive.keep_output()
        await archive.keep("default", 3)
        yield archive
    finally:
        await store.close()


@pytest.mark.parametrize("partitioned", [True, False])
async def test_a_month_is_archived_dropped_restored_and_searched(
    pool: Pool, tmp_path: Path, partitioned: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runyard_projections.archive.files._BATCH", 50)  # files are read in many pieces
    async with an_archive(pool, tmp_path, partitioned=partitioned) as archive:
        assert await archive.turn() == []
        assert "has not ended" in (await archive.waits() or "")
        await archive.end_all()
        claim = Claim("run", "a key", {"executionId": "x"})
        execution_id = str(await pool.fetchval("select execution_id from read.execution where tenant_id = 'default' limit 1"))
        version = await pool.fetchval("select max(version) from read.event where stream_id = $1", execution_id)
        await archive.append(
            execution_id, version, events.JobReportIgnored(job_id="j", dispatch=1, report="x", detail=""), claims=[claim]
        )
        await archive.catch_up()
        before, others, head = await archive.seen("default"), await archive.seen("other"), await archive.store.head()
        figures = await pool.fetch(FIGURES)
        workflows = (await rows(pool))["workflow_version"]
        assert before["job_output_chunk"]

        (manifest,) = await archive.turn()
        assert (manifest.tenant_id, manifest.month, manifest.events.rows) == ("default", "2026-03", len(before["event"]))
        assert manifest.executions == len(before["execution"]) == histories.COUNT

        gone = await archive.seen("default")
        assert not any(gone.values())
        assert await archive.seen("other") == others
        assert (await rows(pool))["workflow_version"] == workflows
        assert await archive.store.claimed("default", "run", "a key") is None
        assert await archive.store.head() == head
        assert await archive.waits() is None
        assert await pool.fetch(FIGURES) == figures
        assert await archive.turn() == []
        leftover = "select count(*) from pg_class where relname like '%\\_kept'"
        assert await pool.fetchval(leftover) == 0

        # what is left of the log makes the same read models
        assert (await check(pool, archive.store, projections())).differences == []
        assert await rebuild(pool, archive.store, projections()) == head
        assert await archive.seen("other") == others
        assert (await check(pool, archive.store, projections())).differences == []

        schema = await restore(pool, archive.files, projections(), "default", MARCH)
        assert schema == "restored_default_2026_03"
        assert await archive.seen("default", schema) == before
        with pytest.raises(Conflict):
            await restore(pool, archive.files, projections(), "default", MARCH)
        assert await discard(pool, "default", MARCH) == schema
        found = {each.stream_id for each in find(archive.files.lines(manifest, EVENTS), "WEB-01")}
        assert found & {str(row[0]) for row in before["execution"]}
        assert await archive.seen("other") == others


async def test_readers_of_the_log_pass_over_what_was_archived(pool: Pool, tmp_path: Path) -> None:
    async with an_archive(pool, tmp_path, partitioned=True) as archive:
        await archive.end_all()
        await archive.keep("other", 1)
        head = await archive.store.head()
        assert len(await archive.turn()) == 2
        follower = Follower(archive.store, 0)
        await follower.look()
        topics = {event.topic.partition(".")[0] for event in await follower.next()}
        assert topics == {"workflow"}
        follower.advance(len(histories.workflow()) + len(histories.fleet()))
        while follower.lag:
            if seen := await follower.next():
                follower.advance(seen[-1].position)
        assert follower.position == head, "the end of the log was archived, and nobody waits for it"
        assert await rebuild(pool, archive.store, projections()) == head
        async with projecting(pool) as projector:
            await archive.append(histories.execution_id("new"), 0, histories.started("new")[1])
            await reached(pool, head + 1)
            assert projector.trouble is None
        first = await pool.fetchval("select max(last_position) from read.archived_month where tenant_id = 'default'")
        assert 0 < first <= head


async def test_nothing_is_archived_while_something_needs_it(pool: Pool, tmp_path: Path) -> None:
    async with an_archive(pool, tmp_path, partitioned=True) as archive:
        await archive.end_all()
        before = await archive.seen("default")

        await pool.execute("update projections.retention set history_months = 9")  # it is 8 months later
        assert await archive.turn() == []
        await pool.execute("update projections.retention set history_months = 3")

        async with pool.acquire() as connection, nothing_else(connection):  # as a rebuild does
            assert await archive.turn() == []
        assert "a rebuild" in (await archive.waits() or "")

        await pool.execute("insert into orchestrator.relay_checkpoint values ('relay', 5)")
        assert await archive.turn() == []
        assert await archive.waits() == "what is to be archived was not taken in yet by: the relay relay"
        await pool.execute("delete from orchestrator.relay_checkpoint")

        async with pool.acquire() as reader, reader.transaction():
            await reader.fetchval("select count(*) from read.execution")
            turn = asyncio.create_task(archive.turn())
            await asyncio.sleep(0.3)
            assert await pool.fetchval("select count(*) from read.execution where tenant_id = 'other'") == histories.COUNT
            assert not turn.done()
        assert len(await turn) == 1
        assert before["execution"]
        assert not any((await archive.seen("default")).values())


AUDIT_IDS = "select audit_id::text from gateway.audit where tenant_id = $1 order by audit_id"


async def test_approvals_go_with_their_executions_and_commands_by_the_time_of_the_audit_log(pool: Pool, tmp_path: Path) -> None:
    await migrate(pool, "approvals", "runyard_approvals", with_log=True)
    await migrate(pool, "gateway", "runyard_gateway")
    for table, partition in (("approvals.event", "approvals.event_2026_03"), ("gateway.audit", "gateway.audit_2026_03")):
        bounds = f"from ('{MARCH.first_id}') to ('{MARCH.next_first_id}')"
        await pool.execute(f"create table {partition} partition of {table} for values {bounds}")

    async def command(tenant_id: str, at: datetime, name: str) -> str:
        audit_id = derived_id(at, tenant_id, name)
        await pool.execute(
            "insert into gateway.audit (audit_id, tenant_id, actor, credential_type, source, operation, outcome, started_at)"
            " values ($1, $2, 'ann', 'api_key', '::1', $3, 'done', $4)",
            *(audit_id, tenant_id, name, at),
        )
        return audit_id

    async with an_archive(pool, tmp_path, partitioned=True) as archive:
        await archive.end_all()
        position, march = 0, MARCH.starts
        for tenant_id in ("default", "other"):
            execution_id = await pool.fetchval("select execution_id from read.execution where tenant_id = $1", tenant_id)
            approval_id = derived_id(march, tenant_id, "approval")
            for version, topic in enumerate(("approval.opened", "approval.resolved"), 1):
                position += 1
                await pool.execute(
                    'insert into approvals.event values ($1, $2, $3, $4, $5, $6, \'{"by": "Björn"}\', $7)',
                    *(position, approval_id, version, tenant_id, topic, march, str(execution_id)),
                )
            await pool.execute("insert into approvals.timer values ($1, 'x', $2, $3, '{}')", approval_id, tenant_id, march)
        sent = {
            tenant_id: [await command(tenant_id, march, operation) for operation in ("run", "cancel")]
            for tenant_id in ("default", "other")
        }
        recent = await command("default", NOVEMBER, "run")

        await pool.execute("insert into approvals.relay_checkpoint values ('relay', 1)")
        assert await archive.turn() == []
        assert "not at rest" in (await archive.waits() or "")
        await pool.execute("update approvals.relay_checkpoint set position = $1", position)
        await archive.keep("default", 3, audit_months=7)
        manifest, audit = await archive.archiver.turn()
        assert isinstance(manifest, Manifest) and manifest.approvals is not None
        (approved,) = {each.stream_id for each in find(archive.files.lines(manifest, APPROVALS), "björn")}
        assert approved == derived_id(march, "default", "approval")
        for table in ("event", "timer"):
            assert {row[0] for row in await pool.fetch(f"select tenant_id from approvals.{table}")} == {"other"}

        async def archived(of: AnyManifest) -> list[str]:
            return [entry.audit_id async for batch in archive.files.batches(of, AUDIT) for entry in batch]

        assert await archived(audit) == sorted(sent["default"])
        assert [row[0] for row in await pool.fetch(AUDIT_IDS, "default")] == [recent]
        assert [row[0] for row in await pool.fetch(AUDIT_IDS, "other")] == sorted(sent["other"])

        too_early = await copy_audit(pool, archive.files, archive.clock, "other", MARCH)
        sent["other"].append(await command("other", march, "late"))
        with pytest.raises(NotYet):
            await forget_audit(pool, MARCH, [too_early])
        assert [row[0] for row in await pool.fetch(AUDIT_IDS, "other")] == sorted(sent["other"])
        await archive.keep("other", 3, audit_months=1)
        *_, audit = await archive.archiver.turn()
        assert await archived(audit) == sorted(sent["other"])
        assert await pool.fetchval("select to_regclass('gateway.audit_2026_03')") is None
        assert await pool.fetchval("select to_regclass('approvals.event_2026_03')") is None
        assert len(list((tmp_path / "other").glob("audit-*"))) == 2, "what was written too early is gone"


class Died(Exception):
    """As if the process had been killed."""


async def test_an_archiver_that_dies_at_any_step_leaves_all_as_it_was_and_the_next_one_finishes(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[object, str, bool]] = [
        (FileWriter, "write", True),
        (FileWriter, "finish", True),
        (ArchiveFiles, "_publish", False),
        (ArchiveFiles, "_publish", True),
        (analytics, "keep", True),
        (forgetting, "_must_have_passed", True),
        (forgetting, "_set_aside", True),
        (forgetting, "_replace", True),
        (forgetting, "_swap_in_a_quiet_moment", True),
    ]
    async with an_archive(pool, tmp_path, partitioned=True) as archive:
        await archive.end_all()
        before, others = await archive.seen("default"), await archive.seen("other")
        for home, name, is_done in steps:
            with monkeypatch.context() as patch:
                patch.setattr(home, name, dying(getattr(home, name), after=is_done))
                with pytest.raises(Died):
                    await archive.turn()
            assert await archive.seen("default") == before, name
            assert await archive.seen("other") == others, name
        (tmp_path / "default" / ".2026-03-1.events").write_bytes(b"what a killed process leaves")
        (manifest,) = await archive.turn()
        assert not any((await archive.seen("default")).values())
        names = {path.name for path in (tmp_path / "default").iterdir()}
        assert names == {"2026-03.json", *(file.name for file in manifest.files.values())}
        assert (await check(pool, archive.store, projections())).differences == []
        assert await archive.seen("other") == others


def dying(step: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    """The process dies before this step, or when it is done."""

    async def awaited(*arguments: Any) -> None:
        if after:
            await step(*arguments)
        raise Died

    def called(*arguments: Any) -> None:
        if after:
            step(*arguments)
        raise Died

    return awaited if inspect.iscoroutinefunction(step) else called


HALTS = (
    "lock table projections.output_seal in access exclusive mode",  # events are in a file, and output is being written
    "lock table orchestrator.claim in access exclusive mode",  # the files are there, and the log is about to be touched
    "lock table orchestrator.event in access share mode",  # all is ready, and waits for a quiet moment
)
"""What makes an archiver wait in the middle of its work."""
IS_THERE = "select exists (select from pg_stat_activity where application_name = $1)"
WAITS = "select exists (select from pg_stat_activity where application_name = $1 and wait_event_type = 'Lock')"


async def test_an_archiver_that_is_killed_in_the_middle_loses_nothing_and_the_next_one_finishes(
    pool: Pool, postgres_url: str, tmp_path: Path
) -> None:
    """A real process, and `kill -9`."""
    chance = random.Random(2026)
    who = "the archiver"

    async def archiving() -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "runyard_projections", "archive", "run"),
            env={
                **os.environ,
                "RUNYARD_DATABASE_URL": f"{postgres_url}?{urlencode({'application_name': who})}",
                "RUNYARD_ARCHIVE_DIR": str(tmp_path),
            },
        )

    async with an_archive(pool, tmp_path, partitioned=True) as archive:
        await archive.end_all()
        before, others = await archive.seen("default"), await archive.seen("other")
        positions = [
            row["position"]
            for row in await pool.fetch(
                "select position from read.event where tenant_id = 'default' and topic not like 'workflow.%' order by 1"
            )
        ]
        for halt in HALTS:
            async with pool.acquire() as holder, holder.transaction():
                await holder.execute(halt)
                process = await archiving()
                async with asyncio.timeout(30):
                    while not await pool.fetchval(WAITS, who):  # noqa: ASYNC110 - another process
                        await asyncio.sleep(0.005)
                await asyncio.sleep(chance.uniform(0, 0.2))
                assert process.returncode is None, halt
                process.kill()
                await process.wait()
            async with asyncio.timeout(30):  # until PostgreSQL has noticed
                while await pool.fetchval(IS_THERE, who):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.01)
            for manifest in archive.files.manifests():
                archive.files.verify(manifest)
            assert await archive.seen("default") == before, halt
            assert await archive.seen("other") == others, halt
        (manifest,) = await archive.turn()
        archived = [event.position async for batch in archive.files.batches(manifest, EVENTS) for event in batch]
        assert archived == positions
        assert not any((await archive.seen("default")).values())
        assert await archive.seen("other") == others
        assert (await check(pool, archive.store, projections())).differences == []
        names = {path.name for path in (tmp_path / "default").iterdir()}
        assert names == {"2026-03.json", *(file.name for file in manifest.files.values())}


async def test_archives_are_listed_searched_and_restored_by_command_and_a_damaged_one_is_told(
    pool: Pool, postgres_url: str, tmp_path: Path
) -> None:
    async def command(*arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "runyard_projections",
            *arguments,
            env={**os.environ, "RUNYARD_DATABASE_URL": postgres_url, "RUNYARD_ARCHIVE_DIR": str(tmp_path)},
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        return process.returncode, out.decode()

    async with an_archive(pool, tmp_path, partitioned=False) as archive:
        await archive.end_all()
        (manifest,) = await archive.turn()
        (nothing, _), (listed, said), (found, where), (checked, verdict) = await asyncio.gather(
            command("archive", "search", "never said anywhere"),
            command("archive", "list"),
            command("archive", "search", "web-01", "--month", "2026-03"),
            command("checksum"),
        )
        assert (nothing, listed, found, checked) == (1, 0, 0, 0)
        assert f"default 2026-03: {histories.COUNT} executions, {manifest.events.rows} events" in said
        assert f"default 2026-03 {histories.execution_id('completed')}: in " in where
        assert "are what the log gives" in verdict
        restored, said = await command("archive", "restore", "default", "2026-03")
        assert (restored, "restored_default_2026_03.execution" in said) == (0, True)
        assert await pool.fetchval("select count(*) from restored_default_2026_03.execution") == histories.COUNT
        await discard(pool, "default", MARCH)

        path = tmp_path / "default" / manifest.events.name
        lines = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
        path.write_bytes(gzip.compress(b"".join(lines[:-1])))
        with pytest.raises(ArchiveDamaged, match="not the"):
            archive.files.verify(manifest)
        with pytest.raises(ArchiveDamaged):
            await restore(pool, archive.files, projections(), "default", MARCH)
        path.unlink()
        with pytest.raises(ArchiveDamaged, match="cannot be read"):
            archive.files.verify(manifest)
