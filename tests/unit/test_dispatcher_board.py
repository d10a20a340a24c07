"""What orders and agents' messages do to the board: leases, their loss, cancelling, sessions, and every message twice."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from runyard_dispatcher.agents import Agent
from runyard_dispatcher.board import Board, Changes
from runyard_dispatcher.commands import Commands
from runyard_dispatcher.happening import Asked, Happening
from runyard_dispatcher.lifecycle import AgentStatus, JobState
from runyard_dispatcher.orders import take_orders
from runyard_dispatcher.pools import Pool
from runyard_dispatcher.sessions import SessionStatus, hear, notice_silence
from runyard_dispatcher.settings import Patience
from runyard_dispatcher.vault import Vault
from runyard_shared.contracts.commands import (
    ChangeAgent,
    Command,
    DrainAgent,
    PausePool,
    ResumeAgent,
    ResumePool,
    RevokeAgent,
)
from runyard_shared.contracts.events import AgentOffline, AgentRegistered
from runyard_shared.contracts.jobs import (
    AgentHeartbeat,
    AgentOrder,
    AgentStopping,
    CancelJob,
    Order,
    PlaceJob,
    RegisterAgent,
    ReleaseJob,
    RequeueJob,
    RunJob,
    SessionRefused,
    WithdrawJob,
)
from runyard_shared.contracts.reports import JobDispatched, JobLost, JobRefused, JobWithdrawn
from runyard_shared.errors import Refusal

AT = datetime(2026, 11, 22, tzinfo=UTC)
PATIENCE = Patience(heartbeat_seconds=10, offline_after_seconds=30, resend_after_seconds=5)


class Table:
    """A board, a clock and the next log position, with short ways to say what happens."""

    def __init__(self) -> None:
        self.board = Board()
        self.board.pools["default", "db"] = Pool("p", "default", "db", AT)
        self.now = AT
        self.positions = count(1)
        self.ignored: list[Order] = []

    def orders(self, *orders: Order) -> Changes:
        self.ignored = take_orders(self.board, orders, self.now)
        return self.end_turn()

    def place(self, *job_ids: str, execution_id: str = "x", pool: str = "default") -> Changes:
        return self.orders(*(self.place_job(job_id, execution_id, pool) for job_id in job_ids))

    def place_job(self, job_id: str, execution_id: str = "x", pool: str = "default") -> PlaceJob:
        return PlaceJob(
            position=next(self.positions),
            tenant_id="default",
            execution_id=execution_id,
            job_id=job_id,
            node_id="n",
            attempt=1,
            action="script.bash",
            params={"script": "true"},
            pool=pool,
        )

    def release(self, job_id: str) -> Changes:
        return self.orders(ReleaseJob(position=next(self.positions), job_id=job_id))

    def requeue(self, job_id: str, dispatch: int) -> Changes:
        return self.orders(RequeueJob(position=next(self.positions), job_id=job_id, dispatch=dispatch))

    def withdraw(self, job_id: str, *, force: bool = False) -> Changes:
        return self.orders(WithdrawJob(position=next(self.positions), job_id=job_id, force=force))

    def register(self, name: str = "a", session_id: str = "s1", capacity: int = 1, pool: str = "default") -> Changes:
        """Of an agent that is there and has enrolled, or does so first."""
        if ("default", name) not in self.board.agents:
            self.board.add_agent(an_enrolled_agent(name, pool))
        return self.hear(registration(name, session_id, capacity))

    def heartbeat(self, name: str = "a", session_id: str = "s1", leases: Sequence[tuple[str, int]] = ()) -> Changes:
        return self.hear(AgentHeartbeat(tenant_id="default", name=name, session_id=session_id, leases=list(leases)))

    def hear(self, status: SessionStatus) -> Changes:
        self.happening = hear(self.board, status, self.now, PATIENCE)
        return self.end_turn()

    def ask(self, what: str, name: str) -> Changes:
        """What people do, if there is such an agent and it may be done."""
        agent_id = f"id of {name}"
        commands: dict[str, Command] = {
            "drain": DrainAgent(agent_id=agent_id),
            "resume": ResumeAgent(agent_id=agent_id),
            "pause": PausePool(pool="default"),
            "unpause": ResumePool(pool="default"),
            "revoke": RevokeAgent(agent_id=agent_id),
            "move": ChangeAgent(agent_id=agent_id, pool="db"),
        }
        command = commands[what]
        with suppress(Refusal):
            Commands(Vault()).carry_out(
                self.board, Asked("default", "alice", f"request {next(self.positions)}", self.now), command
            )
        return self.end_turn()

    def silence(self, seconds: float) -> tuple[list[Happening], Changes]:
        happenings = notice_silence(self.board, seconds, self.now, PATIENCE)
        return happenings, self.end_turn()

    def end_turn(self) -> Changes:
        self.board.lease_waiting(self.now)
        return self.board.take_changes()


def an_enrolled_agent(name: str, pool: str = "default") -> Agent:
    return Agent(
        agent_id=f"id of {name}",
        tenant_id="default",
        name=name,
        pool=pool,
        created_at=AT,
        key_hash=f"hash of the key of {name}",
        public_key=bytes(32),
        status=AgentStatus.OFFLINE,
    )


def registration(name: str, session_id: str, capacity: int = 1) -> RegisterAgent:
    return RegisterAgent(
        tenant_id="default",
        name=name,
        session_id=session_id,
        tags=[],
        capacity=capacity,
        version="1",
        actions=["script.bash"],
    )


def runs(changes: Changes, name: str = "a") -> list[tuple[str, int, str]]:
    """(job, dispatch, session) of the RunJobs to the agent."""
    orders = changes.orders.get(f"agent.default.{name}", [])
    return [(order.job_id, order.dispatch, order.session_id) for order in orders if isinstance(order, RunJob)]


def to_agent(changes: Changes, name: str = "a") -> list[AgentOrder]:
    return list(changes.orders.get(f"agent.default.{name}", []))


def dispatches(table: Table, *, later: bool = True) -> list[JobDispatched]:
    """The dispatches that are reported by now, or a moment later."""
    table.board.tell_dispatches(table.now + timedelta(seconds=1) if later else table.now)
    return [report for report in table.board.take_changes().reports if isinstance(report, JobDispatched)]


@pytest.fixture
def table() -> Table:
    return Table()


def test_a_job_is_leased_to_a_free_agent_which_is_told_and_so_is_the_execution(table: Table) -> None:
    table.register()
    changes = table.place("j")
    assert runs(changes) == [("j", 1, "s1")]
    assert changes.reports == []
    assert changes.position == 1


def test_a_dispatch_is_reported_only_if_the_job_is_still_leased_a_moment_later(table: Table) -> None:
    table.register(capacity=2)
    table.place("j")
    table.place("ended")
    table.release("ended")
    assert dispatches(table, later=False) == []
    assert dispatches(table) == [JobDispatched(tenant_id="default", execution_id="x", job_id="j", dispatch=1, agent="a")]
    assert dispatches(table) == []


def test_a_job_without_an_agent_waits_with_its_reason_and_goes_to_the_first_that_comes(table: Table) -> None:
    changes = table.place("j", pool="db")
    assert list(changes.reasons.values()) == ["there is no agent in pool db"]
    assert not changes.reports
    assert runs(table.register(pool="db")) == [("j", 1, "s1")]


def test_a_released_job_gives_its_slot_to_the_next(table: Table) -> None:
    table.register()
    assert runs(table.place("j1", "j2")) == [("j1", 1, "s1")]
    changes = table.release("j1")
    assert runs(changes) == [("j2", 1, "s1")]
    assert changes.jobs["j1"] is None


def test_orders_that_come_again_do_nothing_even_for_a_job_released_long_ago(table: Table) -> None:
    table.register()
    place, release = table.place_job("j"), ReleaseJob(position=next(table.positions), job_id="j")
    table.orders(place)
    table.orders(place)
    assert table.ignored == [place]
    table.orders(release)
    changes = table.orders(place, release)
    assert table.ignored == [place, release]
    assert not changes.to_write
    assert not table.board.jobs


def test_the_reasons_of_lines_that_ended_are_forgotten(table: Table) -> None:
    table.place("j", pool="db")
    table.register(pool="db")
    table.board.explain_all()
    assert list(table.end_turn().reasons.values()) == [None]
    assert not table.board.reasons


def test_an_agent_lost_before_the_start_makes_its_job_go_to_another_under_the_next_lease(table: Table) -> None:
    table.register("a", "s1")
    table.place("j")
    table.register("b", "s2")
    table.heartbeat("b", "s2")
    table.silence(29)
    table.heartbeat("b", "s2")
    happenings, changes = table.silence(1)
    assert [(happening.subject.name, happening.event) for happening in happenings] == [
        ("a", AgentOffline(name="a", session_id="s1", reason="it has been silent for 30 s"))
    ]
    (lost,) = changes.reports
    assert isinstance(lost, JobLost)
    assert (lost.job_id, lost.dispatch, lost.agent) == ("j", 1, "a")
    assert runs(changes, "b") == []  # only the execution knows that it had not started
    assert runs(table.requeue("j", 1), "b") == [("j", 2, "s2")]


def test_an_agent_lost_while_the_job_ran_frees_nothing_but_its_own_slots(table: Table) -> None:
    table.register()
    table.place("j")
    table.silence(30)
    changes = table.release("j")
    assert changes.jobs == {"j": None}
    assert not changes.reports


def test_a_requeue_of_an_earlier_lease_is_ignored(table: Table) -> None:
    table.register()
    table.place("j")
    table.requeue("j", 1)
    changes = table.requeue("j", 1)
    assert len(table.ignored) == 1
    assert not changes.jobs
    assert table.board.jobs["j"].dispatch == 2


def test_a_new_session_loses_the_leases_of_the_old_one_and_has_all_its_slots(table: Table) -> None:
    table.register("a", "s1", capacity=2)
    table.place("j1", "j2", "j3")
    changes = table.register("a", "s2", capacity=2)
    assert sorted(report.job_id for report in changes.reports if isinstance(report, JobLost)) == ["j1", "j2"]
    assert runs(changes) == [("j3", 1, "s2")]
    assert isinstance(table.happening, Happening)
    assert isinstance(table.happening.event, AgentRegistered)


def test_a_registration_that_comes_again_after_a_later_session_does_not_bring_the_old_one_back(table: Table) -> None:
    table.register("a", "s1")
    table.register("a", "s2")
    table.place("j")
    changes = table.register("a", "s1")
    assert table.happening is None
    assert not changes.reports
    assert [type(order) for order in to_agent(changes)] == [SessionRefused]
    assert table.board.jobs["j"].state is JobState.LEASED


def test_an_offline_declared_session_is_refused_and_a_new_one_is_taken(table: Table) -> None:
    table.register()
    table.silence(30)
    for changes in (table.heartbeat(), table.register()):
        (refused,) = to_agent(changes)
        assert isinstance(refused, SessionRefused)
        assert refused.session_id == "s1"
        assert "silent for 30 s" in refused.reason
    table.place("j")
    assert runs(table.register("a", "s2")) == [("j", 1, "s2")]


def test_a_heartbeat_of_an_agent_nobody_knows_is_refused(table: Table) -> None:
    (refused,) = to_agent(table.heartbeat("stranger", "s9"), "stranger")
    assert isinstance(refused, SessionRefused)


def test_a_registration_in_the_same_session_is_a_heartbeat(table: Table) -> None:
    table.register()
    table.place("j")
    table.silence(20)
    table.register()
    assert table.happening is None
    happenings, _ = table.silence(20)
    assert not happenings
    assert table.board.jobs["j"].state is JobState.LEASED


def test_an_agent_that_was_out_of_reach_gets_what_it_has_not_listed_again_at_once_with_its_new_number(table: Table) -> None:
    table.register(capacity=3)
    table.place("listed", "lost")
    back = replace(registration("a", "s1", 3), contact=1, leases=[("listed", 1)])
    changes = table.hear(back)
    assert [(order.job_id, order.contact) for order in to_agent(changes) if isinstance(order, RunJob)] == [("lost", 1)]
    assert [agent.contact for agent in changes.agents.values()] == [1]
    assert to_agent(table.hear(back)) == []
    (order,) = to_agent(table.place("next"))
    assert isinstance(order, RunJob) and order.contact == 1
    table.register("a", "s2", capacity=3)  # a new process begins to count anew
    assert table.board.agents["default", "a"].contact == 0


def test_an_agent_that_stops_gets_nothing_more_and_what_it_had_is_reported_lost(table: Table) -> None:
    table.register(capacity=2)
    table.place("j1")
    changes = table.hear(AgentStopping(tenant_id="default", name="a", session_id="s1"))
    assert [type(report) for report in changes.reports] == [JobLost]
    assert isinstance(table.happening, Happening)
    assert table.happening.event == AgentOffline(name="a", session_id="s1", reason="it was stopped")
    changes = table.place("j2")
    assert not changes.orders
    assert list(changes.reasons.values()) == ["waiting for an agent in pool default: 0 of 1 online"]
    again = table.hear(AgentStopping(tenant_id="default", name="a", session_id="s1"))
    assert table.happening is None
    assert not again.to_write


def test_a_lease_the_agent_does_not_list_is_sent_again_but_not_at_once(table: Table) -> None:
    table.register(capacity=2)
    table.place("j1", "j2")
    table.now += timedelta(seconds=4)
    assert runs(table.heartbeat(leases=[("j1", 1)])) == []
    table.now += timedelta(seconds=1)
    assert runs(table.heartbeat(leases=[("j1", 1)])) == [("j2", 1, "s1")]


def test_a_waiting_job_is_withdrawn_and_never_sent(table: Table) -> None:
    table.place("j")
    changes = table.withdraw("j")
    assert changes.reports == [JobWithdrawn(tenant_id="default", execution_id="x", job_id="j", dispatch=0)]
    assert not table.register().orders
    assert table.release("j").jobs == {"j": None}


def test_the_agent_of_a_leased_job_is_asked_to_cancel_it_until_it_no_longer_lists_it(table: Table) -> None:
    table.register()
    table.place("j")
    cancel = CancelJob(job_id="j", dispatch=1, force=True)
    assert to_agent(table.withdraw("j", force=True)) == [cancel]
    assert to_agent(table.heartbeat(leases=[("j", 1)])) == [cancel]
    table.now += timedelta(seconds=5)
    run, again = to_agent(table.heartbeat())  # not listed: it may know neither the job nor that it is cancelled
    assert isinstance(run, RunJob)
    assert again == cancel
    table.release("j")
    assert not table.heartbeat().orders


def test_a_job_to_be_cancelled_whose_agent_is_lost_is_withdrawn_instead_of_placed_again(table: Table) -> None:
    table.register()
    table.place("j")
    table.withdraw("j")
    table.register("a", "s2")
    changes = table.requeue("j", 1)
    assert not changes.orders
    assert [type(report) for report in changes.reports] == [JobWithdrawn]


def test_health_falls_with_silence_and_with_lost_leases_and_recovers_with_ended_ones(table: Table) -> None:
    table.register()
    agent = table.board.agents["default", "a"]
    table.silence(15)
    assert agent.health == 100
    table.silence(7.5)
    assert agent.health == 50
    table.heartbeat()
    assert agent.health == 100
    table.place("lost")
    table.register("a", "s2")
    assert agent.health == 90
    table.release("lost")
    table.place("fine")
    table.release("fine")
    table.heartbeat("a", "s2")
    assert agent.health == 91
    table.silence(30)
    assert agent.health == 0


moves = st.lists(
    st.tuples(
        st.sampled_from(
            [
                *("place", "release", "requeue", "withdraw", "register", "heartbeat", "stop", "silence", "again"),
                *("drain", "resume", "pause", "unpause", "revoke", "move"),
            ]
        ),
        st.integers(0, 5),
        st.integers(1, 3),
    ),
    max_size=60,
)


@given(moves)
def test_whatever_comes_leases_and_slots_agree_and_repetitions_change_nothing(drawn: list[tuple[str, int, int]]) -> None:
    table = Table()
    sessions = count(1)
    current: dict[str, str] = {}
    given_orders: list[Order] = []
    leases_seen: set[tuple[str, int]] = set()
    before: dict[tuple[str, int], Agent | None] = {}
    for what, number, small in drawn:
        job_id, name = f"j{number}", f"a{small}"
        session_id = current.get(name, "none")
        match what:
            case "place":
                order: Order = table.place_job(f"{job_id}-{next(sessions)}")
            case "release" | "requeue" | "withdraw":
                known = sorted(table.board.jobs)
                job_id = known[number % len(known)] if known else job_id
                position = next(table.positions)
                order = {
                    "release": ReleaseJob(position=position, job_id=job_id),
                    "requeue": RequeueJob(position=position, job_id=job_id, dispatch=small),
                    "withdraw": WithdrawJob(position=position, job_id=job_id, force=small == 1),
                }[what]
        match what:
            case "place" | "release" | "requeue" | "withdraw":
                given_orders.append(order)
                changes = table.orders(order)
            case "register":
                current[name] = f"s{next(sessions)}"
                changes = table.register(name, current[name], capacity=small)
            case "heartbeat":
                changes = table.heartbeat(name, session_id)
            case "stop":
                changes = table.hear(AgentStopping(tenant_id="default", name=name, session_id=session_id))
            case "silence":
                changes = table.silence(10 * small)[1]
            case "drain" | "resume" | "pause" | "unpause" | "revoke" | "move":
                changes = table.ask(what, name)
            case _:
                changes = table.orders(*given_orders)
                assert not changes.to_write
                assert not changes.reports
        for report in dispatches(table):
            assert (report.job_id, report.dispatch) not in leases_seen  # a lease is given once
            leases_seen.add((report.job_id, report.dispatch))
        held = {job_id: agent for agent in table.board.agents.values() for job_id in agent.leases}
        leased = {job_id: job.agent for job_id, job in table.board.jobs.items() if job.state is JobState.LEASED}
        assert held == leased
        for agent in table.board.agents.values():
            assert len(agent.leases) <= agent.capacity
            assert agent.status is AgentStatus.ONLINE or not agent.leases
        given = {(job_id, job.dispatch): job.agent for job_id, job in table.board.jobs.items() if job.state is JobState.LEASED}
        for lease, taker in given.items() - before.items():
            assert taker is not None
            assert not (taker.drained or taker.held), lease
        before = given


# --- leases and fencing, whatever the order of events


def test_an_agent_that_is_back_after_its_job_went_to_another_is_told_so_and_takes_nothing_back(table: Table) -> None:
    table.register("a", "s1")
    table.place("j")
    table.register("b", "s2")
    table.silence(29)
    table.heartbeat("b", "s2")
    table.silence(1)
    assert runs(table.requeue("j", 1), "b") == [("j", 2, "s2")]
    changes = table.heartbeat("a", "s1", leases=[("j", 1)])
    (refused,) = to_agent(changes)
    assert isinstance(refused, SessionRefused)
    assert (refused.session_id, refused.revoked) == ("s1", False)
    assert table.board.jobs["j"].agent is table.board.agents["default", "b"]
    assert runs(table.register("a", "s3")) == []
    assert not table.requeue("j", 1).jobs  # the execution's answer to the first lease comes late
    assert runs(table.heartbeat("b", "s2", leases=[("j", 2)]), "b") == []


def test_an_agent_lost_while_its_job_ran_may_have_another_lease_only_from_the_execution(table: Table) -> None:
    table.register("a", "s1")
    table.place("j")
    table.silence(30)
    changes = table.register("a", "s2")
    assert runs(changes) == []
    assert table.board.jobs["j"].state is JobState.LOST
    table.release("j")
    assert runs(table.heartbeat("a", "s2")) == []


def test_of_two_processes_with_one_identity_the_last_session_counts_and_the_first_never_again(table: Table) -> None:
    table.register("a", "s1")
    table.place("j")
    assert [type(report) for report in table.register("a", "s2").reports] == [JobLost]
    table.requeue("j", 1)
    for changes in (table.heartbeat("a", "s1", leases=[("j", 1)]), table.register("a", "s1")):
        (refused,) = to_agent(changes)
        assert isinstance(refused, SessionRefused)
        assert "a later session took over" in refused.reason
    assert table.board.jobs["j"].state is JobState.LEASED
    table.hear(AgentStopping(tenant_id="default", name="a", session_id="s1"))
    assert table.board.agents["default", "a"].online


def test_a_lease_counts_against_the_agent_if_the_agent_was_at_fault(table: Table) -> None:
    table.register(capacity=2)
    table.place("faulty", "failed")
    table.orders(ReleaseJob(position=next(table.positions), job_id="faulty", faulty=True))
    table.heartbeat()
    assert table.board.agents["default", "a"].health == 90
    table.release("failed")
    table.heartbeat()
    assert table.board.agents["default", "a"].health == 91


def test_a_job_that_can_never_run_is_refused_and_withdrawing_it_changes_nothing(table: Table) -> None:
    changes = table.place("j", pool="nowhere")
    (refused,) = changes.reports
    assert isinstance(refused, JobRefused)
    assert (refused.reason, refused.dispatch) == ("pool_unknown", 0)
    assert not changes.reasons
    assert not table.withdraw("j").reports
    assert table.release("j").jobs == {"j": None}
