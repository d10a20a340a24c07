"""Commands about notification channels."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any

import structlog
from runyard_shared.clock import Clock, rfc3339
from runyard_shared.contracts import commands
from runyard_shared.contracts.commands import Problem, Request
from runyard_shared.errors import FieldProblem, Invalid, Refusal
from runyard_shared.messaging.answers import Answer, answers_to, problem_of

from runyard_approvals.notifications.channels import Channel, Channels
from runyard_approvals.notifications.message import test_message_of
from runyard_approvals.notifications.sender import Sender

Post = Callable[[Sequence[Answer]], Awaitable[None]]
_log = structlog.get_logger(__name__)
_LONGEST_NAME = 100


class ChannelHandler:
    """`post` sends the answers that take longer than the inbox should wait."""

    def __init__(self, channels: Channels, sender: Sender, clock: Clock, post: Post) -> None:
        self._channels = channels
        self._sender = sender
        self._clock = clock
        self._post = post
        self._tests: set[asyncio.Task[None]] = set()

    async def handle(self, request: Request) -> list[Answer]:
        """The answer; none yet for a test, which is under way when this returns."""
        if isinstance(request.command, commands.TestChannel):
            test = asyncio.create_task(self._test(request, request.command), name="test channel")
            self._tests.add(test)
            test.add_done_callback(self._tests.discard)
            return []
        return answers_to([(request, await self._outcome(request))], None)

    async def stop(self) -> None:
        """Tests under way are broken off."""
        for test in self._tests:
            test.cancel()
        await asyncio.gather(*self._tests, return_exceptions=True)

    async def _outcome(self, request: Request) -> dict[str, Any] | Problem:
        try:
            return await self._carry_out(request)
        except Refusal as refusal:
            return problem_of(refusal)

    async def _carry_out(self, request: Request) -> dict[str, Any]:
        tenant_id, command = request.tenant_id, request.command
        match command:
            case commands.SaveChannel():
                return await self._save(tenant_id, command)
            case commands.DeleteChannel(channel_id=channel_id):
                await self._channels.delete(tenant_id, channel_id, request.request_id)
                return {"channelId": channel_id}
            case commands.ListChannels():
                return {"items": [_row(channel) for channel in await self._channels.all(tenant_id)]}
            case commands.RotateSecrets(limit=limit):
                rotated = await self._channels.rotate(limit)
                return {**asdict(rotated), "unreadable": list(rotated.unreadable)}
            case _:
                raise TypeError(f"{type(command).__name__} is not for channels")

    async def _save(self, tenant_id: str, command: commands.SaveChannel) -> dict[str, Any]:
        name = command.name.strip()
        problems: list[FieldProblem] = []
        kind: str | None = None
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            problems.append(FieldProblem("name", f"must have 1 to {_LONGEST_NAME} printable characters"))
        if command.url is not None:
            try:
                kind = await self._sender.kind_of(command.url)
            except Invalid as invalid:
                problems += invalid.errors
        if problems:
            words = "; ".join(f"{problem.path} {problem.message}" for problem in problems)
            raise Invalid("invalid_channel", words, tuple(problems))
        if command.url is None or kind is None:
            kind = await self._channels.change(tenant_id, command.channel_id, name, enabled=command.enabled)
        else:
            channel = Channel(command.channel_id, name, kind, command.enabled, self._clock.now())
            await self._channels.save(tenant_id, channel, command.url)
        return {"channelId": command.channel_id, "name": name, "kind": kind, "enabled": command.enabled}

    async def _test(self, request: Request, command: commands.TestChannel) -> None:
        try:
            outcome: dict[str, Any] | Problem
            try:
                channel, url = await self._channels.get(request.tenant_id, command.channel_id)
                sent = await self._sender.send(url, test_message_of(channel.name))
                outcome = {"delivered": sent.error is None, "error": sent.error}
            except Refusal as refusal:
                outcome = problem_of(refusal)
            await self._post(answers_to([(request, outcome)], None))
        except Exception:  # noqa: BLE001 - whoever asked gives up waiting, and may ask again
            _log.exception("a channel could not be tested", channel_id=command.channel_id)


def _row(channel: Channel) -> dict[str, Any]:
    return {
        "channelId": channel.channel_id,
        "name": channel.name,
        "kind": channel.kind,
        "enabled": channel.enabled,
        "createdAt": rfc3339(channel.created_at),
    }
