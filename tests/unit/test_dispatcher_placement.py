"""Which waiting job gets which free slot: the rules, and the properties that hold whatever comes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runyard_dispatcher.agents import Agent
from runyard_dispatcher.jobs import Job, demand_of
from runyard_dispatcher.lifecycle import AgentStatus
from runyard_dispatcher.placement import Placement
from runyard_dispatcher.pools import Pool
from runyard_dispatcher.reason import waiting_reason
from runyard_shared.contracts.jobs import PlaceJob

AT = datetime(2026, 11, 22, tzinfo=UTC)


def an_agent(
    name: str, *, pool: str = "default", tags: Sequence[str] = (), capacity: int = 1, online: bool = True, health: int = 100
) -> Agent:
    return Agent(
        agent_id=name,
        tenant_id="default",
        name=name,
        pool=pool,
        created_at=AT,
        announced_tags=frozenset(tags),
        capacity=capacity,
        session_id=f"session of {name}",
        status=AgentStatus.ONLINE if online else AgentStatus.OFFLINE,
        health=health,
    )


def a_job(
    job_id: str, execution_id: str = "x", *, pool: str = "default", agent: str | None = None, tags: Sequence[str] = ()
) -> Job:
    order = PlaceJob(
        position=1,
        tenant_id="default",
        execution_id=execution_id,
        job_id=job_id,
        node_id="n",
        attempt=1,
        action="script.bash",
        params={},
        pool=pool,
        agent=agent,
        tags=list(tags),
    )
    return Job(order, demand_of(order), AT)


def placement_of(agents: Sequence[Agent], jobs: Sequence[Job] = ()) -> Placement:
    placement = Placement()
    for agent in agents:
        placement.add_agent(agent)
    for job in jobs:
        placement.wait(job)
    return placement


def assigned(placement: Placement) -> list[tuple[str, str]]:
    return [(job.order.job_id, agent.name) for job, agent in placement.assign()]


def release(placement: Placement, agent: Agent, job_id: str) -> None:
    del agent.leases[job_id]
    placement.touch(agent)


def test_the_job_goes_to_the_healthiest_agent_even_if_that_one_is_busier() -> None:
    well, ill = an_agent("well", capacity=4, health=95), an_agent("ill", capacity=4, health=40)
    placement = placement_of([ill, well], [a_job(f"j{n}") for n in range(5)])
    assert [agent for _, agent in assigned(placement)] == ["well", "well", "well", "well", "ill"]


def test_equally_healthy_agents_are_filled_evenly_by_their_share_of_free_slots() -> None:
    big, small = an_agent("big", capacity=6, health=100), an_agent("small", capacity=2, health=93)
    placement = placement_of([small, big], [a_job(f"j{n}") for n in range(4)])
    assigned(placement)
    assert (len(big.leases), len(small.leases)) == (3, 1)


def test_a_named_agent_gets_the_job_whatever_pool_it_is_in() -> None:
    placement = placement_of([an_agent("a"), an_agent("b", pool="db")], [a_job("j", agent="b")])
    assert assigned(placement) == [("j", "b")]


def test_all_tags_must_match() -> None:
    placement = placement_of([an_agent("a", tags=["linux"]), an_agent("b", tags=["linux", "gpu"])])
    placement.wait(a_job("j", tags=["gpu", "linux"]))
    assert assigned(placement) == [("j", "b")]


def test_three_jobs_of_one_execution_are_not_starved_by_a_thousand_of_another() -> None:
    agent = an_agent("a")
    placement = placement_of([agent], [a_job(f"many-{n}", "many") for n in range(1000)])
    for n in range(3):
        placement.wait(a_job(f"few-{n}", "few"))
    order = []
    for _ in range(6):
        ((job_id, _),) = assigned(placement)
        order.append(job_id)
        release(placement, agent, job_id)
    assert order == ["many-0", "few-0", "many-1", "few-1", "many-2", "few-2"]


def test_a_line_that_opens_again_and_again_does_not_starve_one_that_has_waited_longer() -> None:
    agent = an_agent("a", tags=["gpu"])
    placement = placement_of([agent], [a_job(f"plain-{n}", "plain") for n in range(3)])
    served = []
    for n in range(6):
        placement.wait(a_job(f"gpu-{n}", f"gpu {n}", tags=["gpu"]))
        ((job_id, _),) = assigned(placement)
        served.append(job_id)
        release(placement, agent, job_id)
    assert [job_id for job_id in served if job_id.startswith("plain")] == ["plain-0", "plain-1", "plain-2"]


def test_a_job_whose_agent_was_lost_comes_before_the_others_of_its_line() -> None:
    agent = an_agent("a")
    placement = placement_of([agent], [a_job("j1"), a_job("j2", "other")])
    placement.wait(a_job("again", "third"), first=True)
    assert assigned(placement) == [("again", "a")]


def test_ten_thousand_waiting_jobs_cost_a_freed_slot_nothing() -> None:
    agent = an_agent("a")
    placement = placement_of([agent], [a_job(f"j{n}", f"x{n % 500}") for n in range(10_000)])
    few = an_agent("b", pool="few")
    placement.add_agent(few)
    for n in range(200):
        placement.wait(a_job(f"few{n}", f"x{n % 10}", pool="few"))

    def seconds_for_twenty_slots(agent: Agent) -> float:
        best = float("inf")
        for _ in range(3):
            begin = perf_counter()
            for _ in range(20):
                placement.assign()
                release(placement, agent, next(iter(agent.leases)))
            best = min(best, perf_counter() - begin)
        return best

    assert seconds_for_twenty_slots(agent) < 20 * seconds_for_twenty_slots(few)


TAGS = ["linux", "gpu"]


@dataclass(frozen=True)
class Step:
    what: str
    number: int


agents_of_two_pools = st.lists(
    st.builds(
        lambda pool, tags, capacity, online, health: (pool, tags, capacity, online, health),
        st.sampled_from(["default", "db"]),
        st.sets(st.sampled_from(TAGS)),
        st.integers(0, 3),
        st.booleans(),
        st.integers(0, 100),
    ),
    max_size=4,
)
jobs_of_three_executions = st.lists(
    st.tuples(
        st.sampled_from(["x", "y", "z"]),
        st.sampled_from(["default", "db"]),
        st.sampled_from([None, None, "a0", "a9"]),
        st.sets(st.sampled_from(TAGS)),
    ),
    max_size=25,
)
steps = st.lists(
    st.builds(Step, st.sampled_from(["assign", "release", "leave", "offline", "online"]), st.integers(0, 1000)), max_size=40
)


def matches(job: Job, agent: Agent) -> bool:
    place = agent.pool == job.order.pool if job.order.agent is None else agent.name == job.order.agent
    return place and agent.tags.issuperset(job.order.tags)


@given(agents_of_two_pools, jobs_of_three_executions, steps)
def test_slots_are_never_overfilled_never_wrong_and_never_idle(
    agent_facts: list[tuple[str, set[str], int, bool, int]],
    job_facts: list[tuple[str, str, str | None, set[str]]],
    then: list[Step],
) -> None:
    agents = [
        an_agent(f"a{n}", pool=pool, tags=sorted(tags), capacity=capacity, online=online, health=health)
        for n, (pool, tags, capacity, online, health) in enumerate(agent_facts)
    ]
    placement = placement_of(agents)
    coming = [
        a_job(f"j{n}", execution, pool=pool, agent=agent, tags=sorted(tags))
        for n, (execution, pool, agent, tags) in enumerate(job_facts)
    ]
    waiting: list[Job] = []

    def assign() -> None:
        for job, agent in placement.assign():
            waiting.remove(job)
            assert agent.online
            assert matches(job, agent)
            assert agent.leases[job.order.job_id] is job
        assert all(len(agent.leases) <= agent.capacity for agent in agents)
        idle = [(job, agent) for job in waiting for agent in agents if agent.free > 0 and matches(job, agent)]
        assert not idle
        assert set(placement.demands()) == {job.demand for job in waiting}

    for step in then:
        if coming:
            job = coming.pop(0)
            waiting.append(job)
            placement.wait(job, first=step.number % 5 == 0)
        agent = agents[step.number % len(agents)] if agents else None
        if step.what == "release" and agent is not None and agent.leases:
            release(placement, agent, sorted(agent.leases)[step.number % len(agent.leases)])
        elif step.what == "leave" and waiting:
            placement.leave(waiting.pop(step.number % len(waiting)))
        elif step.what == "offline" and agent is not None:
            agent.status = AgentStatus.OFFLINE
            agent.leases.clear()
        elif step.what == "online" and agent is not None:
            agent.status = AgentStatus.ONLINE
            placement.touch(agent)
        assign()
    for job in coming:
        waiting.append(job)
        placement.wait(job)
    assign()


@given(jobs_of_three_executions, st.integers(1, 5))
def test_no_execution_of_a_line_is_two_turns_ahead_of_another_that_waits(
    job_facts: list[tuple[str, str, str | None, set[str]]], capacity: int
) -> None:
    jobs = [a_job(f"j{n}", execution) for n, (execution, *_) in enumerate(job_facts)]
    agent = an_agent("a", capacity=capacity)
    placement = placement_of([agent], jobs)
    left = {execution: sum(job.order.execution_id == execution for job in jobs) for execution in "xyz"}
    served = dict.fromkeys("xyz", 0)
    while pairs := placement.assign():
        for job, _ in pairs:
            served[job.order.execution_id] += 1
            left[job.order.execution_id] -= 1
            behind = [served[execution] for execution in "xyz" if left[execution]]
            assert not behind or served[job.order.execution_id] <= min(behind) + 1
        for job_id in list(agent.leases):
            release(placement, agent, job_id)


@given(agents_of_two_pools, jobs_of_three_executions)
def test_the_same_agents_and_jobs_give_the_same_assignments(
    agent_facts: list[tuple[str, set[str], int, bool, int]], job_facts: list[tuple[str, str, str | None, set[str]]]
) -> None:
    def once(backwards: bool) -> list[tuple[str, str]]:
        agents = [
            an_agent(f"a{n}", pool=pool, tags=sorted(tags), capacity=capacity, online=online, health=health)
            for n, (pool, tags, capacity, online, health) in enumerate(agent_facts)
        ]
        jobs = [
            a_job(f"j{n}", execution, pool=pool, agent=agent, tags=sorted(tags))
            for n, (execution, pool, agent, tags) in enumerate(job_facts)
        ]
        return assigned(placement_of(agents[::-1] if backwards else agents, jobs))

    assert once(backwards=False) == once(backwards=True)


def busy(agent: Agent) -> Agent:
    agent.leases.update({f"{agent.name}-{n}": a_job(f"{agent.name}-{n}") for n in range(agent.capacity)})
    return agent


@pytest.mark.parametrize(
    ("job", "agents", "reason"),
    [
        (a_job("j", pool="db"), [], "there is no agent in pool db"),
        (
            a_job("j", pool="db"),
            [an_agent("a", online=False), an_agent("b", online=False)],
            "waiting for an agent in pool db: 0 of 2 online",
        ),
        (
            a_job("j", pool="db"),
            [busy(an_agent("a", capacity=4)), busy(an_agent("b", capacity=4))],
            "all 2 agents of pool db are busy (8 of 8 slots)",
        ),
        (a_job("j", pool="db"), [busy(an_agent("a", capacity=4))], "the only agent of pool db is busy (4 of 4 slots)"),
        (
            a_job("j", pool="db"),
            [busy(an_agent("a", capacity=4)), an_agent("b", online=False)],
            "the only online agent of pool db is busy (4 of 4 slots), 1 is offline",
        ),
        (
            a_job("j", pool="db", tags=["gpu"]),
            [an_agent("a"), an_agent("b")],
            "waiting for an agent in pool db with tag gpu: none of its 2 agents fits",
        ),
        (
            a_job("j", pool="db", tags=["gpu"]),
            [an_agent("a"), an_agent("b", tags=["gpu"], online=False)],
            "waiting for an agent in pool db with tag gpu: 0 of 1 online",
        ),
        (a_job("j", agent="a"), [], "there is no agent a"),
        (a_job("j", agent="a"), [an_agent("a", online=False)], "waiting for agent a: it is offline"),
        (a_job("j", agent="a"), [busy(an_agent("a", capacity=2))], "agent a is busy (2 of 2 slots)"),
        (a_job("j", agent="a", tags=["gpu", "x"]), [an_agent("a", tags=["x"])], "agent a does not have tag gpu"),
    ],
)
def test_the_reason_why_a_job_waits_is_said_in_words(job: Job, agents: list[Agent], reason: str) -> None:
    assert waiting_reason(job.demand, agents, {}) == reason


def test_why_nothing_goes_to_agents_that_drain_or_to_a_pool_that_is_paused() -> None:
    def drained(name: str) -> Agent:
        agent = an_agent(name, pool="db")
        agent.drained = True
        return agent

    job = a_job("j", pool="db")
    agents = [drained("a"), drained("b"), an_agent("c", pool="db", online=False)]
    assert waiting_reason(job.demand, agents, {}) == "all 2 online agents of pool db are draining, 1 is offline"
    agents = [drained("a"), busy(an_agent("b", pool="db"))]
    reason = "the only online agent of pool db is busy (1 of 1 slots), 1 is draining"
    assert waiting_reason(job.demand, agents, {}) == reason
    assert waiting_reason(a_job("j", agent="a").demand, [drained("a")], {}) == "agent a is draining"
    paused = Pool("p", "default", "db", AT, paused_by="alice", pause_reason="disk is full")
    pools = {("default", "db"): paused}
    assert waiting_reason(job.demand, agents, pools) == "pool db is paused by alice: disk is full"
    assert waiting_reason(a_job("j", agent="a").demand, [drained("a")], pools) == "pool db is paused by alice: disk is full"
    paused.pause_reason = ""
    assert waiting_reason(job.demand, [], pools) == "pool db is paused by alice"


def test_neither_a_drained_agent_nor_one_of_a_paused_pool_gets_a_job() -> None:
    drained, held, well = an_agent("drained"), an_agent("held"), an_agent("well")
    drained.drained = held.held = True
    placement = placement_of([drained, held, well], [a_job(f"j{n}") for n in range(3)])
    assert assigned(placement) == [("j0", "well")]
