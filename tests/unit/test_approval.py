"""The approval as a state machine: what people, deadlines and channels may do to it, and that it is decided once."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runyard_approvals.approval import events
from runyard_approvals.approval.decide import Retries
from runyard_approvals.approval.lifecycle import Deadline, Purpose
from runyard_shared.contracts.values import ApprovalStatus
from runyard_shared.errors import Refusal

from tests.approvals import EPOCH, EXECUTION, Approval


def decided(approval: Approval) -> events.ApprovalResolved:
    (only,) = [event for event, _ in approval.history if isinstance(event, events.ApprovalResolved)]
    return only


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_one_answer_decides_and_says_who_and_why_and_how(decision: str) -> None:
    approval = Approval()
    assert approval.answers("alice", decision, note="as agreed", via="web", request_id="r1") == [
        events.ApprovalResolved(
            execution_id=EXECUTION,
            status=ApprovalStatus(decision),
            approvals=int(decision == "approved"),
            by="alice",
            note="as agreed",
            via="web",
            request_id="r1",
        )
    ]
    assert approval.state.status == decision


def test_with_several_approvals_wanted_each_must_come_from_another_person() -> None:
    approval = Approval(min_approvals=3)
    (vote,) = approval.answers("alice", note="fine")
    assert isinstance(vote, events.ApprovalVoted)
    assert (vote.by, vote.note, vote.approvals) == ("alice", "fine", 1)
    again = approval.refusal("alice")
    assert (again.status, again.code) == (409, "already_answered")
    assert "2 more people must approve" in again.detail
    approval.answers("bob")
    assert approval.state.status == ApprovalStatus.PENDING
    approval.answers("carol")
    assert (decided(approval).by, decided(approval).approvals) == ("carol", 3)


def test_one_rejection_rejects_however_many_have_approved() -> None:
    approval = Approval(min_approvals=3)
    approval.answers("alice")
    approval.answers("bob", "rejected", note="not on a Friday")
    assert (approval.state.status, approval.state.approvals, decided(approval).note) == ("rejected", 1, "not on a Friday")


@pytest.mark.parametrize(
    ("by", "roles"), [("dave", ()), ("admin", ()), ("admin", ("admin",)), ("role:oncall", ("dev",)), ("Alice", ())]
)
def test_who_is_not_an_approver_is_refused_and_that_goes_for_the_administrator_too(by: str, roles: tuple[str, ...]) -> None:
    approval = Approval(approvers=["alice", "role:ops"])
    refusal = approval.refusal(by, roles=roles)
    assert (refusal.status, refusal.code) == (403, "not_an_approver")
    assert "alice, role:ops" in refusal.detail


@pytest.mark.parametrize(("by", "roles"), [("alice", ()), ("dave", ("dev", "ops"))])
def test_approvers_are_named_or_have_a_role(by: str, roles: tuple[str, ...]) -> None:
    approval = Approval(approvers=["alice", "role:ops"])
    approval.answers(by, roles=roles)
    assert decided(approval).by == by


@pytest.mark.parametrize("decision", ["approved", "rejected"])
def test_who_started_the_execution_may_be_kept_from_deciding(decision: str) -> None:
    approval = Approval(prevent_self_approval=True, approvers=["carol", "alice"])
    refusal = approval.refusal("carol", decision)
    assert (refusal.status, refusal.code) == (403, "self_approval")
    approval.answers("alice", decision)
    assert approval.state.status == decision


def test_who_comes_late_is_told_who_decided_and_when() -> None:
    approval = Approval()
    approval.now += timedelta(seconds=5)
    approval.answers("alice", "rejected")
    refusal = approval.refusal("bob")
    assert (refusal.status, refusal.code) == (409, "already_resolved")
    assert refusal.extra == {"respondedBy": "alice", "respondedAt": "2026-01-01T00:00:05.000Z", "decision": "rejected"}
    assert refusal.detail == "alice has rejected this at 2026-01-01T00:00:05.000Z"


def test_a_request_that_is_delivered_again_is_no_second_answer() -> None:
    approval = Approval(min_approvals=2)
    approval.answers("alice", request_id="r1")
    assert approval.answers("alice", request_id="r1") == []
    approval.answers("bob", request_id="r2")
    assert approval.answers("bob", request_id="r2") == []
    assert approval.answers("alice", request_id="r1") == []


@pytest.mark.parametrize(
    ("decision", "via", "paths"), [("maybe", "api", ["decision"]), ("pending", "pigeon", ["decision", "via"])]
)
def test_an_answer_in_other_words_is_refused_with_all_that_is_wrong(decision: str, via: str, paths: list[str]) -> None:
    refusal = Approval().refusal("alice", decision, via=via)
    assert (refusal.status, refusal.code, [error.path for error in refusal.errors]) == (422, "invalid_answer", paths)


def test_nobody_can_say_that_an_answer_came_by_a_link() -> None:
    assert Approval().refusal("alice", via="link").code == "invalid_answer"


def test_it_expires_at_its_time_and_not_before() -> None:
    approval = Approval(timeout_seconds=60)
    assert approval.timers == {"expire": EPOCH + timedelta(seconds=60)}
    assert approval.after(59.999, Deadline.EXPIRE) == []
    (expired,) = approval.after(0.001, Deadline.EXPIRE)
    assert isinstance(expired, events.ApprovalResolved)
    assert (expired.status, expired.by) == ("expired", None)
    assert approval.timers == {}


def test_an_answer_after_the_expiry_is_too_late_even_if_the_timer_is_slower() -> None:
    approval = Approval(timeout_seconds=60)
    approval.now += timedelta(seconds=60)
    with pytest.raises(Refusal, match="nobody decided in time") as refused:
        approval.answers("alice")
    assert refused.value.extra["decision"] == "expired"
    assert decided(approval).status == ApprovalStatus.EXPIRED


def test_a_cancellation_after_the_expiry_finds_it_expired() -> None:
    approval = Approval(timeout_seconds=60)
    approval.now += timedelta(seconds=60)
    approval.cancelled()
    assert decided(approval).status == ApprovalStatus.EXPIRED


def test_without_a_timeout_it_waits_for_ever() -> None:
    approval = Approval()
    assert approval.timers == {}
    assert approval.after(10**9, Deadline.EXPIRE) == []
    approval.answers("alice")
    assert approval.state.status == ApprovalStatus.APPROVED


def test_the_time_counts_from_the_request_not_from_its_arrival() -> None:
    approval = Approval(timeout_seconds=60, at=EPOCH - timedelta(seconds=50))
    approval.after(10, Deadline.EXPIRE)
    assert approval.state.status == ApprovalStatus.EXPIRED


def test_it_reminds_once() -> None:
    approval = Approval(remind_after_seconds=30, channels={"mail": True})
    approval.attempted(Purpose.REQUESTED, "mail")
    assert approval.after(29, Deadline.REMIND) == []
    assert approval.after(1, Deadline.REMIND) == [events.ApprovalReminded(execution_id=EXECUTION, notify=["mail"])]
    assert approval.due(Deadline.REMIND) == []
    assert approval.timers == {"notify:reminder:mail": approval.now}


def test_from_the_escalation_on_further_people_may_answer() -> None:
    approval = Approval(approvers=["alice"], escalate_after_seconds=30, escalate_to=["role:managers"])
    assert approval.refusal("mia", roles=("managers",)).code == "not_an_approver"
    assert approval.after(30, Deadline.ESCALATE) == [events.ApprovalEscalated(execution_id=EXECUTION, to=["role:managers"])]
    assert approval.due(Deadline.ESCALATE) == []
    assert approval.refusal("dave").code == "not_an_approver"
    approval.answers("mia", roles=("managers",))
    assert decided(approval).by == "mia"


def test_the_first_approvers_may_still_answer_after_the_escalation() -> None:
    approval = Approval(approvers=["alice"], escalate_after_seconds=30, escalate_to=["mia"])
    approval.after(30, Deadline.ESCALATE)
    approval.answers("alice")
    assert decided(approval).by == "alice"


def test_an_escalation_of_what_everybody_may_answer_shuts_nobody_out() -> None:
    approval = Approval(escalate_after_seconds=30, escalate_to=["mia"])
    approval.after(30, Deadline.ESCALATE)
    approval.answers("anyone")
    assert decided(approval).by == "anyone"


def test_a_cancelled_approval_says_why_and_takes_no_answer() -> None:
    approval = Approval(timeout_seconds=60, remind_after_seconds=30, channels={"mail": True})
    approval.cancelled("enough")
    assert (decided(approval).status, decided(approval).note, decided(approval).by) == ("cancelled", "enough", None)
    assert approval.timers == {}
    assert approval.refusal("alice").extra["decision"] == "cancelled"
    assert approval.cancelled() == []


def test_cancelling_what_is_decided_changes_nothing() -> None:
    approval = Approval()
    approval.answers("alice")
    assert approval.cancelled() == []
    assert approval.state.status == ApprovalStatus.APPROVED


@pytest.mark.parametrize("deadline", Deadline)
def test_a_late_timer_of_a_decided_approval_does_nothing(deadline: Deadline) -> None:
    approval = Approval(timeout_seconds=9, remind_after_seconds=3, escalate_after_seconds=6, escalate_to=["mia"])
    assert set(approval.timers) == {"expire", "remind", "escalate"}
    approval.answers("alice")
    assert approval.timers == {}
    assert approval.after(10, deadline) == []


def test_all_enabled_channels_are_told_unless_the_node_chooses() -> None:
    channels = {"mail": True, "chat": True, "off": False}
    assert set(Approval(channels=channels).timers) == {"notify:requested:chat", "notify:requested:mail"}
    assert set(Approval(channels=channels, channels_of_node=["mail", "mail"]).timers) == {"notify:requested:mail"}
    assert Approval(channels=channels, channels_of_node=[]).timers == {}


def test_a_channel_that_is_not_there_or_off_is_reported_at_once_and_stops_nothing() -> None:
    approval = Approval(channels={"mail": True, "off": False}, channels_of_node=["mial", "off", "mail"])
    _, missing, off = [event for event, _ in approval.history]
    assert isinstance(missing, events.ApprovalNotified)
    assert isinstance(off, events.ApprovalNotified)
    assert (missing.channel, missing.attempts) == ("mial", 0)
    assert missing.error is not None
    assert "there is no channel 'mial'" in missing.error
    assert off.error is not None
    assert "disabled" in off.error
    assert set(approval.timers) == {"notify:requested:mail"}


def test_a_channel_that_fails_is_tried_again_later_and_later_and_reported_once() -> None:
    approval = Approval(channels={"mail": True}, retries=Retries(attempts=4, first_pause_seconds=5, longest_pause_seconds=60))
    pauses = []
    for _ in range(3):
        approval.attempted(Purpose.REQUESTED, "mail", "refused")
        pauses.append((approval.timers["notify:requested:mail"] - approval.now).total_seconds())
    assert pauses == [5, 20, 60]
    assert approval.attempted(Purpose.REQUESTED, "mail", "refused") == [
        events.ApprovalNotified(execution_id=EXECUTION, purpose="requested", channel="mail", attempts=4, error="refused")
    ]
    assert approval.timers == {}
    assert approval.attempted(Purpose.REQUESTED, "mail") == []


def test_a_channel_that_recovers_is_reported_as_told_with_the_attempts_it_took() -> None:
    approval = Approval(channels={"mail": True})
    approval.attempted(Purpose.REQUESTED, "mail", "refused")
    (notified,) = approval.attempted(Purpose.REQUESTED, "mail")
    assert isinstance(notified, events.ApprovalNotified)
    assert (notified.attempts, notified.error) == (2, None)


def test_what_is_hopeless_is_not_tried_again() -> None:
    approval = Approval(channels={"mail": True})
    (notified,) = approval.attempted(Purpose.REQUESTED, "mail", "not a public address", hopeless=True)
    assert isinstance(notified, events.ApprovalNotified)
    assert notified.attempts == 1


def test_nobody_is_asked_again_once_it_is_decided_but_what_was_sent_is_reported() -> None:
    approval = Approval(channels={"mail": True, "chat": True})
    approval.answers("alice")
    assert approval.timers == {}
    for channel, error in (("mail", None), ("chat", "refused")):
        (notified,) = approval.attempted(Purpose.REQUESTED, channel, error)
        assert isinstance(notified, events.ApprovalNotified)
        assert notified.error == error
    assert approval.timers == {}


PEOPLE = ("alice", "bob", "carol", "dave")
STEPS = st.one_of(
    st.tuples(st.just("answer"), st.sampled_from(PEOPLE), st.sampled_from(["approved", "rejected"]), st.integers(0, 6)),
    st.tuples(st.just("timer"), st.sampled_from(list(Deadline))),
    st.tuples(st.just("attempt"), st.sampled_from(list(Purpose)), st.sampled_from([None, "refused"])),
    st.tuples(st.just("wait"), st.sampled_from([0.001, 1.0, 3.0])),
    st.tuples(st.just("cancel")),
)
ASKED = st.fixed_dictionaries(
    {
        "min_approvals": st.integers(1, 3),
        "prevent_self_approval": st.booleans(),
        "approvers": st.sampled_from([[], ["alice", "bob"], ["alice", "bob", "carol", "dave"]]),
        "timeout_seconds": st.sampled_from([0, 5]),
        "remind_after_seconds": st.sampled_from([0, 2]),
        "escalate_after_seconds": st.sampled_from([0, 3]),
        "escalate_to": st.sampled_from([[], ["dave"]]),
    }
)


@given(asked=ASKED, steps=st.lists(STEPS, max_size=40))
def test_whatever_happens_in_whatever_order_and_however_often_there_is_at_most_one_decision(
    asked: dict[str, Any], steps: list[tuple[Any, ...]]
) -> None:
    approval = Approval(channels={"mail": True}, **asked)
    for kind, *details in steps:
        was = approval.state
        if kind == "answer":
            by, decision, number = details
            try:
                # the same number is the same request again
                approval.answers(by, decision, request_id=f"{by}-{decision}-{number}")
            except Refusal as refusal:
                if refusal.code == "already_resolved":
                    assert refusal.extra["decision"] == approval.state.status
        elif kind == "timer":
            approval.due(details[0])
        elif kind == "attempt":
            approval.attempted(details[0], "mail", details[1])
        elif kind == "cancel":
            approval.cancelled()
        else:
            approval.now += timedelta(seconds=details[0])
        if was.resolved is not None:
            assert approval.state.resolved == was.resolved
            assert approval.timers == {}
    resolutions = [event for event, _ in approval.history if isinstance(event, events.ApprovalResolved)]
    assert len(resolutions) == (approval.state.status != ApprovalStatus.PENDING)
    assert approval.topics.count("approval.reminded") <= 1
    assert approval.topics.count("approval.escalated") <= 1
    people = [event.by for event, _ in approval.history if isinstance(event, events.ApprovalVoted)]
    if approval.state.status == ApprovalStatus.APPROVED:
        people.append(decided(approval).by or "")
        assert len(set(people)) == len(people) == asked["min_approvals"]
    if asked["prevent_self_approval"]:
        assert "carol" not in people
    if asked["timeout_seconds"]:
        approval.now += timedelta(seconds=asked["timeout_seconds"])
        approval.due(Deadline.EXPIRE)
        assert approval.state.status != ApprovalStatus.PENDING
