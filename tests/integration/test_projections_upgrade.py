"""A database of the time before drafts were counted: their number is what the log says, as far as it was applied."""

import hashlib
from datetime import UTC, datetime
from importlib.resources import files

import asyncpg
import pytest
from runyard_shared.eventstore.migrate import log_sql, migrate
from runyard_shared.ids import new_id

AT = datetime(2026, 1, 1, tzinfo=UTC)


async def as_it_was(pool: asyncpg.Pool) -> None:
    """The read models as they were before the sixth migration, and the log beside them."""
    await pool.execute("create schema orchestrator; create schema projections; create schema read")
    await pool.execute(log_sql("orchestrator"))
    await pool.execute(
        "create table projections.migration (name text primary key, sha256 text not null, applied_at timestamptz)"
    )
    before = [each for each in (files("runyard_projections") / "migrations").iterdir() if each.name < "0006"]
    for each in sorted(before, key=lambda file: file.name):
        await pool.execute(sql := each.read_text())
        sha256 = hashlib.sha256(sql.encode()).hexdigest()
        await pool.execute("insert into projections.migration values ($1, $2)", each.name.removesuffix(".sql"), sha256)


@pytest.mark.empty_database
async def test_drafts_of_old_are_counted_as_far_as_they_were_applied(pool: asyncpg.Pool) -> None:
    await as_it_was(pool)
    edited, fresh = new_id(), new_id()
    topics = [(edited, "workflow.created"), (fresh, "workflow.created"), (edited, "workflow.drafted"),
              (edited, "workflow.published"), (edited, "workflow.drafted"), (edited, "workflow.drafted")]  # fmt: skip
    versions = dict.fromkeys((edited, fresh), 0)
    for position, (stream_id, topic) in enumerate(topics, start=1):
        versions[stream_id] += 1
        await pool.execute(
            "insert into orchestrator.event (position, stream_id, version, tenant_id, topic, recorded_at, data)"
            " values ($1, $2, $3, 'default', $4, $5, '{}')",
            position, stream_id, versions[stream_id], topic, AT,
        )  # fmt: skip
    for workflow_id in versions:
        await pool.execute(
            "insert into projections.workflow (workflow_id, tenant_id, name, draft_document, draft_source, draft_format,"
            " drafted_at, drafted_by, created_at, created_by, active, updated_at, position)"
            " values ($1, 'default', 'x', '{}', '{}', 'json', $2, 'alice', $2, 'alice', false, $2, 1)",
            workflow_id, AT,
        )  # fmt: skip
    await pool.execute("update projections.position set position = 5 where name = 'workflows'")
    await migrate(pool, "projections", "runyard_projections")
    found = await pool.fetch("select workflow_id::text, draft_revision from read.workflow")
    assert {row["workflow_id"]: row["draft_revision"] for row in found} == {edited: 3, fresh: 1}
