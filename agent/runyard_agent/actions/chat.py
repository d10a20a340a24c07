"""`slack.sendMessage`, `teams.sendMessage`: one message through the webhook of a connection.

The webhook's URL is the secret: whoever has it can post. So words about it name the host at most, and what the receiver says is
cleared of the URL's parts before anybody reads it.
"""

import asyncio
import email.utils
import time
from abc import abstractmethod
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final, Generic, TypeVar

import httpx
import msgspec
from runyard_shared.contracts.actions import ChatParams
from runyard_shared.contracts.connections import ChatConfig, ChatSecrets, OpenedConnection
from runyard_shared.contracts.jobs import RunJob

from runyard_agent.actions.base import Action, Context, InvalidParams, Outcome, ProbeFailed
from runyard_agent.actions.causes import cause_of
from runyard_agent.actions.opened import opened
from runyard_agent.actions.tls import tls_context, untrusted
from runyard_agent.settings import Settings

P = TypeVar("P", bound=ChatParams)
_ANSWER_SECONDS: Final = 30.0
_WAITS: Final = 10
"""How often a receiver may ask to wait before it counts as a refusal."""
_LONGEST_WAIT_SECONDS: Final = 600.0
_UNTOLD_WAIT_SECONDS: Final = 1.0
_WORDS_LIMIT: Final = 500


class _WebhookMessage(Action[P], Generic[P]):
    """What both have in common: post, wait where the receiver asks for it, say what it refused. Nothing else is repeated: a
    message whose answer got lost may have been posted."""

    receiver: str

    @abstractmethod
    def message(self, params: P) -> dict[str, Any]:
        """The JSON that the receiver takes. Raises `InvalidParams`."""

    @abstractmethod
    def refusal(self, response: httpx.Response) -> str | None:
        """What the receiver says it did not take, and what to do; None if it took the message."""

    async def run(self, params: P, context: Context) -> Outcome:
        _, secrets = opened(context.connection, ChatConfig, ChatSecrets)
        content = msgspec.json.encode(self.message(params))
        webhook = _url_of(secrets.webhook_url)
        ends_at = _end_of(context.job)
        async with httpx.AsyncClient(
            verify=await tls_context(),
            timeout=httpx.Timeout(_ANSWER_SECONDS, connect=self.settings.http_connect_timeout_seconds),
            headers={"content-type": "application/json", "user-agent": f"runyard-agent/{version('runyard-agent')}"},
        ) as client:
            for waits in range(_WAITS + 1):
                try:
                    response = await client.post(webhook, content=content)
                except httpx.HTTPError as error:
                    return Outcome.failed("exception", _cleared(self._words(error, webhook), webhook))
                if response.status_code != 429 or waits == _WAITS:
                    break
                seconds = _retry_after(response)
                if seconds > _LONGEST_WAIT_SECONDS or (ends_at is not None and time.monotonic() + seconds >= ends_at):
                    why = "send less often" if seconds > _LONGEST_WAIT_SECONDS else "the node's timeout is too short for that"
                    message = f"{self.receiver} answered 429: it takes no message for another {seconds:g} s; {why}"
                    return Outcome.failed("http_status", message, {"statusCode": 429}, status_code=429)
                stdout = context.stream("stdout")
                stdout.write(f"{self.receiver} asks to wait {seconds:g} s before the next message\n".encode())
                await asyncio.sleep(seconds)
        output = {"statusCode": response.status_code}
        refusal = self.refusal(response)
        if refusal is None:
            return Outcome.completed(output)
        status = f"{response.status_code} {response.reason_phrase}".rstrip()
        words = _cleared(f"{self.receiver} answered {status}: {refusal}", webhook)
        return Outcome.failed("http_status", words, output, status_code=response.status_code)

    def _words(self, error: httpx.HTTPError, webhook: httpx.URL) -> str:
        match error:
            case httpx.ConnectTimeout():
                return f"{webhook.host}: no connection within {self.settings.http_connect_timeout_seconds:g} s"
            case httpx.TimeoutException():
                return f"{webhook.host}: no answer within {_ANSWER_SECONDS:g} s; whether the message was posted is not known"
            case httpx.ConnectError():
                return f"{webhook.host}: cannot connect: {untrusted(error) or cause_of(error)}"
            case _:
                return f"{webhook.host}: {cause_of(error)}; whether the message was posted is not known"


class SlackMessage(_WebhookMessage[ChatParams], built_in="slack.sendMessage"):
    """`text` is Slack's mrkdwn, `title` is plain and stands in bold above it."""

    receiver = "Slack"

    def message(self, params: ChatParams) -> dict[str, Any]:
        text = params.text
        if params.title is not None:
            # in mrkdwn these three must be escaped, and an asterisk would end the bold
            title = params.title.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("*", "∗")
            text = f"*{' '.join(title.split())}*\n{text}"
        if len(text) > _SLACK_TEXT:
            raise InvalidParams(f"title, text: {len(text)} characters are more than the {_SLACK_TEXT} that Slack shows")
        return {"text": text}

    def refusal(self, response: httpx.Response) -> str | None:
        if response.status_code == 200:
            return None
        said = response.text.strip()[:_WORDS_LIMIT]
        advice = _SLACK_SAYS.get(said)
        return f"{said} ({advice})" if advice else said or _by_status(response.status_code)


class TeamsMessage(_WebhookMessage[ChatParams], built_in="teams.sendMessage"):
    """As an Adaptive Card, which is what the webhooks of Teams workflows post. `text` may use the card's markdown."""

    receiver = "Teams"

    def message(self, params: ChatParams) -> dict[str, Any]:
        body: list[dict[str, Any]] = []
        if params.title is not None:
            body.append({"type": "TextBlock", "text": params.title, "size": "Large", "weight": "Bolder", "wrap": True})
        body.append({"type": "TextBlock", "text": _lines(params.text), "wrap": True})
        card = {
            "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
            "type": "AdaptiveCard",
            "version": "1.4",
            "body": body,
            "msteams": {"width": "Full"},
        }
        attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
        message = {"type": "message", "attachments": [attachment]}
        # a workflow accepts more, and then fails where nobody sees it
        size = len(msgspec.json.encode(message))
        if size > _TEAMS_BYTES:
            raise InvalidParams(f"title, text: a message of {size} bytes is more than the {_TEAMS_BYTES} that Teams posts")
        return message

    def refusal(self, response: httpx.Response) -> str | None:
        said = response.text.strip()[:_WORDS_LIMIT]
        if response.is_success:
            # an incoming webhook of the old kind answers 200 and says in the text what went wrong
            return said if "failed" in said.lower() else None
        try:
            error = msgspec.json.decode(response.content).get("error", {})
            said = ": ".join(str(error[part]) for part in ("code", "message") if error.get(part)) or said
        except (msgspec.DecodeError, AttributeError, TypeError):
            pass  # no JSON, or of another shape: the text is what it says
        return said[:_WORDS_LIMIT] or _by_status(response.status_code)


async def probe_webhook(connection: OpenedConnection, settings: Settings) -> str:
    """Only whether the receiver can be reached: whatever is sent to a webhook is posted."""
    try:
        _, secrets = opened(connection, ChatConfig, ChatSecrets)
        webhook = _url_of(secrets.webhook_url)
        context = await tls_context() if webhook.scheme == "https" else None
    except InvalidParams as invalid:
        raise ProbeFailed(str(invalid)) from None
    port = webhook.port or (443 if context else 80)
    try:
        async with asyncio.timeout(settings.http_connect_timeout_seconds):
            _, writer = await asyncio.open_connection(webhook.host, port, ssl=context)
    except TimeoutError:
        raise ProbeFailed(f"{webhook.host}:{port}: no connection within {settings.http_connect_timeout_seconds:g} s") from None
    except OSError as error:
        raise ProbeFailed(f"{webhook.host}:{port}: cannot connect: {untrusted(error) or cause_of(error)}") from None
    writer.close()
    how = "over TLS" if context else "without TLS"
    return f"reached {webhook.host}:{port} {how}; nothing was sent, so whether it takes this webhook is not known"


_SLACK_TEXT: Final = 40_000
_TEAMS_BYTES: Final = 28 * 1024
_SLACK_SAYS: Final = {
    "invalid_payload": "it cannot read the message",
    "invalid_token": "the webhook's URL is wrong or was revoked: make a new webhook, and save the connection with its URL",
    "no_service": "the webhook is disabled or was removed: make a new one, and save the connection with its URL",
    "no_active_hooks": "the webhook is disabled: make a new one, and save the connection with its URL",
    "no_team": "the workspace does not exist any more",
    "team_disabled": "the workspace is disabled",
    "user_not_found": "who made the webhook is gone: make a new one, and save the connection with its URL",
    "channel_not_found": "the webhook's channel does not exist any more",
    "channel_is_archived": "the webhook's channel is archived",
    "action_prohibited": "an administrator of the workspace has restricted this channel or webhooks",
    "posting_to_general_channel_denied": "only some people may post to the workspace's general channel",
    "too_many_attachments": "the message has too many parts",
}


def _by_status(status: int) -> str:
    if status >= 500:
        return "the receiver has a problem of its own; whether the message was posted is not known"
    if status in (401, 403, 404, 410):
        return "the webhook's URL is wrong or was revoked: make a new webhook, and save the connection with its URL"
    if status == 413:
        return "the message is too large"
    if status == 429:
        return "too many messages at once"
    if 300 <= status < 400:
        return "a webhook does not redirect: the connection's URL is wrong"
    return "the message was not taken"


def _lines(text: str) -> str:
    """A card's markdown runs single lines together."""
    return "\n\n".join(text.splitlines())


def _end_of(job: RunJob) -> float | None:
    return time.monotonic() + job.timeout_seconds if job.timeout_seconds > 0 else None


def _retry_after(response: httpx.Response) -> float:
    """Seconds, from a number or a date."""
    given = response.headers.get("retry-after", "").strip()
    if given.isdecimal():
        return float(given)
    try:
        until = email.utils.parsedate_to_datetime(given)
    except ValueError:
        return _UNTOLD_WAIT_SECONDS
    return max(0.0, (until.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _url_of(webhook: str) -> httpx.URL:
    try:
        url = httpx.URL(webhook)
        if url.scheme in ("http", "https") and url.host:
            return url
    except (httpx.InvalidURL, ValueError):
        pass  # its text quotes the URL
    raise InvalidParams("the connection's webhookUrl is no URL: save the connection with the one that the receiver shows")


def _cleared(words: str, webhook: httpx.URL) -> str:
    for part in (str(webhook), webhook.raw_path.decode(), webhook.path, webhook.query.decode()):
        if len(part) > 1:
            words = words.replace(part, "***")
    return words
