"""`kill -9` of every process in turn while executions are under way: all of them end, and each attempt ran once.

Every script appends a line to a journal when it runs, so the journal tells what really happened, whatever the history says.
Another program hears of all of it at the public exchange, although services die while they publish.
"""

import secrets
import time
from collections import Counter

import pytest

from tests.acceptance.public_consumer import PublicConsumer
from tests.acceptance.systems import Client, Distributed, Json, Standalone, eventually
from tests.acceptance.test_first_promises import bash, chain, edge, workflow

EXECUTIONS = 200
ENDED = ("completed", "failed", "cancelled")


def journal_script(client: Client, name: str, seconds: float) -> str:
    """Leaves one line for each time it runs; short lines appended to a file are not mixed up."""
    line = '"$RUNYARD_EXECUTION_ID $RUNYARD_NODE_ID $RUNYARD_ATTEMPT"'
    return f"echo {line} >> {client.system.journal / name}; sleep {seconds}"


def mixed_workflow(client: Client, journal: str) -> Json:
    """Sequence, fan-out, a delay, and a first step that is tried again when its agent is lost."""
    script = journal_script(client, journal, 0.05)
    tries = {"maxRetries": 5, "retryDelaySeconds": 0.2}
    return workflow(
        [
            bash("first", script, **tries),
            {"id": "nap", "type": "delay", "seconds": 0.3},
            bash("left", script, **tries),
            bash("right", script, **tries),
            {"id": "both", "type": "join"},
            bash("last", script, **tries),
        ],
        [
            edge("trigger", "first"),
            edge("first", "nap"),
            edge("nap", "left"),
            edge("nap", "right"),
            edge("left", "both"),
            edge("right", "both"),
            edge("both", "last"),
        ],
    )


def check_the_journal(client: Client, journal: str, execution_ids: list[str]) -> None:
    """No attempt ran twice, and whatever ran is in the history."""
    lines = (client.system.journal / journal).read_text().splitlines()
    assert all(count == 1 for count in Counter(lines).values()), [line for line, count in Counter(lines).items() if count > 1]
    ran = {tuple(line.split()) for line in lines}
    known = set()
    for execution_id in execution_ids:
        detail = client.detail(execution_id)
        assert detail["status"] == "completed", detail
        jobs = detail["jobs"]
        known |= {(execution_id, job["nodeId"], str(job["attempt"])) for job in jobs}
        for job in jobs:
            if job["status"] == "completed":
                assert (execution_id, job["nodeId"], str(job["attempt"])) in ran
    assert ran <= known


def read_models(client: Client) -> list[Json]:
    items: list[Json] = client.call("GET", "/projections")["items"]
    return items


def events_after(client: Client, position: int) -> list[Json]:
    found: list[Json] = []
    cursor = ""
    while True:
        page = client.call("GET", f"/events.json?log=orchestrator&after={position}&limit=200{cursor}")
        found += page["items"]
        if page["nextCursor"] is None:
            return found
        cursor = f"&cursor={page['nextCursor']}"


def check_what_others_were_told(client: Client, consumer: PublicConsumer, begin: int) -> None:
    """Every event of the log was published, each subject's in order; and the read models are what the log gives."""
    written: dict[str, list[int]] = {}
    for event in events_after(client, begin):
        written.setdefault(event["subject"], []).append(int(event["id"]))
    consumer.take_until({str(position) for positions in written.values() for position in positions})
    told = consumer.firsts_by_subject()
    assert {subject: told[subject] for subject in written} == written
    client.call("POST", "/projections/checksum", status=202)
    eventually(lambda: all((each["checksum"] or {}).get("finishedAt") for each in read_models(client)), "the check to end")
    assert [each["checksum"]["differences"] for each in read_models(client)] == [[] for _ in read_models(client)]


def wait_for_all(client: Client, execution_ids: list[str]) -> None:
    deadline = time.monotonic() + 120
    waiting = set(execution_ids)
    while waiting:
        rows: dict[str, Json] = {}
        cursor = ""
        while True:
            page = client.call("GET", f"/executions?limit=200{cursor}")
            rows |= {row["executionId"]: row for row in page["items"]}
            if not page["nextCursor"]:
                break
            cursor = f"&cursor={page['nextCursor']}"
        waiting = {execution_id for execution_id in waiting if rows.get(execution_id, {}).get("status") not in ENDED}
        if waiting:
            assert time.monotonic() < deadline, client.detail(next(iter(waiting)))
            time.sleep(0.2)


@pytest.mark.xdist_group("distributed")
def test_every_process_is_killed_in_turn_and_nothing_is_lost_or_done_twice(distributed: Distributed) -> None:
    with Client(distributed) as client:
        journal = secrets.token_hex(4)
        consumer = PublicConsumer(distributed)
        begin = max(each["head"] for each in read_models(client))
        workflow_id = client.publish(mixed_workflow(client, journal))
        execution_ids: list[str] = []
        victims = list(distributed.processes)
        per_victim = EXECUTIONS // len(victims) + 1
        for number, victim in enumerate(victims):
            execution_ids += [client.run(workflow_id, key=f"{journal}-{number}-{index}") for index in range(per_victim)]
            distributed.kill(victim)
            distributed.revive(victim)
        wait_for_all(client, execution_ids)
        check_the_journal(client, journal, execution_ids)
        check_what_others_were_told(client, consumer, begin)


@pytest.mark.xdist_group("standalone")
def test_the_one_process_is_killed_and_goes_on_with_what_ran(standalone: Standalone) -> None:
    with Client(standalone) as client:
        journal = secrets.token_hex(4)
        workflow_id = client.publish(mixed_workflow(client, journal))
        execution_ids = [client.run(workflow_id) for _ in range(40)]
        for _ in range(2):
            standalone.kill("standalone")
            standalone.revive("standalone")
        wait_for_all(client, execution_ids)
        check_the_journal(client, journal, execution_ids)


@pytest.mark.xdist_group("distributed")
def test_a_job_whose_agent_is_killed_fails_as_lost_and_follows_its_retries(distributed: Distributed) -> None:
    with Client(distributed) as client:
        document = chain(bash("long", "[ $RUNYARD_ATTEMPT = 2 ] || sleep 300", maxRetries=1))
        execution_id = client.run(client.publish(document))
        detail = client.until(
            execution_id, lambda row: bool(row["jobs"]) and row["jobs"][0]["status"] == "running", "the job to run"
        )
        agent = detail["jobs"][0]["agent"]
        distributed.kill(agent)
        assert agent not in distributed.deployment.running
        detail = client.until(execution_id, lambda row: len(row["jobs"]) == 2, "the second attempt")
        assert detail["jobs"][0]["status"] == "failed"
        assert detail["jobs"][0]["error"]["reason"] == "agent_lost"
        detail = client.finished(execution_id, "completed")
        assert detail["jobs"][1]["agent"] != agent
        distributed.revive(agent)
