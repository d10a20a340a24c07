"""What triggers did, as readers see it."""

import asyncpg

from tests import histories
from tests.projections import apply, orchestrator_log, rows


async def test_trigger_records_say_what_was_started_and_why_nothing_was(pool: asyncpg.Pool) -> None:
    async with orchestrator_log(pool):
        history = histories.record(histories.triggered())
        await apply(pool, [history])
        found = await pool.fetch(
            "select type, trigger, outcome, execution_id is not null as announced, reason, incident_id, payload ->> 'severity'"
            " from read.trigger_record where tenant_id = 'default' order by position desc, workflow_id, trigger"
        )
        assert [tuple(row) for row in found] == [
            ("incident", 1, "refused", True, "it is not active", "INC-7", "high"),
            ("incident", 2, "skipped", False, "the condition is false: false", "INC-7", "high"),
            ("cron", 0, "skipped", False, "overlap", None, None),
            ("cron", 0, "started", True, "", None, None),
        ]
        again = await rows(pool)
        await pool.execute(
            "truncate projections.trigger_record, projections.incident, projections.scheduled_workflow,"
            " projections.schedule, projections.schedule_run"
        )
        await pool.execute("update projections.position set position = 0 where name = 'triggers'")
        await apply(pool, [[row] for row in history])
        assert await rows(pool) == again


async def test_the_schedules_of_the_version_that_runs_are_listed_with_what_they_did_last(pool: asyncpg.Pool) -> None:
    async with orchestrator_log(pool):
        history = histories.record(histories.triggered())
        published = next(row.position for row in history if row.topic == "workflow.published" and row.version > 2)
        select = (
            "select version, cron, catch_up, overlap, active, last_scheduled_at, last_execution_id::text from read.schedule"
        )
        await apply(pool, [history[: published - 1]])
        (first,) = await pool.fetch(select)
        assert tuple(first)[:5] == (1, "0 1 * * *", "all", "skip", True)
        assert first["last_execution_id"] == histories.execution_id("nightly 1")
        assert first["last_scheduled_at"].day == 2, "of the instant that was skipped"
        await apply(pool, [history[published - 1 :]])
        (second,) = await pool.fetch(select)
        assert tuple(second)[:5] == (2, "0 2 * * *", "latest", "skip", True)
