"""The audit log: every command with its actor, its source and what came of it, also if the gateway does not live to say so."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from runyard_gateway.audit import AuditLog
from runyard_gateway.database import Database
from runyard_gateway.http.identity import Identity
from runyard_gateway.queries import audit as audit_queries
from runyard_gateway.queries.audit import AuditQueries
from runyard_shared.clock import SystemClock
from runyard_shared.errors import Unavailable
from runyard_shared.ids import new_id
from runyard_shared.messaging.memory import MemoryBus

from tests.gateway import TOKEN, House, Json, gateway_alone

SECRET = "rather-secret-7391"


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with gateway_alone(MemoryBus(), pool, command_timeout_seconds=0.2, trusted_proxies="127.0.0.0/8,10.0.0.0/8") as made:
        yield made


async def listed(home: House, **query: Any) -> list[Json]:
    return list((await home.call("GET", "/audit", params=query))["items"])


async def test_every_command_is_there_with_who_from_where_and_what_came_of_it(home: House, pool: asyncpg.Pool) -> None:
    await home.call("POST", "/users", status=201, json={"name": "alice", "roles": ["viewer"]})
    made = await home.call("POST", "/api-keys", status=201, json={"user": "alice", "name": SECRET})
    headers = {"Authorization": f"Bearer {made['key']}", "X-Forwarded-For": "203.0.113.9, 198.51.100.7, 10.1.2.3"}
    workflow_id = new_id()
    async with httpx.AsyncClient(base_url=f"{home.gateway.address}/api/v1", headers=headers, trust_env=False) as alice:
        await alice.get("/users")
        await alice.post("/users", json={"name": SECRET})
        await alice.post(f"/approvals/{new_id()}/approve", json={"note": SECRET, "wrong": 1})
    await home.call("POST", f"/workflows/{workflow_id}/run", status=503, json={"variables": {"password": SECRET}})
    await home.call("POST", f"/pools/{SECRET[:6]}/pause", status=503, json={"reason": SECRET})
    await home.http.post("/api/v1/session", json={"key": f"rk_{SECRET}"})
    entries = await home.audited(7)
    brief = [
        (each["operation"], each["actor"], each["credentialType"], each["outcome"], each["status"], each["code"])
        for each in reversed(entries)
    ]
    assert brief == [
        ("createUser", "admin", "admin_token", "done", 201, None),
        ("createApiKey", "admin", "admin_token", "done", 201, None),
        ("createUser", "alice", "api_key", "refused", 403, "forbidden"),
        ("approve", "alice", "api_key", "refused", 422, "invalid_body"),
        ("runWorkflow", "admin", "admin_token", "failed", 503, "unavailable"),
        ("pausePool", "admin", "admin_token", "failed", 503, "unavailable"),
        ("signIn", "nobody", "none", "refused", 401, "unauthorized"),
    ]
    by_alice = entries[-3]
    assert (by_alice["credentialId"], by_alice["source"]) == (made["keyId"], "198.51.100.7")
    assert [each["target"] for each in entries[1:3]] == ["rather", workflow_id]
    assert [each["target"] for each in entries[-3:]] == [
        None,
        "alice",
        "alice",
    ]  # a key is one of its user; a refused body says nothing
    assert all(each["source"] == "127.0.0.1" and each["durationMs"] >= 0 for each in (entries[0], entries[-1]))
    assert await pool.fetchval("select count(*) from gateway.audit_open") == 0
    dump = str(await pool.fetch("select * from gateway.audit"))
    assert SECRET not in dump and made["key"] not in dump and TOKEN not in dump


async def test_the_log_is_filtered_by_index_and_read_page_by_page_by_administrators_of_the_tenant(
    home: House, pool: asyncpg.Pool
) -> None:
    for name in ("a", "b", "c"):
        await home.call("POST", "/users", status=201, json={"name": name, "roles": ["admin"]})
    await home.call("POST", "/users", status=409, json={"name": "a"})
    await home.audited(4)
    first = await home.call("GET", "/audit", params={"limit": 3})
    rest = await home.call("GET", "/audit", params={"limit": 3, "cursor": first["nextCursor"]})
    assert (len(first["items"]), len(rest["items"]), rest["nextCursor"]) == (3, 1, None)
    assert [each["code"] for each in await listed(home, outcome="refused")] == ["user_exists"]
    assert len(await listed(home, actor="admin", operation="createUser", outcome="done")) == 3
    assert await listed(home, actor="a") == await listed(home, operation="deleteUser") == []
    now = datetime.now(UTC)
    hour = timedelta(hours=1)
    assert len(await listed(home, **{"from": (now - hour).isoformat(), "to": (now + hour).isoformat()})) == 4
    assert await listed(home, **{"from": (now + hour).isoformat()}) == await listed(home, to=(now - hour).isoformat()) == []
    other = await home.call("POST", "/tenants", status=201, json={"tenantId": "acme", "name": "Acme"})
    headers = {"Authorization": f"Bearer {other['key']}"}
    assert (await home.http.get("/api/v1/audit", headers=headers)).json()["items"] == []
    # every filter has an index that begins with the tenant and ends with the order, and months are left out
    async with pool.acquire() as connection:
        await connection.execute("set enable_seqscan = off; set enable_sort = off; set enable_bitmapscan = off")
        for condition in ("true", "actor = 'a'", "operation = 'x'", "outcome = 'refused'"):
            plan = "\n".join(
                row[0]
                for row in await connection.fetch(
                    "explain select * from gateway.audit where tenant_id = 'default'"
                    f" and audit_id < gateway.first_id_at('2026-11-05') and {condition} order by audit_id desc limit 50"
                )
            )
            assert "-> Sort" not in " ".join(plan.split()) and "Index Scan" in plan and "audit_2027" not in plan, plan


async def test_what_a_gateway_left_when_it_died_is_there_with_the_outcome_unknown(
    home: House, pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second gateway dies with two commands under way, and one that is over; a living one finds the traces."""
    queries = AuditQueries(Database(pool))
    dying = AuditLog(queries, SystemClock())
    await dying.start()
    records = []
    for name in ("one", "two", "three"):
        record = dying.record("runWorkflow", "192.0.2.1", {"workflowId": name, "token": SECRET})
        record.sent_by(Identity("default", "bob"))
        record.begin()
        records.append(record)
    assert records[0].safe is not None
    await records[0].safe.wait()
    assert await listed(home) == []
    await records[2].end(202, None)
    (done,) = await home.audited(1)
    assert (done["target"], done["outcome"]) == ("three", "done")
    for task in (dying._writing, dying._sweeping):
        assert task is not None
        task.cancel()
    assert await queries.sweep() == 0  # it may still live
    monkeypatch.setattr(audit_queries, "LOST_AFTER_SECONDS", 0.0)
    assert await queries.sweep() == 2
    assert await queries.sweep() == 0
    entries = await listed(home, outcome="unknown")
    assert [(each["target"], each["actor"], each["status"], each["durationMs"]) for each in entries] == [
        ("two", "bob", None, None),
        ("one", "bob", None, None),
    ]
    assert SECRET not in str(await pool.fetch("select * from gateway.audit"))


class Fickle(AuditQueries):
    """A database that is away when told to; whether what it was doing happened is its secret."""

    away = False

    async def write(self, flush: Any) -> None:
        await super().write(flush)
        if self.away:
            raise Unavailable("PostgreSQL is away")


async def test_while_the_database_is_away_entries_wait_and_are_written_once(home: House, pool: asyncpg.Pool) -> None:
    queries = Fickle(Database(pool))
    log = AuditLog(queries, SystemClock())
    await log.start()
    queries.away = True
    record = log.record("cancelExecution", "192.0.2.1", {})
    record.sent_by(Identity("default", "bob"))
    record.begin()
    ending = asyncio.create_task(record.end(202, None))
    async with asyncio.timeout(30):
        while log.trouble is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        assert not ending.done() and "away" in log.trouble
        queries.away = False
        await ending
    await log.stop()
    (entry,) = await home.audited(1)
    assert entry["operation"] == "cancelExecution"
    assert await pool.fetchval("select count(*) from gateway.audit_open") == 0


async def test_a_hundred_commands_at_once_leave_a_hundred_entries_and_nothing_open(home: House, pool: asyncpg.Pool) -> None:
    async def make(number: int) -> None:
        await home.call("POST", "/users", status=201, json={"name": f"user-{number}"})

    await asyncio.gather(*(make(number) for number in range(100)))
    await home.gateway.stop()  # in good order: everything is written
    assert await pool.fetchval("select count(*) from gateway.audit where outcome = 'done'") == 100
    assert await pool.fetchval("select count(*) from gateway.audit_open") == 0
