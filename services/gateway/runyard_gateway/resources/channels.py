"""Notification channels: where approvers are told. The approvals service keeps them, and their secrets."""

from collections.abc import Sequence
from typing import Any

from runyard_shared.contracts import commands
from runyard_shared.errors import NotFound
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands
from runyard_gateway.http.answer import json_answer, nothing_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.resources.path_ids import channel_id_of

PATH = "/api/v1/notification-channels"
_NOT_FOUND = {404: "channel_not_found"}
_TAKEN = {409: "channel_name_taken", 422: "invalid_channel"}


class Channels:
    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{channelId}}"
        return (
            _operation("GET", PATH, self.list, "listChannels", "Notification channels; never their URLs", answers.ChannelList),
            _operation("POST", PATH, self.create, "createChannel", "A new channel: e-mail, chat, webhook, by its URL",
                       answers.Channel, status=201, body=requests.CreateChannel, body_required=True, refusals=_TAKEN),
            _operation("PUT", one, self.replace, "replaceChannel", "Replace a channel; without a URL it keeps the one it has",
                       answers.Channel, body=requests.ReplaceChannel, body_required=True, refusals={**_NOT_FOUND, **_TAKEN}),
            _operation("DELETE", one, self.delete, "deleteChannel", "Delete a channel", None, status=204, answer_types=(),
                       refusals=_NOT_FOUND),
            _operation("POST", f"{one}/test", self.test, "testChannel", "Send a test message now", answers.ChannelTested,
                       refusals=_NOT_FOUND),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        result = await self._commands.send_to_approvals(call, "", commands.ListChannels())
        items = [
            answers.ChannelRow(
                channel_id=each["channelId"],
                name=each["name"],
                kind=each["kind"],
                enabled=each["enabled"],
                created_at=each["createdAt"],
            )
            for each in result["items"]
        ]
        return json_answer(answers.ChannelList(items=items, next_cursor=None))

    async def create(self, call: Call) -> ASGIApp:
        return await self._save(call, call.new_id(), 201)

    async def replace(self, call: Call) -> ASGIApp:
        """Refused for a channel that is not there: a mistyped id must not make a second one."""
        channel_id = channel_id_of(call)
        known = await self._commands.send_to_approvals(call, "", commands.ListChannels())
        if channel_id not in {each["channelId"] for each in known["items"]}:
            raise NotFound("channel_not_found", f"There is no notification channel {channel_id}.")
        return await self._save(call, channel_id, 200)

    async def _save(self, call: Call, channel_id: str, status: int) -> ASGIApp:
        body: requests.ReplaceChannel = call.body
        command = commands.SaveChannel(channel_id=channel_id, name=body.name, url=body.url, enabled=body.enabled)
        result = await self._commands.send_to_approvals(call, channel_id, command)
        saved = answers.Channel(
            channel_id=result["channelId"], name=result["name"], kind=result["kind"], enabled=result["enabled"]
        )
        return json_answer(saved, status)

    async def delete(self, call: Call) -> ASGIApp:
        channel_id = channel_id_of(call)
        await self._commands.send_to_approvals(call, channel_id, commands.DeleteChannel(channel_id=channel_id))
        return nothing_answer()

    async def test(self, call: Call) -> ASGIApp:
        channel_id = channel_id_of(call)
        command = commands.TestChannel(channel_id=channel_id)
        result = await self._commands.send_to_approvals(call, channel_id, command)
        return json_answer(answers.ChannelTested(delivered=result["delivered"], error=result.get("error")))


def _operation(method: str, path: str, handle: Any, name: str, summary: str, answer: Any, **options: Any) -> Operation:
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="approvals", answer=answer,
        permission=Permission.MANAGE, **options,
    )  # fmt: skip
