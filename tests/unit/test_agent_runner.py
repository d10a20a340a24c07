"""The agent's promises about jobs: which it runs, how often, how many at once, and what it reports."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel
from runyard_agent.actions.base import Action, Context, Outcome
from runyard_agent.app import Agent
from runyard_agent.leases import RecentKeys
from runyard_agent.settings import Settings
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.jobs import ProbeConnection, SessionRefused
from runyard_shared.contracts.values import JobStatus
from runyard_shared.errors import Unavailable
from runyard_shared.messaging.topology import AGENT_STATUS, orchestrator_inbox
from runyard_shared.sealing import OpeningKey, seal

from tests.agents import BreakableBus, Desk, Params, Watched, agent_at, beats, enrolment, until

Start = Callable[..., Coroutine[Any, Any, Watched]]


@pytest.fixture
async def bus() -> AsyncIterator[BreakableBus]:
    bus = BreakableBus()
    await bus.open()
    yield bus
    await bus.close()


@pytest.fixture
async def desk(bus: BreakableBus) -> Desk:
    return await Desk(bus).open()


@pytest.fixture
async def agents() -> AsyncIterator[list[Agent]]:
    """Those that a test starts; they are stopped in the end."""
    agents: list[Agent] = []
    yield agents
    for agent in agents:
        await agent.stop()


@pytest.fixture
def start(desk: Desk, agents: list[Agent]) -> Start:
    """Starts an agent whose only action is `watched`."""

    async def start(**changes: Any) -> Watched:
        watched: list[Watched] = []

        def actions(settings: Settings) -> dict[str, Action[Any]]:
            watched.append(Watched(settings))
            return {"watched": watched[0]}

        agents.append(await agent_at(desk, actions, **changes))
        return watched[0]

    return start


async def test_an_agent_registers_with_what_it_offers_and_then_sends_heartbeats(desk: Desk, start: Start) -> None:
    await start(agent_tags="linux, big", agent_capacity=3)
    await beats(desk)
    registration = desk.registrations[0]
    assert (registration.tags, registration.capacity) == (["linux", "big"], 3)
    assert registration.actions == ["watched"]
    assert {beat.session_id for beat in desk.heartbeats} == {registration.session_id}


async def test_no_action_runs_before_its_start_is_safe(desk: Desk, start: Start) -> None:
    action = await start()
    desk.starts_open.clear()
    job = desk.job("watched")
    await desk.order(job)
    await beats(desk)
    assert action.ran == []
    assert (job.job_id, 1) in desk.heartbeats[-1].leases
    desk.starts_open.set()
    finished = await desk.end_of(job)
    assert action.ran == [job.job_id]
    assert (finished.status, finished.output, finished.agent) == (JobStatus.COMPLETED, {"ran": True}, "agent-1")


async def test_a_list_of_jobs_is_started_with_one_send_for_each_inbox(desk: Desk, start: Start) -> None:
    await start(agent_capacity=50)
    jobs = [desk.job("watched") for _ in range(50)]
    await desk.order(*jobs)
    for job in jobs:
        await desk.end_of(job)
    inboxes = {orchestrator_inbox(job.execution_id) for job in jobs}
    assert len(desk.batches) <= 3 * len(inboxes)
    assert sum(desk.batches) == 100


async def test_an_order_that_comes_again_is_run_once(desk: Desk, start: Start) -> None:
    action = await start()
    job = desk.job("watched")
    action.open.clear()
    await desk.order(job, job)
    await until(lambda: bool(action.ran))
    await desk.order(job)
    action.open.set()
    await desk.end_of(job)
    await desk.order(job)
    await beats(desk)
    assert action.ran == [job.job_id]
    assert (len(desk.starts_of(job)), len(desk.ends_of(job))) == (1, 1)


async def test_an_order_for_another_session_is_never_run(desk: Desk, start: Start) -> None:
    action = await start()
    await desk.order(desk.job("watched", session_id="of an earlier process"))
    await beats(desk)
    assert action.ran == []
    assert desk.reports == []
    assert desk.heartbeats[-1].leases == []


async def test_never_more_jobs_run_than_the_capacity_and_the_rest_waits_its_turn(desk: Desk, start: Start) -> None:
    action = await start(agent_capacity=2)
    action.open.clear()
    jobs = [desk.job("watched") for _ in range(5)]
    await desk.order(*jobs)
    await until(lambda: len(action.running) == 2)
    await beats(desk)
    assert action.ran == [job.job_id for job in jobs[:2]]
    assert sorted(desk.heartbeats[-1].leases) == sorted((job.job_id, 1) for job in jobs)
    action.open.set()
    for job in jobs:
        assert (await desk.end_of(job)).status is JobStatus.COMPLETED
    assert action.most_at_once == 2


async def test_a_job_that_waits_for_a_slot_and_is_cancelled_never_runs(desk: Desk, start: Start) -> None:
    action = await start(agent_capacity=1)
    action.open.clear()
    first, second = desk.job("watched"), desk.job("watched")
    await desk.order(first, second)
    await until(lambda: bool(action.ran))
    await desk.cancel(second)
    assert (await desk.end_of(second)).status is JobStatus.CANCELLED
    action.open.set()
    await desk.end_of(first)
    await beats(desk)
    assert action.ran == [first.job_id]
    assert desk.starts_of(second) == []


async def test_a_job_cancelled_while_its_start_is_under_way_never_runs(desk: Desk, start: Start) -> None:
    action = await start()
    desk.starts_open.clear()
    job = desk.job("watched")
    await desk.order(job)
    await desk.cancel(job)
    await beats(desk)
    desk.starts_open.set()
    assert (await desk.end_of(job)).status is JobStatus.CANCELLED
    assert action.ran == []


async def test_a_cancel_that_overtakes_its_order_wins(desk: Desk, start: Start) -> None:
    action = await start()
    job = desk.job("watched")
    await desk.cancel(job)
    await desk.order(job)
    assert (await desk.end_of(job)).status is JobStatus.CANCELLED
    assert action.ran == []


async def test_a_running_job_is_cancelled_only_by_force(desk: Desk, start: Start) -> None:
    action = await start()
    action.open.clear()
    job = desk.job("watched")
    await desk.order(job)
    await until(lambda: bool(action.running))
    await desk.cancel(job)
    await beats(desk)
    assert action.running == {job.job_id}
    await desk.cancel(job, force=True)
    finished = await desk.end_of(job)
    assert (finished.status, finished.error) == (JobStatus.CANCELLED, None)
    assert action.running == set()


async def test_the_timeout_counts_from_the_start_of_the_action_and_frees_the_slot(desk: Desk, start: Start) -> None:
    action = await start(agent_capacity=1)
    action.open.clear()
    slow, next_job = desk.job("watched", timeout_seconds=0.2), desk.job("watched", timeout_seconds=5)
    await desk.order(slow, next_job)
    finished = await desk.end_of(slow)
    assert (finished.status, finished.error and finished.error.reason) == (JobStatus.TIMEOUT, "timeout")
    assert finished.duration_ms >= 200
    action.open.set()
    assert (await desk.end_of(next_job)).status is JobStatus.COMPLETED


async def test_a_refused_session_is_replaced_and_its_waiting_jobs_are_forgotten(desk: Desk, start: Start) -> None:
    action = await start(agent_capacity=1)
    action.open.clear()
    running, waiting = desk.job("watched"), desk.job("watched")
    old = desk.session_id
    await desk.order(running, waiting)
    await until(lambda: bool(action.running))
    await desk.order(SessionRefused(session_id=old, reason="silent for 30 s"))
    await until(lambda: len(desk.registrations) == 2)
    assert desk.session_id != old
    assert desk.registrations[-1].leases == []
    action.open.set()
    assert (await desk.end_of(running)).dispatch == 1
    again = desk.job("watched", job_id=waiting.job_id, execution_id=waiting.execution_id, dispatch=2)
    await desk.order(again)
    assert (await desk.end_of(again)).dispatch == 2
    assert action.ran == [running.job_id, waiting.job_id]


async def test_a_refusal_of_an_earlier_session_changes_nothing(desk: Desk, start: Start) -> None:
    await start()
    await desk.order(SessionRefused(session_id="an earlier one", reason="void"))
    await beats(desk)
    assert len(desk.registrations) == 1


async def test_a_start_reported_for_a_session_refused_meanwhile_is_not_followed_by_a_run(desk: Desk, start: Start) -> None:
    action = await start()
    desk.starts_open.clear()
    job = desk.job("watched")
    await desk.order(job)
    await beats(desk, 1)
    await desk.order(SessionRefused(session_id=desk.session_id, reason="silent"))
    await until(lambda: len(desk.registrations) == 2)
    desk.starts_open.set()
    await beats(desk)
    assert action.ran == []
    assert desk.ends_of(job) == []


async def test_a_reconnected_agent_registers_again_with_its_leases_in_the_same_session(
    bus: BreakableBus, desk: Desk, start: Start
) -> None:
    action = await start()
    action.open.clear()
    job = desk.job("watched")
    await desk.order(job)
    await until(lambda: bool(action.running))
    bus.away = True
    await bus.come_back()
    await until(lambda: len(desk.registrations) == 2)
    assert desk.registrations[1].session_id == desk.registrations[0].session_id
    assert desk.registrations[1].leases == [(job.job_id, 1)]
    action.open.set()


async def test_without_the_broker_nothing_new_is_started_and_running_jobs_go_on(
    bus: BreakableBus, desk: Desk, start: Start, agents: list[Agent]
) -> None:
    action = await start(agent_capacity=1, enrolled=enrolment(offline_after_seconds=0.3))
    action.open.clear()
    running, waiting = desk.job("watched"), desk.job("watched")
    await desk.order(running, waiting)
    await until(lambda: bool(action.running))
    bus.away = True
    await until(lambda: agents[0].health()["session"] is not None)
    assert "no job is started" in (agents[0].health()["session"] or "")
    action.open.set()
    await until(lambda: not action.running)
    late = desk.job("watched")
    await desk.order(late)
    await until(lambda: agents[0].health()["session"] is not None)
    assert action.ran == [running.job_id]
    bus.away = False
    assert (await desk.end_of(running)).status is JobStatus.COMPLETED
    await until(lambda: agents[0].health()["session"] is None)
    assert action.ran == [running.job_id]
    assert desk.registrations[-1].leases == []
    await desk.order(waiting)  # on its way since before: it may have been given to another
    await beats(desk)
    assert action.ran == [running.job_id]
    await desk.order(desk.again(waiting))
    assert (await desk.end_of(waiting)).status is JobStatus.COMPLETED


class SlowStatusBus(BreakableBus):
    """Heartbeats can be refused, and then be held on their way."""

    def __init__(self) -> None:
        super().__init__()
        self.refuses = False
        self.passes = asyncio.Event()
        self.passes.set()
        self.held = 0

    async def send(self, queue: str, items: Sequence[Any]) -> None:
        if queue == AGENT_STATUS:
            if self.refuses:
                raise Unavailable("the queue takes nothing")
            if not self.passes.is_set():
                self.held += 1
            await self.passes.wait()
        await super().send(queue, items)


async def test_a_heartbeat_that_was_on_its_way_for_too_long_does_not_let_an_old_job_start() -> None:
    bus = SlowStatusBus()
    await bus.open()
    desk = await Desk(bus).open()
    watched: list[Watched] = []

    def actions(settings: Settings) -> dict[str, Action[Any]]:
        watched.append(Watched(settings))
        return {"watched": watched[0]}

    agent = await agent_at(desk, actions, enrolled=enrolment(offline_after_seconds=1.2))
    await beats(desk, 1)
    desk.starts_open.clear()
    job = desk.job("watched")
    await desk.order(job)
    bus.refuses = True  # the contact lapses 0.8 s from here, and heartbeats are tried every 0.5 s
    await asyncio.sleep(0.3)
    bus.passes.clear()
    bus.refuses = False
    await until(lambda: bus.held > 0)
    await asyncio.sleep(0.5)
    bus.passes.set()
    await beats(desk, 2)
    desk.starts_open.set()
    await until(lambda: len(desk.registrations) == 2)
    await beats(desk, 3)
    assert agent.health()["session"] is None
    assert watched[0].ran == []
    assert desk.heartbeats[-1].leases == []
    assert [each.contact for each in desk.registrations] == [0, 1]
    await agent.stop()
    await bus.close()


async def test_a_job_whose_start_was_on_its_way_when_the_contact_was_lost_never_runs(
    bus: BreakableBus, desk: Desk, start: Start
) -> None:
    action = await start(enrolled=enrolment(offline_after_seconds=0.3))
    desk.starts_open.clear()
    job = desk.job("watched")
    await desk.order(job)
    await beats(desk, 1)
    bus.away = True
    await asyncio.sleep(0.4)
    await bus.come_back()
    desk.starts_open.set()
    await beats(desk)
    assert action.ran == []
    assert desk.ends_of(job) == []
    await desk.order(desk.again(job))
    assert (await desk.end_of(job)).status is JobStatus.COMPLETED


async def test_a_revoked_agent_stops_its_jobs_takes_nothing_more_and_says_nothing_more(
    desk: Desk, start: Start, agents: list[Agent]
) -> None:
    action = await start(agent_capacity=1)
    action.open.clear()
    running, waiting = desk.job("watched"), desk.job("watched")
    await desk.order(running, waiting)
    await until(lambda: bool(action.running))
    await desk.order(SessionRefused(session_id=desk.session_id, reason="its key was revoked", revoked=True))
    await asyncio.wait_for(agents[0].revoked.wait(), 30)
    assert action.running == set()
    seen = len(desk.statuses)
    await desk.order(desk.job("watched"))
    await asyncio.sleep(0.2)
    assert action.ran == [running.job_id]
    assert len(desk.statuses) == seen
    assert agents[0].health()["enrolment"] == "revoked: its key was revoked"
    await agents.pop().stop()
    assert desk.farewells == []


@pytest.mark.parametrize(
    ("kind", "ok", "words"),
    [("secrets", True, "this agent can open it"), ("telepathy", False, "cannot try connections of the kind 'telepathy' out")],
)
async def test_a_connection_is_tried_out_and_the_answer_has_no_secret(desk: Desk, kind: str, ok: bool, words: str) -> None:
    key = OpeningKey.generate()
    agent = await agent_at(desk, lambda settings: {}, key=key)
    connection = OpenedConnection(name="c", kind=kind, config={}, secrets={"token": "telepathy" if not ok else "hunter22"})
    box = seal(key.public, msgspec.json.encode(connection))
    await desk.order(*(ProbeConnection(probe_id="p1", sealed_connection=box) for _ in range(2)))
    await until(lambda: bool(desk.probed))
    (probed,) = desk.probed
    assert (probed.probe_id, probed.ok, probed.session_id) == ("p1", ok, desk.session_id)
    assert words.replace("telepathy", "***") in probed.message
    await desk.order(ProbeConnection(probe_id="p2", sealed_connection=box[:-1] + b"x"))
    await until(lambda: len(desk.probed) == 2)
    assert not desk.probed[1].ok
    assert "made for another key" in desk.probed[1].message
    await agent.stop()


async def test_an_agent_announces_the_action_types_that_did_not_come_with_runyard(desk: Desk, start: Start) -> None:
    await start()
    (announced,) = desk.registrations[0].action_types
    assert (announced.type, announced.description) == (
        "watched",
        "Counts its runs by job; while `open` is cleared, they do not end.",
    )
    assert announced.params["type"] == "object"


async def test_a_result_waits_for_the_broker_and_is_delivered_once(bus: BreakableBus, desk: Desk, start: Start) -> None:
    action = await start()
    action.open.clear()
    job = desk.job("watched")
    await desk.order(job)
    await until(lambda: bool(action.running))
    bus.away = True
    action.open.set()
    await until(lambda: not action.running)
    assert desk.ends_of(job) == []
    bus.away = False
    await desk.end_of(job)
    await beats(desk)
    assert len(desk.ends_of(job)) == 1
    assert desk.heartbeats[-1].leases == []


async def test_a_stopping_agent_lets_running_jobs_end_and_gives_the_others_back(
    desk: Desk, start: Start, agents: list[Agent]
) -> None:
    action = await start(agent_capacity=1)
    action.open.clear()
    running, waiting = desk.job("watched"), desk.job("watched")
    await desk.order(running, waiting)
    await until(lambda: bool(action.running))
    stopping = asyncio.create_task(agents.pop().stop())
    await beats(desk)
    await desk.order(desk.job("watched"))
    action.open.set()
    await stopping
    assert desk.ends_of(running)[0].status is JobStatus.COMPLETED
    assert action.ran == [running.job_id]
    assert desk.farewells[0].session_id == desk.session_id
    assert desk.ends_of(waiting) == []


async def test_a_job_whose_start_is_on_its_way_when_the_agent_stops_runs_to_its_end(
    desk: Desk, start: Start, agents: list[Agent]
) -> None:
    action = await start()
    desk.starts_open.clear()
    job = desk.job("watched")
    await desk.order(job)
    await until(lambda: bool(desk.batches))
    stopping = asyncio.create_task(agents.pop().stop())
    await beats(desk)
    desk.starts_open.set()
    await stopping
    assert action.ran == [job.job_id]
    assert desk.ends_of(job)[0].status is JobStatus.COMPLETED


async def test_a_stopping_agent_stops_what_does_not_end_in_its_grace_time(
    desk: Desk, start: Start, agents: list[Agent]
) -> None:
    action = await start(stop_grace_seconds=0.1)
    action.open.clear()
    job = desk.job("watched")
    await desk.order(job)
    await until(lambda: bool(action.running))
    await agents.pop().stop()
    finished = desk.ends_of(job)[0]
    assert (finished.status, finished.error and finished.error.reason) == (JobStatus.FAILED, "agent_stopped")
    assert len(desk.farewells) == 1


async def test_a_second_process_of_the_same_name_waits_until_the_first_is_gone(
    desk: Desk, start: Start, agents: list[Agent]
) -> None:
    await start()
    second = asyncio.create_task(start())
    await beats(desk)
    assert not second.done()
    await agents.pop().stop()
    await second
    await until(lambda: len({registration.session_id for registration in desk.registrations}) == 2)


class Picky(BaseModel):
    host: str
    port: int


class Faulty(Action[Params]):
    """Ends as its parameters say."""

    params = Params

    async def run(self, params: Params, context: Context) -> Outcome:
        match (params.model_extra or {})["end"]:
            case "raise":
                raise LookupError("the disk is on fire")
            case "no json":
                return Outcome.completed({"value": object()})
            case "half a character":
                return Outcome.completed({"value": "\ud800"})
            case _:
                return Outcome.completed({"value": "x" * 2_000_000})


class Typed(Action[Picky]):
    params = Picky

    async def run(self, params: Picky, context: Context) -> Outcome:
        return Outcome.completed(params.model_dump())


@pytest.fixture
async def faulty(desk: Desk, agents: list[Agent]) -> None:
    agents.append(await agent_at(desk, lambda settings: {"faulty": Faulty(settings), "typed": Typed(settings)}))


@pytest.mark.usefixtures("faulty")
@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("raise", "LookupError: the disk is on fire"),
        ("no json", "cannot be written as JSON"),
        ("half a character", "cannot be written as JSON"),
        ("too much", "bytes is more than"),
    ],
)
async def test_an_action_that_goes_wrong_is_a_failed_job_and_the_agent_goes_on(desk: Desk, end: str, words: str) -> None:
    finished = await desk.run("faulty", {"end": end})
    assert finished.status is JobStatus.FAILED
    assert finished.error is not None
    assert finished.error.reason == "exception"
    assert words in finished.error.message
    assert (finished.error.node_id, finished.error.action_type) == ("node", "faulty")
    assert (await desk.run("typed", {"host": "a", "port": 1})).status is JobStatus.COMPLETED


@pytest.mark.usefixtures("faulty")
async def test_bad_parameters_fail_the_job_naming_all_problems_at_once(desk: Desk) -> None:
    finished = await desk.run("typed", {"port": "many"})
    assert finished.error is not None
    assert finished.error.reason == "invalid_params"
    assert "host: Field required" in finished.error.message
    assert "port: Input should be a valid integer" in finished.error.message


@pytest.mark.usefixtures("faulty")
async def test_an_unknown_action_fails_the_job_and_says_what_there_is(desk: Desk) -> None:
    finished = await desk.run("kubernetes.scaleDeployment")
    assert finished.error is not None
    assert finished.error.reason == "unknown_action"
    assert "it has faulty, typed" in finished.error.message


@pytest.mark.usefixtures("faulty")
async def test_a_job_with_a_connection_is_not_run_without_it(desk: Desk) -> None:
    finished = await desk.run("typed", {"host": "a", "port": 1}, connection="web-hosts")
    assert finished.status is JobStatus.FAILED
    assert "'web-hosts'" in (finished.error.message if finished.error else "")


def test_ended_leases_are_remembered_while_the_dispatcher_repeats_them() -> None:
    keys = RecentKeys(seconds=0)
    keys.add(("repeated", 1))
    keys.add(("forgotten", 1))
    for turn in range(3):
        for number in range(20_001):
            keys.add((f"{turn} {number}", 1))
        assert ("repeated", 1) in keys
    assert ("forgotten", 1) not in keys
