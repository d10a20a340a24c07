"""People are told through real servers: mail by SMTP, webhooks by HTTP; what fails is tried again, and nothing waits for it."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest
from runyard_approvals.approval import events
from runyard_approvals.approval.lifecycle import Purpose
from runyard_shared.clock import FrozenClock
from runyard_shared.contracts import commands, reports
from runyard_shared.contracts.commands import Reply, TimerDue
from runyard_shared.ids import new_id
from runyard_shared.messaging.memory import MemoryBus
from runyard_shared.messaging.topology import approvals_inbox

from tests.approval_services import Desk, Process, approvals_service, desk, rabbit_bus
from tests.buses import until
from tests.receivers import MailBox, Receiver, http_receiver, mail_server

SECRET = "a secret for tests, long enough to be one"
ADDRESS = "https://runyard.example"


@pytest.fixture
async def bus() -> AsyncIterator[MemoryBus]:
    bus = MemoryBus()
    yield bus
    await bus.close()


@pytest.fixture
async def told(bus: MemoryBus, pool: asyncpg.Pool) -> AsyncIterator[Desk]:
    settings: dict[str, Any] = {"notification_retry_seconds": 0.05, "notification_attempts": 3, "public_url": ADDRESS}
    async with approvals_service(bus, pool, approvals_secret=SECRET, **settings), desk(bus, pool) as made:
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with http_receiver() as receiver:
        yield receiver


@pytest.fixture
async def mailbox() -> AsyncIterator[MailBox]:
    async with mail_server() as box:
        yield box


async def save(told: Desk, name: str, url: str, *, enabled: bool = True, channel_id: str | None = None) -> str:
    channel_id = channel_id or new_id()
    command = commands.SaveChannel(channel_id=channel_id, name=name, url=url, enabled=enabled)
    await told.result(command)
    return channel_id


async def refused(told: Desk, command: Any, **who: Any) -> tuple[int, str]:
    reply = await told.ask(command, **who)
    assert reply.problem is not None
    return reply.problem.status, reply.problem.code


def link_in(message: dict[str, Any]) -> tuple[str, str]:
    """The approval and the token of the signed link in what a webhook got."""
    found = re.search(rf"{ADDRESS}/approvals/([^/\s]+)/link/(\S+)", message["message"])
    assert found is not None, message
    return found[1], found[2]


async def test_a_mail_says_all_that_is_needed_to_decide(told: Desk, mailbox: MailBox) -> None:
    await save(told, "mail", mailbox.url)
    root = new_id()
    approval_id = await told.opened(
        root_execution_id=root, message="Delete /var/log/old on db-1?", approvers=["alice", "role:ops"], timeout_seconds=3600
    )
    (notified,) = await told.told(approval_id, reports.ApprovalNotified)
    assert (notified.channel, notified.purpose, notified.attempts, notified.error) == ("mail", "requested", 1, None)
    (mail,) = mailbox.mails
    assert (mail["subject"], mail["to"]) == ("Approval wanted: Clean the disk", "ops@example.com")
    text = mail.get_body(("plain", "html")).get_content()  # type: ignore[union-attr]
    for part in (
        "Delete /var/log/old on db-1?",
        "Clean the disk",
        "carol",
        "alice, role:ops",
        f"{ADDRESS}/automation/executions/{root}",
        f"{ADDRESS}/approvals/{approval_id}/link/",
        "Expires: 20",
    ):
        assert part in text


async def test_every_enabled_channel_is_told_of_the_request_the_reminder_and_the_escalation(
    told: Desk, receiver: Receiver, mailbox: MailBox
) -> None:
    await save(told, "hook", receiver.url)
    await save(told, "mail", mailbox.url)
    await save(told, "off", receiver.url, enabled=False)
    approval_id = await told.opened(
        approvers=["alice"], remind_after_seconds=0.1, escalate_after_seconds=0.2, escalate_to=["mia"]
    )
    notified = await told.told(approval_id, reports.ApprovalNotified, 6)
    assert {(each.channel, each.purpose) for each in notified} == {
        (channel, purpose.value) for channel in ("hook", "mail") for purpose in Purpose
    }
    assert {message["title"].split(":")[0] for message in receiver.got} == {"Approval wanted", "Reminder", "Escalated"}
    assert "Who may answer: alice, mia" in next(m["message"] for m in receiver.got if m["title"].startswith("Escalated"))
    assert len(mailbox.mails) == 3


async def test_a_node_chooses_its_channels_and_hears_of_a_wrong_name(told: Desk, receiver: Receiver, mailbox: MailBox) -> None:
    await save(told, "hook", receiver.url)
    await save(told, "mail", mailbox.url)
    approval_id = await told.opened(channels=["hook", "pager"])
    notified = {each.channel: each for each in await told.told(approval_id, reports.ApprovalNotified, 2)}
    assert notified["hook"].error is None
    assert (notified["pager"].attempts, notified["pager"].error) == (
        0,
        "there is no channel 'pager'; make it in the settings, or correct the name in the workflow",
    )
    assert mailbox.mails == []


async def test_a_channel_that_fails_is_tried_again_until_it_takes_the_message(
    told: Desk, receiver: Receiver, mailbox: MailBox
) -> None:
    receiver.answers.extend([503, 500])
    mailbox.refusals = 1
    await save(told, "hook", receiver.url)
    await save(told, "mail", mailbox.url)
    approval_id = await told.opened()
    notified = {each.channel: each for each in await told.told(approval_id, reports.ApprovalNotified, 2)}
    assert (notified["hook"].attempts, notified["hook"].error) == (3, None)
    assert (notified["mail"].attempts, notified["mail"].error) == (2, None)
    assert (len(receiver.got), len(mailbox.mails)) == (1, 1)


async def test_after_the_last_attempt_the_error_is_reported_without_the_secrets_of_the_channel(
    told: Desk, receiver: Receiver
) -> None:
    receiver.answers.extend([503] * 3)
    await save(told, "hook", receiver.url)
    approval_id = await told.opened()
    (notified,) = await told.told(approval_id, reports.ApprovalNotified)
    assert notified.attempts == 3
    assert notified.error is not None
    assert "503" in notified.error
    assert "geheim" not in notified.error
    failed = [event for event in await told.events(approval_id) if isinstance(event, events.DeliveryFailed)]
    assert [event.attempts for event in failed] == [1, 2]
    assert await told.pool.fetchval("select count(*) from approvals.timer") == 0


async def test_a_channel_that_does_not_answer_keeps_neither_the_decision_nor_the_others_waiting(
    told: Desk, receiver: Receiver, mailbox: MailBox
) -> None:
    receiver.gate.clear()
    await save(told, "hook", receiver.url)
    for _ in range(5):
        await told.opened(channels=["hook"])
    await until(lambda: receiver.at_once == 2)
    await save(told, "mail", mailbox.url)
    approval_id = await told.opened(channels=["mail"])
    await told.told(approval_id, reports.ApprovalNotified)
    reply = await told.answer(approval_id)
    assert reply.result is not None
    assert receiver.most_at_once == 2


async def test_nobody_is_told_of_what_is_decided_meanwhile(told: Desk, receiver: Receiver) -> None:
    receiver.answers.extend([503, 503])
    await save(told, "hook", receiver.url)
    approval_id = await told.opened()
    await told.events_when(approval_id, 2)
    assert (await told.answer(approval_id)).result is not None
    receiver.answers.clear()
    other = await told.opened()
    await told.told(other, reports.ApprovalNotified)
    assert [link_in(message)[0] for message in receiver.got] == [other]


async def test_a_message_whose_process_died_before_it_was_sent_is_sent_by_the_next(
    bus: MemoryBus, pool: asyncpg.Pool, receiver: Receiver
) -> None:
    receiver.gate.clear()
    async with desk(bus, pool) as told:
        async with approvals_service(bus, pool, approvals_secret=SECRET, notification_retry_seconds=3600):
            await save(told, "hook", receiver.url)
            approval_ids = [await told.opened() for _ in range(10)]
            await until(lambda: receiver.at_once == 2)
            receiver.answers.extend([200, 200])
            receiver.gate.set()
            # the rest waits for its turn when the service is stopped: nothing of it is lost
        async with approvals_service(bus, pool, approvals_secret=SECRET):
            for approval_id in approval_ids:
                (notified,) = await told.told(approval_id, reports.ApprovalNotified)
                assert notified.error is None
    assert len(receiver.got) == 10


async def test_a_message_whose_process_was_killed_while_it_was_sent_is_sent_again_and_reported_once(
    postgres_url: str, amqp_url: str, namespace: str, pool: asyncpg.Pool, receiver: Receiver
) -> None:
    process = Process(postgres_url, amqp_url, namespace, RUNYARD_ALLOW_PRIVATE_NOTIFICATIONS="true")
    process.start()
    try:
        async with rabbit_bus(amqp_url, namespace) as rabbit, desk(rabbit, pool) as told:
            receiver.gate.clear()
            await save(told, "hook", receiver.url)
            approval_id = await told.opened()
            await until(lambda: receiver.paths)
            process.kill()
            receiver.gate.set()
            process.start()
            (notified,) = await told.told(approval_id, reports.ApprovalNotified)
            assert (notified.attempts, notified.error) == (1, None)
            assert [event.topic for event in await told.events(approval_id)] == ["approval.opened", "approval.notified"]
            assert len(receiver.paths) == 2
    finally:
        process.kill()


async def test_an_outcome_is_recorded_once_however_often_the_timer_comes(told: Desk, receiver: Receiver) -> None:
    receiver.gate.clear()
    await save(told, "hook", receiver.url)
    approval_id = await told.opened()
    await until(lambda: receiver.at_once == 1)
    due = TimerDue(stream_id=approval_id, timer_id="notify:requested:hook")
    await told.bus.send(approvals_inbox(approval_id), [due, due, due])
    receiver.gate.set()
    await told.told(approval_id, reports.ApprovalNotified)
    await told.bus.send(approvals_inbox(approval_id), [due])
    assert len(receiver.got) == 1
    assert [event.topic for event in await told.events(approval_id)] == ["approval.opened", "approval.notified"]


async def test_private_addresses_are_refused_unless_they_are_allowed(
    bus: MemoryBus, pool: asyncpg.Pool, receiver: Receiver, mailbox: MailBox
) -> None:
    async with approvals_service(bus, pool, allow_private_notifications=False), desk(bus, pool) as told:
        for name, url in (
            ("hook", receiver.url),
            ("name", f"json://localhost:{receiver.port}/"),
            ("mail", mailbox.url),
        ):
            await save(told, name, url)
        approval_id = await told.opened()
        for notified in await told.told(approval_id, reports.ApprovalNotified, 3):
            assert notified.attempts == 1
            assert notified.error is not None
            assert "RUNYARD_ALLOW_PRIVATE_NOTIFICATIONS" in notified.error
    assert (receiver.paths, mailbox.mails) == ([], [])


async def test_a_channel_is_never_shown_again_and_is_nowhere_in_the_database(
    told: Desk, receiver: Receiver, pool: asyncpg.Pool
) -> None:
    channel_id = await save(told, "hook", receiver.url)
    (item,) = (await told.result(commands.ListChannels()))["items"]
    created_at = item.pop("createdAt")
    assert created_at.endswith("Z")
    assert item == {"channelId": channel_id, "name": "hook", "kind": "json", "enabled": True}
    approval_id = await told.opened()
    await told.told(approval_id, reports.ApprovalNotified)
    tables = await pool.fetch("select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'approvals'")
    for (table,) in tables:
        rows = await pool.fetch(f"select t::text from {table} t")
        assert not any("geheim" in row[0] or b"geheim".hex() in row[0] for row in rows), table


async def test_a_channel_can_be_tested(told: Desk, receiver: Receiver) -> None:
    channel_id = await save(told, "hook", receiver.url)
    assert await told.result(commands.TestChannel(channel_id=channel_id)) == {"delivered": True, "error": None}
    assert receiver.got[0]["title"] == "Test message from Runyard"
    receiver.answers.append(404)
    outcome = await told.result(commands.TestChannel(channel_id=channel_id))
    assert outcome["delivered"] is False
    assert "404" in outcome["error"]
    assert await refused(told, commands.TestChannel(channel_id=new_id())) == (404, "channel_not_found")


async def test_channels_are_changed_and_deleted_by_their_own_tenant_alone(told: Desk, receiver: Receiver) -> None:
    channel_id = await save(told, "hook", receiver.url)
    again = commands.SaveChannel(channel_id=channel_id, name="webhook", url=receiver.url, enabled=False)
    assert await told.result(again) == {"channelId": channel_id, "name": "webhook", "kind": "json", "enabled": False}
    without_url = commands.SaveChannel(channel_id=channel_id, name="web", url=None)
    assert await told.result(without_url) == {"channelId": channel_id, "name": "web", "kind": "json", "enabled": True}
    assert (await told.result(commands.TestChannel(channel_id=channel_id)))["delivered"]
    assert await refused(told, without_url, tenant_id="other") == (404, "channel_not_found")
    await told.result(again)
    taken = commands.SaveChannel(channel_id=new_id(), name="webhook", url=receiver.url)
    assert await refused(told, taken) == (409, "channel_name_taken")
    delete = commands.DeleteChannel(channel_id=channel_id)
    assert await refused(told, delete, tenant_id="other") == (404, "channel_not_found")
    assert (await told.result(commands.ListChannels(), tenant_id="other"))["items"] == []
    assert await told.result(delete) == {"channelId": channel_id}
    assert await refused(told, delete) == (404, "channel_not_found")


async def test_a_bad_channel_is_refused_with_all_that_is_wrong_and_without_its_url(told: Desk) -> None:
    for url in ("geheim", "nonsense://geheim", "slack://geheim", "syslog://", "mailto://", "json://[geheim/"):
        reply = await told.ask(commands.SaveChannel(channel_id=new_id(), name="\0", url=url))
        assert reply.problem is not None
        assert (reply.problem.status, reply.problem.code) == (422, "invalid_channel")
        assert [error["path"] for error in reply.problem.errors] == ["name", "url"]
        assert "geheim" not in str(reply.problem)


async def test_a_channel_saved_under_another_secret_says_so_and_one_saved_before_there_was_one_still_works(
    bus: MemoryBus, pool: asyncpg.Pool, receiver: Receiver
) -> None:
    async with desk(bus, pool) as told:
        async with approvals_service(bus, pool):
            await save(told, "old", receiver.url)
        async with approvals_service(bus, pool, approvals_secret="first " * 8):
            await save(told, "new", receiver.url)
        async with approvals_service(bus, pool, approvals_secret="second " * 8):
            approval_id = await told.opened()
            notified = {each.channel: each for each in await told.told(approval_id, reports.ApprovalNotified, 2)}
    assert notified["old"].error is None
    assert notified["new"].error is not None
    assert "RUNYARD_APPROVALS_SECRET" in notified["new"].error


# links


async def linked(told: Desk, receiver: Receiver, **asked: Any) -> tuple[str, str]:
    """An approval, and the link that came with its notification."""
    await save(told, "hook", receiver.url)
    approval_id = await told.opened(**asked)
    await told.told(approval_id, reports.ApprovalNotified)
    linked_id, token = link_in(receiver.got[-1])
    assert linked_id == approval_id
    return approval_id, token


def show(approval_id: str, token: str) -> commands.ShowApprovalLink:
    return commands.ShowApprovalLink(approval_id=approval_id, token=token)


def use(approval_id: str, token: str, decision: str = "approved", note: str = "") -> commands.AnswerApprovalLink:
    return commands.AnswerApprovalLink(approval_id=approval_id, token=token, decision=decision, note=note)


async def test_looking_at_a_link_shows_what_it_would_decide_and_changes_nothing(told: Desk, receiver: Receiver) -> None:
    approval_id, token = await linked(told, receiver, approvers=["alice"], message="Delete it?")
    before = await told.events(approval_id)
    for _ in range(3):
        assert await told.result(show(approval_id, token), actor="", tenant_id="") == {
            "approvalId": approval_id,
            "workflowName": "Clean the disk",
            "message": "Delete it?",
            "status": "pending",
            "expiresAt": None,
            "approver": "link:hook",
        }
    assert await told.events(approval_id) == before


@pytest.mark.parametrize("decision", ["approved", "rejected"])
async def test_a_link_decides_once_in_the_name_of_the_channel_it_was_sent_to(
    told: Desk, receiver: Receiver, decision: str
) -> None:
    approval_id, token = await linked(told, receiver, approvers=["alice"])
    result = await told.result(use(approval_id, token, decision, "from the train"), actor="", tenant_id="")
    assert (result["status"], result["respondedBy"], result["respondedVia"]) == (decision, "link:hook", "link")
    (resolved,) = await told.told(approval_id, reports.ApprovalResolved)
    assert (resolved.responded_by, resolved.via, resolved.note) == ("link:hook", "link", "from the train")
    for command in (use(approval_id, token), show(approval_id, token)):
        reply = await told.ask(command)
        assert reply.problem is not None
        assert (reply.problem.status, reply.problem.code) == (409, "already_resolved")
        assert "this link was used" in reply.problem.detail
        assert reply.problem.extra["decision"] == decision


async def test_a_link_that_was_changed_or_belongs_to_another_approval_decides_nothing(told: Desk, receiver: Receiver) -> None:
    approval_id, token = await linked(told, receiver)
    other = await told.opened(channels=[])
    for wanted, given in ((approval_id, "x" + token), (approval_id, ""), (other, token), (new_id(), token)):
        for command in (show(wanted, given), use(wanted, given)):
            assert await refused(told, command) == (403, "link_invalid")
    for each in (approval_id, other):
        assert "approval.resolved" not in [event.topic for event in await told.events(each)]


async def test_a_link_is_revoked_by_every_way_an_approval_can_end(told: Desk, receiver: Receiver) -> None:
    approval_id, token = await linked(told, receiver)
    await told.cancel(approval_id)
    await told.told(approval_id, reports.ApprovalResolved)
    reply: Reply = await told.ask(use(approval_id, token))
    assert reply.problem is not None
    assert (reply.problem.code, reply.problem.extra["decision"]) == ("already_resolved", "cancelled")
    assert "needs no answer any more" in reply.problem.detail


async def test_of_many_clicks_on_one_link_one_decides(told: Desk, receiver: Receiver) -> None:
    approval_id, token = await linked(told, receiver)
    replies = await asyncio.gather(*(told.ask(use(approval_id, token)) for _ in range(20)))
    assert [reply.problem is None for reply in replies].count(True) == 1


async def test_an_expired_link_says_so(bus: MemoryBus, pool: asyncpg.Pool, receiver: Receiver) -> None:
    clock = FrozenClock(datetime(2026, 11, 22, 17, tzinfo=UTC))
    async with (
        approvals_service(bus, pool, clock, approvals_secret=SECRET, public_url=ADDRESS),
        desk(bus, pool) as told,
    ):
        approval_id, token = await linked(told, receiver, at=clock.now())
        clock.advance(7 * 86400)
        for command in (show(approval_id, token), use(approval_id, token)):
            assert await refused(told, command) == (410, "link_expired")
        assert "approval.resolved" not in [event.topic for event in await told.events(approval_id)]
