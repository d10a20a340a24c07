"""A database of the time before agents had keys: they must be given one, and what they held is decided anew."""

import hashlib
from datetime import UTC, datetime
from importlib.resources import files

import msgspec
import pytest
from runyard_shared.agent_keys import hash_of
from runyard_shared.contracts.commands import RotateAgentKey
from runyard_shared.contracts.jobs import SessionRefused
from runyard_shared.contracts.reports import JobLost
from runyard_shared.eventstore.migrate import log_sql
from runyard_shared.ids import new_id
from runyard_shared.sealing import OpeningKey

from tests.dispatcher import Pool, a_house, place, requeue, until

AT = datetime(2026, 1, 1, tzinfo=UTC)


async def as_it_was(pool: Pool) -> None:
    """The schema without the second migration, as a process of that time left it."""
    first = (files("runyard_dispatcher") / "migrations" / "0001_dispatcher.sql").read_text()
    await pool.execute("create schema dispatcher")
    await pool.execute(
        "create table dispatcher.migration"
        " (name text primary key, sha256 text not null, applied_at timestamptz not null default now())"
    )
    for name, sql in (("log", log_sql("dispatcher")), ("0001_dispatcher", first)):
        await pool.execute(sql)
        sha256 = hashlib.sha256(sql.encode()).hexdigest()
        await pool.execute("insert into dispatcher.migration (name, sha256) values ($1, $2)", name, sha256)


@pytest.mark.empty_database
async def test_an_agent_without_a_key_comes_back_when_it_is_given_one_and_its_jobs_are_told_lost(pool: Pool) -> None:
    await as_it_was(pool)
    agent_id, job = new_id(), new_id()
    await pool.execute(
        "insert into dispatcher.agent values"
        " ($1, 'default', 'a', 'db', '{linux}', 2, '1', '{script.bash}', 's1', '{}', 'online', '', $2, $2, 100, 1, 0)",
        agent_id,
        AT,
    )
    order = place(job, pool="db")
    await pool.execute(
        "insert into dispatcher.job values ($1, 'default', $2, 'leased', $4, 1, 'a', null, null, $3)",
        job,
        order.execution_id,
        msgspec.json.encode(order).decode(),
        AT,
    )
    async with a_house(pool) as house:
        await until(lambda: house.told(JobLost) == [(job, 1)])
        row = await pool.fetchrow("select status, pool, tags, reason, transport from read.agent")
        assert row is not None
        assert tuple(row) == ("offline", "db", ["linux"], "it has no key: rotate its key, and start it with the new one", None)
        assert sorted(row["name"] for row in await pool.fetch("select name from read.pool")) == ["db", "default"]
        await house.beat("a", "s1")
        await until(lambda: bool(house.orders["a"]))
        (refused,) = house.orders["a"]
        assert isinstance(refused, SessionRefused)
        assert (refused.revoked, "rotate its key" in refused.reason) == (True, True)

        await house.done(RotateAgentKey(agent_id=agent_id, key_hash=hash_of("key of a")))
        house.keys["a"] = OpeningKey.generate()
        await house.enrol(agent_id, "a")
        await house.register("a", "s2")
        await house.order(requeue(job, 1))
        await until(lambda: house.runs() == [(job, 2, "s2")])
