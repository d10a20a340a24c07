"""The inbox of the approvals service: one call handles one list of a partition, load, ask, append.

Items of one approval are handled in order and appended together; approvals are independent of each other, and their appends
gather in one commit. Everything may come twice: a known request, order or timer changes nothing.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from runyard_shared.contracts import commands
from runyard_shared.contracts.approvals import CancelApproval, RequestApproval
from runyard_shared.contracts.commands import Request, TimerDue
from runyard_shared.messaging.answers import Answer

from runyard_approvals.approval_handler import ApprovalHandler
from runyard_approvals.channel_handler import ChannelHandler

InboxItem = Request | TimerDue | RequestApproval | CancelApproval
_CHANNEL_COMMANDS = (
    commands.SaveChannel,
    commands.DeleteChannel,
    commands.TestChannel,
    commands.ListChannels,
    commands.RotateSecrets,
)


class Handlers:
    """Handles what comes to the inbox; returns the answers to be posted."""

    def __init__(self, approvals: ApprovalHandler, channels: ChannelHandler) -> None:
        self._approvals = approvals
        self._channels = channels

    async def handle(self, items: Sequence[InboxItem]) -> list[Answer]:
        """Handle a list in order. Raises the first error after everything else was handled; then the list comes again."""
        approvals: dict[str, list[Any]] = {}
        about_channels: list[Request] = []
        for item in items:
            if isinstance(item, Request) and isinstance(item.command, _CHANNEL_COMMANDS):
                about_channels.append(item)
            else:
                approvals.setdefault(_approval_of(item), []).append(item)
        results = await asyncio.gather(
            self._one_by_one(about_channels),
            *(self._approvals.handle(approval_id, theirs) for approval_id, theirs in approvals.items()),
            return_exceptions=True,
        )
        answers: list[Answer] = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            answers += result
        return answers

    async def _one_by_one(self, requests: Sequence[Request]) -> list[Answer]:
        return [answer for request in requests for answer in await self._channels.handle(request)]


def _approval_of(item: InboxItem) -> str:
    if isinstance(item, Request):
        command: Any = item.command
        return str(command.approval_id)
    return item.stream_id if isinstance(item, TimerDue) else item.approval_id
