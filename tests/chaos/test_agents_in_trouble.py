"""Agents are killed, cut off, frozen and flooded, and so are the parts of the server that they talk to, at moments that a seed
chooses; afterwards a journal of side effects is held against the history.

Every script writes a line when it runs. So an attempt that ran twice, or one that ran and is in no history, cannot hide.
"""

import os
import random
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.remote_agents import Makers, RemoteAgent, Wire, remote_agents, wire_to
from tests.acceptance.systems import Client, Distributed, distributed_system, eventually, sealed_output
from tests.acceptance.test_first_promises import bash, chain
from tests.acceptance.test_kill_nine import check_the_journal, journal_script, mixed_workflow, wait_for_all

SEEDS = [int(seed) for seed in os.environ.get("RUNYARD_CHAOS_SEEDS", "4").split(",")]
"""What happens when is told by the seed: more of them find more, and one of them repeats what it found."""
EXECUTIONS = 80
DISTURBANCES = 8
PATIENT = {"RUNYARD_HEARTBEAT_SECONDS": "1", "RUNYARD_OFFLINE_AFTER_SECONDS": "6", "RUNYARD_RESEND_AFTER_SECONDS": "1"}

pytestmark = pytest.mark.xdist_group("chaos")


@pytest.fixture(scope="module")
def system() -> Iterator[Distributed]:
    with distributed_system(environment=PATIENT) as system:
        yield system


class Trouble:
    """What may go wrong, one at a time: each begins, lasts a moment, and is over."""

    def __init__(self, system: Distributed, agents: list[RemoteAgent], wire: Wire, chance: random.Random) -> None:
        self.system = system
        self.agents = agents
        self.wire = wire
        self.chance = chance
        self.kinds: list[Callable[[], None]] = [
            self.kill_an_agent,
            self.kill_an_agent,
            self.cut_the_wire,
            self.freeze_the_wire,
            self.kill_the_dispatcher,
            self.kill_the_gateway,
            self.drop_every_connection_to_the_broker,
        ]

    def happens(self) -> str:
        kind = self.chance.choice(self.kinds)
        kind()
        return kind.__name__

    def kill_an_agent(self) -> None:
        agent = self.chance.choice(self.agents)
        agent.kill()
        time.sleep(self.chance.choice([0, 0.5]))
        self.start(agent)

    def cut_the_wire(self) -> None:
        self.wire.cut()
        time.sleep(self.chance.choice([0.2, 2, 8]))
        self.wire.mend()

    def freeze_the_wire(self) -> None:
        self.wire.freeze()
        time.sleep(self.chance.choice([0.5, 8]))
        self.wire.mend()

    def kill_the_dispatcher(self) -> None:
        self.system.kill("dispatcher")
        self.system.revive("dispatcher")

    def kill_the_gateway(self) -> None:
        self.system.kill("gateway")
        self.system.revive("gateway")

    def drop_every_connection_to_the_broker(self) -> None:
        rabbit = self.system.deployment.rabbit
        assert rabbit is not None
        rabbit.kill()
        rabbit.start()

    def start(self, agent: RemoteAgent) -> None:
        if agent is self.agents[0]:
            agent.start(self.wire.url, transport="https", wait=False)
        else:
            agent.start(transport="amqp", wait=False)


def agents_of(makers: Makers, pool: str) -> list[RemoteAgent]:
    """The first talks HTTPS over the wire, the others AMQP."""
    return [makers.agent(pool=pool) for _ in range(3)]


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_to_agents_no_attempt_runs_twice_and_none_is_lost(system: Distributed, seed: int) -> None:
    with Client(system) as client, remote_agents(client) as makers, wire_to(system.url) as wire:
        pool, journal, chance = makers.pool(), secrets.token_hex(4), random.Random(seed)
        agents = agents_of(makers, pool)
        trouble = Trouble(system, agents, wire, chance)
        for agent in agents:
            trouble.start(agent)
        for agent in agents:
            agent.until_status("online")
        document = mixed_workflow(client, journal)
        for node in document["nodes"]:
            if node["type"] == "action":
                node |= {"pool": pool, "maxRetries": 20}
        workflow_id = client.publish(document)
        execution_ids: list[str] = []
        happened: list[str] = []
        for number in range(DISTURBANCES):
            count = EXECUTIONS // DISTURBANCES
            execution_ids += [client.run(workflow_id, key=f"{journal}-{number}-{index}") for index in range(count)]
            happened.append(trouble.happens())  # shown by pytest beside a failure
        for agent in agents:
            agent.until_status("online")
        wait_for_all(client, execution_ids)
        check_the_journal(client, journal, execution_ids)
        assert len(happened) == DISTURBANCES


def test_jobs_that_run_while_the_broker_is_away_run_once_and_their_output_is_whole(system: Distributed) -> None:
    """Longer than an agent may be silent: nobody is heard, so nobody is given up."""
    rabbit = system.deployment.rabbit
    assert rabbit is not None
    with Client(system) as client:
        journal = secrets.token_hex(4)
        count = f"{journal_script(client, journal, 0)}; for i in $(seq 2000); do echo $i; sleep 0.003; done"
        workflow_id = client.publish(chain(bash("count", count, maxRetries=3)))
        execution_ids = [client.run(workflow_id) for _ in range(8)]
        lines = system.journal / journal
        eventually(lambda: lines.exists() and len(lines.read_text().splitlines()) == 8, "all jobs to run")
        rabbit.kill()
        time.sleep(9)
        rabbit.start()
        wait_for_all(client, execution_ids)
        check_the_journal(client, journal, execution_ids)
        whole = "".join(f"{i}\n" for i in range(1, 2001))
        for execution_id in execution_ids:
            (job,) = client.detail(execution_id)["jobs"]
            assert job["output"]["stdout"] == whole
            path = f"/executions/{execution_id}/jobs/{job['jobId']}/output?stream=stdout&download=true"
            assert sealed_output(client, path) == whole.encode()


def test_an_agent_whose_clock_is_an_hour_wrong_works_like_any_other(system: Distributed, tmp_path: Path) -> None:
    shifted = "import time\n_now, _now_ns = time.time, time.time_ns\n"
    shifted += "time.time = lambda: _now() + 3600\ntime.time_ns = lambda: _now_ns() + 3_600_000_000_000\n"
    (tmp_path / "sitecustomize.py").write_text(shifted)
    with Client(system) as client, remote_agents(client) as makers:
        for transport in ("https", "amqp"):
            pool = makers.pool()
            agent = makers.agent(pool=pool)
            agent.start(transport=transport, PYTHONPATH=str(tmp_path))
            detail = client.ran(chain(bash("one", "sleep 0.2", pool=pool)), status="completed")
            (job,) = detail["jobs"]
            assert 200 <= job["durationMs"] < 60_000
            assert detail["startedAt"] <= job["queuedAt"] <= job["startedAt"] <= job["finishedAt"] <= detail["finishedAt"]


def test_one_tenants_flood_does_not_keep_another_pools_jobs_waiting(system: Distributed) -> None:
    """Two thousand jobs for an agent that cannot keep up, and ten for another one."""
    with Client(system) as client, remote_agents(client) as makers:
        flooded, calm = makers.pool(), makers.pool()
        makers.agent(pool=flooded).start(transport="amqp", RUNYARD_AGENT_CAPACITY="2")
        makers.agent(pool=calm).start(transport="amqp")
        flood = {
            "id": "flood",
            "type": "forEach",
            "items": "inputs.numbers",
            "concurrency": 500,
            "body": {"nodes": [bash("one", "sleep 0.2", pool=flooded)], "edges": [{"from": "item", "to": "one"}]},
        }
        flood_id = client.run(client.publish(chain(flood)), {"numbers": list(range(2000))})
        client.until(flood_id, lambda row: row["status"] == "running", "the flood to begin")
        workflow_id = client.publish(chain(bash("one", "true", pool=calm)))
        for execution_id in [client.run(workflow_id) for _ in range(10)]:
            client.finished(execution_id, "completed")
        assert client.detail(flood_id)["status"] == "running"
        client.cancel(flood_id, reason="seen enough", force=True)
        client.finished(flood_id, "cancelled")
