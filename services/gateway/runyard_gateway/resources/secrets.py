"""Rotating what secrets at rest are protected with: those of connections, of notification channels, and of webhooks that sign.

Each call protects some of them with the newest key, and says how many remain. What is done stays done: a rotation that was
broken off anywhere, or a gateway that died over it, is simply gone on with.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

from runyard_shared.contracts.commands import RotateSecrets
from runyard_shared.errors import Refusal
from starlette.types import ASGIApp

from runyard_gateway import answers
from runyard_gateway.commands import Commands
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.webhooks import WebhookQueries
from runyard_gateway.webhook_proof import WebhookProofs

AT_ONCE: Final = 200
"""Secrets of each kind in one call: some tens of milliseconds of work."""


class Secrets:
    def __init__(self, commands: Commands, webhooks: WebhookQueries, proofs: WebhookProofs) -> None:
        self._commands = commands
        self._webhooks = webhooks
        self._proofs = proofs

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="POST", path="/api/v1/secrets/rotate", handle=self.rotate, name="rotateSecrets", tag="system",
                permission=Permission.INSTALLATION, answer=answers.SecretsRotated, refusals={409: "other_master_key"},
                summary="Protect secrets at rest with the newest key, some at a time: to be repeated until none remain",
            ),
        )  # fmt: skip

    async def rotate(self, call: Call) -> ASGIApp:
        command = RotateSecrets(limit=AT_ONCE)
        parts = [
            _part("connections", await self._of_connections(call, command)),
            _part("channels", await self._commands.send_to_approvals(call, call.new_id(), command)),
            _part("webhooks", await self._of_webhooks()),
        ]
        return json_answer(answers.SecretsRotated(parts=parts, remaining=sum(part.remaining for part in parts)))

    async def _of_connections(self, call: Call, command: RotateSecrets) -> dict[str, Any]:
        try:
            return await self._commands.send_to_dispatcher(call, command, request_id=call.new_id())
        except Refusal as refusal:
            if refusal.code != "no_master_key":
                raise
            return {"changed": 0, "current": 0, "remaining": 0, "unreadable": []}  # then there are no such secrets

    async def _of_webhooks(self) -> dict[str, Any]:
        changed = current = remaining = 0
        unreadable = []
        for hook in await self._webhooks.signing():
            held = [secret for secret in (hook.secret, hook.old_secret) if secret is not None]
            if all([await self._proofs.is_current(each) for each in held]):
                current += 1
                continue
            renewed = [await self._proofs.renewed(each) for each in held]
            if renewed[0] is None:
                unreadable.append(f"{hook.tenant_id}/{hook.webhook_id}")
            elif changed >= AT_ONCE:
                remaining += 1
            else:
                await self._webhooks.renew(hook, renewed[0], renewed[1] if len(renewed) > 1 else None)
                changed += 1
        return {"changed": changed, "current": current, "remaining": remaining, "unreadable": unreadable}


def _part(name: Literal["connections", "channels", "webhooks"], result: dict[str, Any]) -> answers.RotatedPart:
    return answers.RotatedPart(
        name=name,
        changed=result["changed"],
        current=result["current"],
        remaining=result["remaining"],
        unreadable=result["unreadable"],
    )
