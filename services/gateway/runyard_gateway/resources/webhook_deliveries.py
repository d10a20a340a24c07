"""What other systems send to a webhook: each delivery starts one execution, however often and wherever it arrives (R1, R49).

One transaction counts the request and settles which execution it is for. From then on whoever gets the delivery again, here or
at another gateway, after whatever death, asks the orchestrator for that same execution, which begins once.
"""

from collections.abc import Sequence
from hashlib import sha256
from math import ceil
from time import monotonic

from runyard_shared.clock import Clock
from runyard_shared.contracts.commands import StartExecution
from runyard_shared.contracts.values import Trigger
from runyard_shared.errors import NotFound, Refusal
from runyard_shared.ids import new_id
from starlette.types import ASGIApp

from runyard_gateway import answers
from runyard_gateway.commands import Commands
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.identity import Identity
from runyard_gateway.http.operation import Call, Operation, RawBody
from runyard_gateway.queries.webhooks import PER_MINUTE, Hook, TooMany, WebhookQueries
from runyard_gateway.webhook_presets import PRESETS, GenericBody, variables_of
from runyard_gateway.webhook_proof import WebhookProofs, require_recent

PATH = "/api/v1/webhooks/{key}"
MAX_BLOCKED = 10_000


class WebhookDeliveries:
    def __init__(self, commands: Commands, queries: WebhookQueries, proofs: WebhookProofs, clock: Clock) -> None:
        self._commands = commands
        self._queries = queries
        self._proofs = proofs
        self._clock = clock
        self._blocked_until: dict[str, float] = {}

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="POST", path=PATH, handle=self.receive, name="receiveWebhook", tag="webhooks", status=202,
                summary="Start an execution; the same delivery again gets the first answer", permission=None, public=True,
                answer=answers.WebhookReceived, body=RawBody, body_schema=GenericBody, body_required=True,
                refusals={
                    401: "unauthorized: the secret or the signature is not right",
                    404: "webhook_not_found, also while it is disabled or its workflow cannot run",
                    422: "invalid_payload, with all problems",
                    429: f"too_many_requests: more than {PER_MINUTE} in a minute",
                    503: "unavailable: try again after Retry-After seconds",
                },
            ),
        )  # fmt: skip

    async def receive(self, call: Call) -> ASGIApp:
        body: RawBody = call.body
        hook = await self._queries.open(sha256(call.path["key"].encode()).digest())
        if hook is None:
            raise _nothing_here()
        await self._require_proof(hook, call, body.content)
        trouble: Refusal | None = None
        variables = None
        try:
            variables = variables_of(hook.preset, call.headers, body.content)
        except Refusal as refusal:
            trouble = refusal
        execution_id, claim = await self._count(hook, call, None if variables is None else body.content)
        if trouble is not None:
            raise trouble
        if variables is None or execution_id is None:
            return json_answer(answers.WebhookReceived(execution_id=None), 202)
        actor = f"webhook:{hook.webhook_id}"
        call.record.claim(hook.tenant_id, actor, hook.workflow_id)
        command = StartExecution(
            execution_id=execution_id,
            workflow_id=hook.workflow_id,
            variables={},
            trigger=Trigger(type="webhook", webhook_id=hook.webhook_id, payload=variables),
            idempotency_key=claim,
        )
        try:
            sender = call.on_behalf_of(Identity(hook.tenant_id, actor))
            outcome = await self._commands.begin(sender, command, "receiveWebhook")
        except Refusal as refusal:
            if refusal.status in {404, 409}:  # the workflow does not run, or has no such trigger
                raise _nothing_here() from refusal
            raise
        return json_answer(answers.WebhookReceived(execution_id=outcome.result["executionId"]), 202)

    async def _require_proof(self, hook: Hook, call: Call, content: bytes) -> None:
        preset = PRESETS[hook.preset]
        await self._proofs.check(hook.auth, preset, hook.stored, call.headers, content)
        if hook.max_age_seconds is not None:
            require_recent(preset, call.headers, hook.max_age_seconds, self._clock.now().timestamp())

    async def _count(self, hook: Hook, call: Call, content: bytes | None) -> tuple[str | None, str | None]:
        """The execution of this delivery and the key to start it with; None for a request that is no delivery."""
        now = monotonic()
        blocked = self._blocked_until.get(hook.hook_id, 0.0) - now
        if blocked > 0:
            raise _too_many(blocked)
        id_digest = payload_digest = None
        proposed = new_id()
        claim = f"webhook:{proposed}"
        if content is not None:
            payload_digest = sha256(b"payload\0" + content).digest()
            delivery_id = PRESETS[hook.preset].delivery_id(call.headers)
            if delivery_id is not None:
                id_digest = sha256(b"id\0" + delivery_id).digest()
                claim = f"webhook:{sha256(hook.hook_id.encode() + id_digest).hexdigest()}"
        received = await self._queries.receive(hook.hook_id, id_digest, payload_digest, proposed, claim)
        if isinstance(received, TooMany):
            self._block(hook.hook_id, now + received.retry_seconds)
            raise _too_many(received.retry_seconds)
        return received.execution_id, received.claim

    def _block(self, hook_id: str, until: float) -> None:
        """The limit cannot clear before that, so nobody needs to be asked again."""
        if len(self._blocked_until) >= MAX_BLOCKED:
            self._blocked_until.clear()
        self._blocked_until[hook_id] = until


def _nothing_here() -> NotFound:
    return NotFound("webhook_not_found", "There is no webhook here that takes this now.")


def _too_many(seconds: float) -> Refusal:
    detail = f"A webhook takes {PER_MINUTE} requests a minute; the next one in {max(1, ceil(seconds))} s."
    return Refusal("too_many_requests", detail, 429, extra={"retryAfterSeconds": max(1, ceil(seconds))})
