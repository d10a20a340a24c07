"""`slack.sendMessage` and `teams.sendMessage` against receivers that answer as the real ones do."""

import asyncio
import json
import socket
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from runyard_agent.actions.base import Action, ProbeFailed
from runyard_agent.actions.chat import SlackMessage, TeamsMessage
from runyard_agent.probe import probe
from runyard_agent.settings import Settings
from runyard_agent.testing import Ran, run_action
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.contracts.values import JobStatus
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.agents import until
from tests.certificates import server_certificate
from tests.webserver import serving

SECRET_PATH = "/services/T000/B000/geheim4711"
Answer = tuple[int, str, dict[str, str]]


@dataclass
class Webhook:
    """Takes what is posted to its path; `answers` come first, then `ok`."""

    url: str = ""
    ok: Answer = (200, "ok", {})
    got: list[dict[str, Any]] = field(default_factory=list)
    answers: deque[Answer] = field(default_factory=deque)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: Request) -> Response:
        self.got.append(json.loads(await request.body()))
        assert request.headers["content-type"] == "application/json"
        await self.gate.wait()
        status, body, headers = self.answers.popleft() if self.answers else self.ok
        return Response(body, status, headers)


@pytest.fixture
async def webhook() -> AsyncIterator[Webhook]:
    hook = Webhook()
    hook.gate.set()
    app = Starlette(routes=[Route(SECRET_PATH, hook.take, methods=["POST"])])
    async with serving(app) as address:
        hook.url = address + SECRET_PATH
        yield hook
        hook.gate.set()


def connection(url: str, kind: str = "slack") -> OpenedConnection:
    return OpenedConnection(name="ops-channel", kind=kind, config={}, secrets={"webhookUrl": url})


async def slack(webhook: Webhook, **more: Any) -> Ran:
    params = more.pop("params", {"text": "disk full"})
    return await run_action(SlackMessage, params, connection=connection(webhook.url), **more)


async def teams(webhook: Webhook, **params: Any) -> Ran:
    return await run_action(TeamsMessage, params, connection=connection(webhook.url, "teams"))


def words_of(ran: Ran) -> str:
    assert ran.error is not None
    assert "geheim4711" not in ran.error.message
    return ran.error.message


async def test_slack_gets_the_title_in_bold_above_the_text(webhook: Webhook) -> None:
    ran = await slack(webhook, params={"text": "see <https://x|here>", "title": "A & B <prod>\n*now*"})
    assert (ran.status, ran.output) == (JobStatus.COMPLETED, {"statusCode": 200})
    assert webhook.got == [{"text": "*A &amp; B &lt;prod&gt; ∗now∗*\nsee <https://x|here>"}]


async def test_teams_gets_an_adaptive_card_whose_lines_stay_lines(webhook: Webhook) -> None:
    webhook.ok = (202, "", {})
    ran = await teams(webhook, text="one\ntwo", title="Backup")
    assert (ran.status, ran.output) == (JobStatus.COMPLETED, {"statusCode": 202})
    (message,) = webhook.got
    assert message["type"] == "message"
    (attachment,) = message["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert [(block["type"], block["text"], block["wrap"]) for block in card["body"]] == [
        ("TextBlock", "Backup", True),
        ("TextBlock", "one\n\ntwo", True),
    ]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, "invalid_payload", {}), "Slack answered 400 Bad Request: invalid_payload (it cannot read the message)"),
        ((404, "no_service", {}), "no_service (the webhook is disabled or was removed: make a new one"),
        ((410, "channel_is_archived", {}), "channel_is_archived (the webhook's channel is archived)"),
        ((403, "", {}), "the webhook's URL is wrong or was revoked"),
        ((302, "", {"location": "https://slack.com"}), "a webhook does not redirect"),
        ((500, "rollup_error", {}), "Slack answered 500 Internal Server Error: rollup_error"),
        ((503, "", {}), "whether the message was posted is not known"),
    ],
)
async def test_what_slack_refuses_is_said_with_what_to_do(webhook: Webhook, answer: Answer, words: str) -> None:
    webhook.answers.append(answer)
    ran = await slack(webhook)
    assert ran.status is JobStatus.FAILED
    assert ran.error is not None
    assert (ran.error.reason, ran.error.status_code) == ("http_status", answer[0])
    assert words in words_of(ran)
    assert len(webhook.got) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            (400, '{"error": {"code": "TriggerInputSchemaMismatch", "message": "The input body is wrong"}}', {}),
            "Teams answered 400 Bad Request: TriggerInputSchemaMismatch: The input body is wrong",
        ),
        (
            (200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", {}),
            "HTTP error 429",
        ),
        ((401, '{"error": "x"}', {}), '{"error": "x"}'),
        ((404, "", {}), "the webhook's URL is wrong or was revoked"),
    ],
)
async def test_what_teams_refuses_is_said_even_if_it_answers_200(webhook: Webhook, answer: Answer, words: str) -> None:
    webhook.answers.append(answer)
    ran = await teams(webhook, text="x")
    assert ran.status is JobStatus.FAILED
    assert words in words_of(ran)


async def test_a_receiver_that_repeats_its_url_does_not_show_it(webhook: Webhook) -> None:
    webhook.answers.append((404, f"no route {SECRET_PATH} at {webhook.url}", {}))
    assert words_of(await slack(webhook)).startswith("Slack answered 404 Not Found: no route *** at ")


async def test_where_slack_asks_to_wait_the_message_is_sent_again_after_that(webhook: Webhook) -> None:
    webhook.answers += [
        (429, "rate_limited", {"retry-after": "1"}),
        (429, "rate_limited", {"retry-after": formatdate(0, usegmt=True)}),
    ]
    began = time.monotonic()
    ran = await slack(webhook, timeout_seconds=20)
    assert ran.status is JobStatus.COMPLETED
    assert time.monotonic() - began >= 1
    assert len(webhook.got) == 3
    assert ran.streams["stdout"].splitlines()[0] == b"Slack asks to wait 1 s before the next message"


@pytest.mark.parametrize(("timeout_seconds", "retry_after", "why"), [(5, "30", "too short"), (0, "7200", "send less often")])
async def test_a_wait_that_does_not_fit_into_the_job_fails_it_at_once(
    webhook: Webhook, timeout_seconds: float, retry_after: str, why: str
) -> None:
    webhook.answers.append((429, "rate_limited", {"retry-after": retry_after}))
    ran = await slack(webhook, timeout_seconds=timeout_seconds)
    assert ran.status is JobStatus.FAILED
    assert f"takes no message for another {retry_after} s" in words_of(ran)
    assert why in words_of(ran)


async def test_a_silent_receiver_is_ended_by_the_timeout_and_by_a_cancel(webhook: Webhook) -> None:
    webhook.gate.clear()
    assert (await slack(webhook, timeout_seconds=0.3)).status is JobStatus.TIMEOUT
    cancel, before = asyncio.Event(), len(webhook.got)
    running = asyncio.create_task(slack(webhook, cancel=cancel))
    await until(lambda: len(webhook.got) > before)
    cancel.set()
    assert (await running).status is JobStatus.CANCELLED


@pytest.mark.parametrize(
    ("action", "text", "title"),
    [(SlackMessage, "x" * 39_990, "y" * 20), (TeamsMessage, "x" * 30_000, None), (TeamsMessage, "", None)],
)
async def test_a_message_that_would_not_be_shown_whole_is_not_sent(
    webhook: Webhook, action: type[Action[Any]], text: str, title: str | None
) -> None:
    kind = "slack" if action is SlackMessage else "teams"
    ran = await run_action(action, {"text": text, "title": title}, connection=connection(webhook.url, kind))
    assert ran.error is not None
    assert ran.error.reason == "invalid_params"
    assert "text" in ran.error.message
    assert webhook.got == []


@pytest.mark.parametrize("url", ["https://host:port/geheim4711", "http://", "https://ho st/geheim4711"])
async def test_a_broken_url_is_not_shown(url: str) -> None:
    ran = await run_action(SlackMessage, {"text": "x"}, connection=connection(url))
    assert "webhookUrl" in words_of(ran)


async def test_a_receiver_that_is_not_there_is_named_without_its_path(unused_port: int) -> None:
    ran = await run_action(SlackMessage, {"text": "x"}, connection=connection(f"http://127.0.0.1:{unused_port}{SECRET_PATH}"))
    assert words_of(ran) == "127.0.0.1: cannot connect: Connection refused"


async def test_a_receiver_with_an_unknown_certificate_gets_nothing(tmp_path: Path) -> None:
    hook = Webhook()
    async with serving(Starlette(routes=[Route("/x", hook.take, methods=["POST"])]), server_certificate(tmp_path)) as address:
        ran = await run_action(SlackMessage, {"text": "x"}, connection=connection(f"{address}/x"))
        assert "its certificate is not trusted" in words_of(ran)
        with pytest.raises(ProbeFailed, match="its certificate is not trusted"):
            await probe(connection(f"{address}/x"), Settings())
    assert hook.got == []


@pytest.mark.parametrize("kind", ["slack", "teams"])
async def test_the_probe_reaches_the_receiver_and_posts_nothing(webhook: Webhook, kind: str) -> None:
    found = await probe(connection(webhook.url, kind), Settings())
    assert "reached 127.0.0.1:" in found
    assert "nothing was sent" in found
    assert "geheim4711" not in found
    assert webhook.got == []


async def test_the_probe_says_why_a_receiver_cannot_be_reached(unused_port: int) -> None:
    with pytest.raises(ProbeFailed, match="cannot connect: Connection refused"):
        await probe(connection(f"http://127.0.0.1:{unused_port}/x"), Settings())


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])
