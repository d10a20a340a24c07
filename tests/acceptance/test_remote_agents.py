"""Agents in other people's networks: let in by a key, cut off when that is taken away, and honest about what they did
meanwhile."""

import secrets
from collections.abc import Iterator

import pytest

from tests.acceptance.remote_agents import Makers, RemoteAgent, Wire, remote_agents, wire_to
from tests.acceptance.systems import Client, Distributed, Journal, Json, Standalone, System, eventually, sealed_output
from tests.acceptance.test_first_promises import bash, chain


@pytest.fixture
def makers(client: Client) -> Iterator[Makers]:
    with remote_agents(client) as makers:
        yield makers


@pytest.fixture
def wire(system: System) -> Iterator[Wire]:
    with wire_to(system.url) as wire:
        yield wire


def running_job(client: Client, execution_id: str) -> Json:
    """The first job of the execution, as soon as it runs."""
    detail = client.until(
        execution_id, lambda row: bool(row["jobs"]) and row["jobs"][0]["status"] == "running", "the job to run"
    )
    job: Json = detail["jobs"][0]
    return job


def transports(system: System) -> list[str]:
    return ["https"] if isinstance(system, Standalone) else ["https", "amqp"]


def test_an_agent_needs_an_address_and_a_key_to_do_the_jobs_of_its_pool(system: System, client: Client, makers: Makers) -> None:
    for transport in transports(system):
        pool = makers.pool()
        agent = makers.agent(pool=pool, tags=("edge",))
        agent.start(transport=transport)
        assert (agent.row["pool"], agent.row["transport"]) == (pool, transport)
        document = chain(bash("here", "echo done by $RUNYARD_NODE_ID", pool=pool, tags=["edge"]))
        detail = client.ran(document, status="completed")
        assert detail["jobs"][0]["agent"] == agent.name
        assert detail["jobs"][0]["output"]["stdout"] == "done by here\n"
        assert agent.stop() == 0
        agent.until_status("offline")


def test_live_output_and_big_output_come_whole_whichever_way_the_agent_talks(
    system: System, client: Client, makers: Makers
) -> None:
    for transport in transports(system):
        pool = makers.pool()
        agent = makers.agent(pool=pool)
        agent.start(transport=transport)
        script = "for i in $(seq 200000); do echo line number $i; done; printf '\\xff\\x1b[31mred'"
        detail = client.ran(chain(bash("talk", script, pool=pool)), status="completed")
        job = detail["jobs"][0]
        path = f"/executions/{detail['executionId']}/jobs/{job['jobId']}/output?stream=stdout&download=true"
        assert sealed_output(client, path) == b"".join(b"line number %d\n" % i for i in range(1, 200001)) + b"\xff\x1b[31mred"


def test_a_revoked_agent_is_cut_off_at_once_and_its_job_is_lost(system: System, client: Client, makers: Makers) -> None:
    for transport in transports(system):
        pool = makers.pool()
        agent = makers.agent(pool=pool)
        agent.start(transport=transport)
        execution_id = client.run(client.publish(chain(bash("long", "sleep 600", pool=pool))))
        running_job(client, execution_id)
        client.call("POST", f"/agents/{agent.agent_id}/revoke")
        agent.until_exits(3)
        detail = client.finished(execution_id, "failed")
        assert detail["jobs"][0]["error"]["reason"] == "agent_lost"
        assert agent.row["status"] == "revoked"
        agent.start(transport=transport, wait=False)
        agent.until_exits(3)


def test_a_new_key_cuts_off_whoever_has_the_old_one(client: Client, makers: Makers) -> None:
    agent = makers.agent(pool=makers.pool())
    agent.start()
    new = client.call("POST", f"/agents/{agent.agent_id}/rotate-key")["key"]
    agent.until_exits(3)
    agent.key = new
    agent.start()


def test_a_second_process_of_an_agent_is_refused_and_says_why(system: System, client: Client, makers: Makers) -> None:
    for transport in transports(system):
        pool = makers.pool()
        agent = makers.agent(pool=pool)
        agent.start(transport=transport)
        twin = RemoteAgent.twin_of(agent)
        makers.made.append(twin)
        twin.start(transport=transport, wait=False)
        twin.until_says("another process")
        detail = client.ran(chain(bash("one", "hostname", pool=pool)), status="completed")
        assert detail["jobs"][0]["agent"] == agent.name
        assert "job" not in twin.log.replace("running_jobs", "")


def test_a_drained_agent_finishes_what_it_has_and_gets_nothing_new(client: Client, makers: Makers, journal: Journal) -> None:
    pool = makers.pool()
    agent = makers.agent(pool=pool)
    agent.start()
    script = f"until [ -e {journal.path} ]; do sleep 0.05; done"
    workflow_id = client.publish(chain(bash("wait", script, pool=pool)))
    first = client.run(workflow_id)
    running_job(client, first)
    client.call("POST", f"/agents/{agent.agent_id}/drain")
    second = client.run(workflow_id)
    detail = client.until(second, lambda row: "draining" in str(row["banner"]), "the banner to say why it waits")
    assert detail["jobs"][0]["status"] == "pending"
    assert agent.row["status"] == "draining"
    journal.path.touch()
    client.finished(first, "completed")
    assert client.detail(second)["jobs"][0]["status"] == "pending"
    client.call("POST", f"/agents/{agent.agent_id}/resume")
    client.finished(second, "completed")


def test_a_paused_pool_says_so_wherever_a_job_waits(client: Client, makers: Makers) -> None:
    pool = makers.pool()
    makers.agent(pool=pool).start()
    client.call("POST", f"/pools/{pool}/pause", json={"reason": "change freeze"})
    execution_id = client.run(client.publish(chain(bash("one", "true", pool=pool))))
    client.until(execution_id, lambda row: "change freeze" in str(row["banner"]), "the banner to say why it waits")
    client.call("POST", f"/pools/{pool}/resume")
    client.finished(execution_id, "completed")


def test_a_result_that_could_not_be_sent_survives_the_agent(
    system: System, client: Client, makers: Makers, wire: Wire, journal: Journal
) -> None:
    """The network is cut while the job runs, the job ends, the agent is killed; back with its state it delivers."""
    agent = makers.agent(pool=makers.pool())
    agent.start(wire.url, transport="https")
    gate = journal.path.with_suffix(".gate")
    script = f"until [ -e {gate} ]; do sleep 0.05; done; {journal.say('ran $RUNYARD_ATTEMPT')}; echo the end"
    execution_id = client.run(client.publish(chain(bash("work", script, pool=agent.row["pool"], maxRetries=2))))
    running_job(client, execution_id)
    wire.cut()
    gate.touch()
    eventually(lambda: bool(journal.lines), "the script to end")
    agent.until_says("job ended")
    agent.kill()
    wire.mend()
    agent.start(wire.url, transport="https")
    detail = client.finished(execution_id, "completed")
    if isinstance(system, Standalone):  # the server was patient enough to wait for it
        assert [job["status"] for job in detail["jobs"]] == ["completed"]
        assert journal.lines == ["ran 1"]
        assert detail["jobs"][0]["output"]["stdout"] == "the end\n"
    else:  # it was given up after two seconds of silence: its result came late, and another attempt was made
        assert len(journal.lines) == len(set(journal.lines)) == len(detail["jobs"])


@pytest.mark.xdist_group("standalone")
def test_running_jobs_outlive_a_network_that_is_away_for_a_while(standalone: Standalone) -> None:
    with Client(standalone) as client, remote_agents(client) as makers, wire_to(standalone.url) as wire:
        agent = makers.agent(pool=makers.pool())
        agent.start(wire.url, transport="https", RUNYARD_HEARTBEAT_SECONDS="1")
        journal = Journal(standalone)
        script = f"for i in 1 2 3 4 5 6; do echo part $i; sleep 0.5; done; {journal.say('ran')}"
        execution_id = client.run(client.publish(chain(bash("long", script, pool=agent.row["pool"]))))
        running_job(client, execution_id)
        wire.cut()
        eventually(lambda: bool(journal.lines), "the script to end")
        wire.mend()
        detail = client.finished(execution_id, "completed")
        assert detail["jobs"][0]["output"]["stdout"] == "".join(f"part {i}\n" for i in range(1, 7))
        assert (len(detail["jobs"]), journal.lines) == (1, ["ran"])


@pytest.mark.xdist_group("distributed")
def test_a_dead_link_is_noticed_and_the_job_goes_to_another_agent(distributed: Distributed) -> None:
    """Connections stay open, and nothing comes through: the agent starts nothing more, and the dispatcher gives up on it."""
    with Client(distributed) as client, remote_agents(client) as makers, wire_to(distributed.url) as wire:
        pool = makers.pool()
        dead, alive = makers.agent(pool=pool), makers.agent(pool=pool)
        dead.start(wire.url, transport="https")
        journal = Journal(distributed)
        script = f"{journal.say('$RUNYARD_ATTEMPT')}; [ $RUNYARD_ATTEMPT = 2 ] || sleep 600"
        execution_id = client.run(client.publish(chain(bash("long", script, pool=pool, maxRetries=1))))
        running_job(client, execution_id)
        wire.freeze()
        alive.start()
        detail = client.finished(execution_id, "completed")
        assert [(job["agent"], job["status"]) for job in detail["jobs"]] == [(dead.name, "failed"), (alive.name, "completed")]
        assert sorted(journal.lines) == ["1", "2"]
        wire.mend()
        dead.until_status("online")


def connection(client: Client, kind: str, config: Json, given: Json, **more: object) -> Json:
    body = {"name": f"c-{secrets.token_hex(4)}", "kind": kind, "config": config, "secrets": given, **more}
    made: Json = client.call("POST", "/connections", status=201, json=body)
    return made


def test_a_connection_gives_a_job_its_secrets_and_nobody_else_sees_them(client: Client) -> None:
    made = connection(client, "secrets", {"values": {"REGION": "eu"}}, {"TOKEN": "tr0ub4dor&3"})
    assert made["secrets"] == ["TOKEN"]
    script = "echo in $REGION; for part in tr0ub 4dor '&3'; do printf %s $part; sleep 0.1; done; echo; test ${#TOKEN} = 11"
    detail = client.ran(chain(bash("use", script, connection=made["name"])), status="completed")
    assert detail["jobs"][0]["output"]["stdout"] == "in eu\n***\n"


def test_a_disabled_connection_fails_an_execution_at_once_and_says_exactly_that(client: Client) -> None:
    made = connection(client, "secrets", {}, {"TOKEN": "tr0ub4dor&3"})
    workflow_id = client.publish(chain(bash("use", "true", connection=made["name"], maxRetries=5, retryDelaySeconds=60)))
    client.call("POST", f"/connections/{made['connectionId']}/disable")
    detail = client.finished(client.run(workflow_id), "failed")
    assert len(detail["jobs"]) == 1
    assert detail["error"]["reason"] == "connection_disabled"
    assert made["name"] in detail["error"]["message"]
    first = next(entry for entry in client.log(detail["executionId"]) if entry["level"] == "error")
    assert made["name"] in first["message"] and "disabled" in first["message"]
    client.call("POST", f"/connections/{made['connectionId']}/enable")
    client.finished(client.run(workflow_id), "completed")


def test_publish_names_every_pool_connection_and_parameter_that_does_not_fit(client: Client) -> None:
    made = connection(client, "slack", {}, {"webhookUrl": "https://hooks.example.com/T0/B0/x"})
    document = chain(
        bash("one", "true", pool="nowhere"),
        bash("two", "true", connection="nothing"),
        bash("three", "true", connection=made["name"]),
    )
    workflow_id = client.call("POST", "/workflows", status=201, json=document)["workflowId"]
    problems = client.call("POST", f"/workflows/{workflow_id}/publish", status=422)["errors"]
    assert [problem["path"] for problem in problems] == ["nodes[0].pool", "nodes[1].connection", "nodes[2].connection"]


def test_a_connection_is_tried_out_by_a_real_agent(client: Client, makers: Makers) -> None:
    made = connection(
        client, "postgresql", {"host": "127.0.0.1", "port": 1, "database": "x", "username": "x"}, {"password": "tr0ub4dor&3"}
    )
    answer = client.call("POST", f"/connections/{made['connectionId']}/test")
    assert answer["ok"] is False
    assert "refused" in answer["message"].lower()
    assert answer["agent"]
