"""Messages nobody could handle, from the queue to the administrator who sends them again, over HTTP and by the command line."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from runyard_shared.contracts import reports
from runyard_shared.contracts.commands import Request, SaveChannel
from runyard_shared.contracts.jobs import Parked
from runyard_shared.contracts.values import JobStatus
from runyard_shared.messaging.topology import DISPATCHER_INBOX, PARKED, orchestrator_inbox

from tests.gateway import TOKEN, House, Json, house

MOMENT = "2026-11-23T09:00:00.000Z"


async def waiting(home: House, count: int, **query: Any) -> list[Json]:
    """The parked messages as soon as there are so many."""
    items: list[Json] = []
    async with asyncio.timeout(30):
        while not items or len(items) != count:
            items = (await home.call("GET", "/parked-messages", params=query))["items"]
            if count == 0 and not items:
                break
    return items


async def park(home: House, queue: str, item: Any, **fields: Any) -> None:
    body = item if isinstance(item, bytes) else msgspec.json.encode(item)
    values: Json = {"reason": "RuntimeError: a bug", "attempts": 3, "parked_at": MOMENT, **fields}
    await home.bus.send(PARKED, [Parked(queue=queue, body=body, **values)])


async def runyard(home: House, directory: Path, *words: str, code: int = 0) -> str:
    environment = {"PATH": os.environ["PATH"], "RUNYARD_URL": home.gateway.address, "RUNYARD_API_KEY": TOKEN}
    process = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("runyard")), "admin", "parked", *words),
        env=environment | {"XDG_CONFIG_HOME": str(directory)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, problems = await process.communicate()
    assert process.returncode == code, (words, out, problems)
    return (out if code == 0 else problems).decode()


async def test_what_a_bug_kept_from_being_handled_is_sent_again_and_its_execution_goes_on(
    pool: asyncpg.Pool, tmp_path: Path
) -> None:
    async with house(pool) as home:
        execution_id = await home.run(await home.publish())
        job_id = await home.start_job(execution_id)
        finished = reports.JobFinished(
            tenant_id="default", execution_id=execution_id, job_id=job_id, dispatch=1, agent="a1",
            status=JobStatus.COMPLETED, duration_ms=1, output={}, seals=[],
        )  # fmt: skip
        inbox = orchestrator_inbox(execution_id)
        await park(home, inbox, finished)
        await park(home, inbox, finished)  # as every message
        (row,) = await waiting(home, 1)
        assert (row["kind"], row["ofTenant"], row["sender"]) == ("JobFinished", "default", None)
        assert (row["attempts"], row["times"], row["retryable"], row["status"]) == (3, 1, True, "waiting")
        notes = (await home.http.get("/readyz")).json()["notes"]
        assert notes == {"parked messages": "1 could not be handled: see `runyard admin parked list`"}
        assert f"{inbox}  JobFinished" in " ".join((await runyard(home, tmp_path, "list")).split()).replace(" ", "  ")
        assert job_id in await runyard(home, tmp_path, "show", row["messageId"][:10])

        await home.bus.send(inbox, [msgspec.Raw(msgspec.json.encode(finished))])  # as a gateway does that then dies
        assert (await waiting(home, 1))[0]["status"] == "waiting"
        await runyard(home, tmp_path, "retry", row["messageId"][:10])
        await runyard(home, tmp_path, "retry", row["messageId"])  # said twice, done once
        await home.complete(execution_id, jobs=1)

        assert await waiting(home, 0) == []
        (done,) = await waiting(home, 1, status="retried")
        assert (done["settledBy"], done["size"], done["retryable"]) == ("admin", 0, False)
        refused = await home.call("DELETE", f"/parked-messages/{row['messageId']}", status=409)
        assert (refused["code"], refused["detail"]) == ("parked_message_settled", "it was retried already, by admin")
        assert (await home.http.get("/readyz")).json()["notes"] == {}
        entries = await home.audited(2, operation="retryParkedMessage")
        assert {(each["actor"], each["outcome"]) for each in entries} == {("admin", "done")}
        assert "No parked message" in await runyard(home, tmp_path, "show", "abcdef", code=3)


async def test_what_still_cannot_be_handled_comes_back_and_is_dropped(pool: asyncpg.Pool, tmp_path: Path) -> None:
    async with house(pool) as home:
        for number in range(3):
            await home.bus.send(DISPATCHER_INBOX, [msgspec.Raw(b'{"type":"FromTomorrow","number":%d}' % number)])
        rows = await waiting(home, 3)
        assert {(row["queue"], row["kind"], row["attempts"]) for row in rows} == {(DISPATCHER_INBOX, "FromTomorrow", 0)}
        await home.call("POST", f"/parked-messages/{rows[0]['messageId']}/retry")
        async with asyncio.timeout(30):
            while (again := (await waiting(home, 3))[0])["times"] != 2:
                pass
        assert (again["messageId"], again["status"]) == (rows[0]["messageId"], "waiting")
        assert again["firstParkedAt"] < again["parkedAt"]

        page = await home.call("GET", "/parked-messages", params={"limit": 2})
        rest = await home.call("GET", "/parked-messages", params={"limit": 2, "cursor": page["nextCursor"]})
        assert sorted(row["messageId"] for row in page["items"] + rest["items"]) == sorted(row["messageId"] for row in rows)
        assert (await waiting(home, 0, q="no such reason"), await waiting(home, 0, queue="elsewhere")) == ([], [])

        assert "or --all" in await runyard(home, tmp_path, "drop", code=2)
        dropped = json.loads(await runyard(home, tmp_path, "drop", "--all", "-m", "fromtomorrow", "--yes", "-o", "json"))
        assert len(dropped["dropped"]) == 3
        assert await waiting(home, 0) == []
        assert (await home.call("POST", f"/parked-messages/{rows[1]['messageId']}/retry", status=409))["code"] == (
            "parked_message_settled"
        )


async def test_no_retry_makes_our_own_word_of_what_an_agent_may_not_say(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        execution_id = await home.run(await home.publish())
        job_id = await home.start_job(execution_id)
        started = reports.JobStarted(tenant_id="default", execution_id=execution_id, job_id=job_id, dispatch=1, agent="a1")
        await park(home, orchestrator_inbox(execution_id), started, sender="default/evil")
        await park(home, orchestrator_inbox(execution_id), [started], sender="other/a1")
        await park(home, orchestrator_inbox(execution_id), b'{"type":"TimerDue","streamId":"x"}', sender="default/a1")
        for row in await waiting(home, 3):
            refused = await home.call("POST", f"/parked-messages/{row['messageId']}/retry", status=403)
            assert refused["code"] == "not_for_this_agent"
        await park(home, orchestrator_inbox(execution_id), [started], sender="default/a1")
        (own,) = [row for row in await waiting(home, 4) if row["sender"] == "default/a1" and row["kind"] == "JobStarted"]
        assert (await home.call("POST", f"/parked-messages/{own['messageId']}/retry"))["status"] == "retried"


async def test_a_parked_message_keeps_no_secret_and_what_is_not_whole_is_not_sent_again(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        command = SaveChannel(channel_id="c", name="ops", url="slack://canary-of-a-channel")
        request = Request(request_id="r", tenant_id="acme", actor="alice", command=command)
        await park(home, "approvals.inbox.0", request)
        await park(home, "approvals.inbox.1", [request, request])
        await park(home, DISPATCHER_INBOX, b'{"type": "half')
        rows = await waiting(home, 3)
        assert sorted(row["kind"] for row in rows) == ["", "Request: SaveChannel", "Request: SaveChannel"]
        for row in rows:
            assert row["retryable"] is False
            detail = await home.call("GET", f"/parked-messages/{row['messageId']}")
            assert '"url":"***"' in detail["body"] or detail["body"] == '{"type": "half'
            refused = await home.call("POST", f"/parked-messages/{row['messageId']}/retry", status=409)
            assert refused["code"] == "not_retryable"
        assert b"canary" not in b"".join(await pool.fetchval("select array_agg(body) from projections.parked_message"))
