"""What opens the webhook triggers of a workflow: keys and secrets, shown when they are made and never again (R49)."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

import msgspec
from runyard_shared.clock import Clock
from runyard_shared.errors import Conflict, FieldProblem, Invalid, NotFound
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer, nothing_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import PageQuery
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.events import EventQueries
from runyard_gateway.queries.webhooks import FIRST_PAGE, HookKey, NewHook, WebhookQueries
from runyard_gateway.queries.workflows import WorkflowQueries
from runyard_gateway.read_position import WORKFLOWS, ReadPosition
from runyard_gateway.resources.path_ids import hook_id_of, no_workflow, workflow_id_of
from runyard_gateway.resources.webhook_deliveries import PATH as RECEIVING
from runyard_gateway.webhook_presets import PRESETS
from runyard_gateway.webhook_proof import WebhookProofs, new_webhook_key, new_webhook_secret

PATH = "/api/v1/workflows/{workflowId}/webhooks"
KEY_SHOWN = 8
_NOT_FOUND = {404: "webhook_not_found"}


class Webhooks:
    def __init__(
        self,
        queries: WebhookQueries,
        workflows: WorkflowQueries,
        events: EventQueries,
        read_position: ReadPosition,
        proofs: WebhookProofs,
        public_url: str,
        clock: Clock,
    ) -> None:
        self._queries = queries
        self._workflows = workflows
        self._events = events
        self._read_position = read_position
        self._proofs = proofs
        self._public_url = public_url.rstrip("/")
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{hookId}}"
        return (
            _operation("GET", PATH, self.list, "listWebhooks", "What opens its webhook triggers; never keys and secrets",
                       answers.WebhookList, query=PageQuery, refusals={404: "workflow_not_found"}),
            _operation("POST", PATH, self.create, "createWebhook",
                       "A new key and secret for a webhook trigger; this answer shows them, and no other will",
                       answers.WebhookMade, status=201, body=requests.CreateWebhook, body_required=True,
                       refusals={404: "workflow_not_found", 409: "workflow_archived", 422: "unfit_webhook"}),
            _operation("POST", f"{one}/rotate", self.rotate, "rotateWebhook", "A new secret, shown once; the address stays",
                       answers.WebhookSecretMade, body=requests.RotateWebhook, refusals=_NOT_FOUND),
            _operation("POST", f"{one}/disable", self.disable, "disableWebhook", "Take nothing; senders get 404",
                       answers.WebhookRow, refusals=_NOT_FOUND),
            _operation("POST", f"{one}/enable", self.enable, "enableWebhook", "Take what comes again", answers.WebhookRow,
                       refusals=_NOT_FOUND),
            _operation("DELETE", one, self.delete, "deleteWebhook", "Close it for good", None, status=204, answer_types=(),
                       refusals=_NOT_FOUND),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: PageQuery = call.query
        workflow_id = workflow_id_of(call)
        after = decode_cursor(query.cursor, HookKey) or FIRST_PAGE
        rows = await self._queries.page(call.tenant_id, workflow_id, after, query.limit + 1)
        if not rows:
            await self._workflow(call.tenant_id, workflow_id)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        cursor = encode_cursor(HookKey(UUID(rows[-1].hook_id))) if more else None
        return json_answer(answers.WebhookList(items=rows, next_cursor=cursor))

    async def create(self, call: Call) -> ASGIApp:
        body: requests.CreateWebhook = call.body
        workflow_id = workflow_id_of(call)
        _require_fit(body)
        workflow = await self._workflow(call.tenant_id, workflow_id)
        if workflow.archived:
            raise Conflict("workflow_archived", f"The workflow {workflow.name!r} is archived; nothing can start it.")
        key, secret = new_webhook_key(), new_webhook_secret()
        new = NewHook(
            hook_id=call.new_id(),
            workflow_id=workflow_id,
            webhook_id=body.webhook_id,
            description=body.description,
            auth=body.auth,
            preset=body.preset,
            max_age_seconds=body.max_age_seconds,
            key_sha256=sha256(key.encode()).digest(),
            key_begins=key[:KEY_SHOWN],
            stored=await self._proofs.stored(body.auth, secret),
        )
        row = await self._queries.add(call.tenant_id, new, self._clock.now(), call.identity.actor)
        base = self._public_url or f"http://{call.header(b'host') or 'localhost'}"
        url = f"{base}{RECEIVING.format(key=key)}"
        made = answers.WebhookMade(**msgspec.structs.asdict(row), key=key, secret=secret, url=url)
        return json_answer(made, 201)

    async def rotate(self, call: Call) -> ASGIApp:
        body: requests.RotateWebhook = call.body
        place = (call.tenant_id, workflow_id_of(call), hook_id_of(call))
        auth = await self._queries.auth(*place)
        if auth is None:
            raise _no_webhook(call)
        secret = new_webhook_secret()
        row = await self._queries.rotate(*place, await self._proofs.stored(auth, secret), body.old_secret_seconds)
        return json_answer(answers.WebhookSecretMade(**msgspec.structs.asdict(_found(row, call)), secret=secret))

    async def disable(self, call: Call) -> ASGIApp:
        return await self._enable(call, enabled=False)

    async def enable(self, call: Call) -> ASGIApp:
        return await self._enable(call, enabled=True)

    async def _enable(self, call: Call, *, enabled: bool) -> ASGIApp:
        row = await self._queries.enable(call.tenant_id, workflow_id_of(call), hook_id_of(call), enabled=enabled)
        return json_answer(_found(row, call))

    async def delete(self, call: Call) -> ASGIApp:
        if not await self._queries.delete(call.tenant_id, workflow_id_of(call), hook_id_of(call)):
            raise _no_webhook(call)
        return nothing_answer()

    async def _workflow(self, tenant_id: str, workflow_id: str) -> answers.WorkflowDetail:
        """Raises `NotFound`; not for one that was made a moment ago and is in no read model yet."""
        workflow = await self._workflows.workflow(tenant_id, workflow_id)
        if workflow is None:
            await self._read_position.reach(WORKFLOWS, await self._events.head())
            workflow = await self._workflows.workflow(tenant_id, workflow_id)
        if workflow is None:
            raise no_workflow(workflow_id)
        return workflow


def _require_fit(body: requests.CreateWebhook) -> None:
    preset = PRESETS[body.preset]
    problems = []
    if body.auth not in preset.auths:
        problems.append(FieldProblem("auth", f"{body.preset} can do {' or '.join(sorted(preset.auths))}"))
    if body.max_age_seconds is not None and not (body.auth == "hmac" and preset.timestamp):
        problems.append(FieldProblem("maxAgeSeconds", "needs a signed timestamp: preset generic with auth hmac"))
    if problems:
        raise Invalid("unfit_webhook", "The sender cannot do this.", tuple(problems))


def _found(row: answers.WebhookRow | None, call: Call) -> answers.WebhookRow:
    if row is None:
        raise _no_webhook(call)
    return row


def _no_webhook(call: Call) -> NotFound:
    return NotFound("webhook_not_found", f"There is no webhook {hook_id_of(call)} of workflow {workflow_id_of(call)}.")


def _operation(method: str, path: str, handle: Any, name: str, summary: str, answer: Any, **options: Any) -> Operation:
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="webhooks", answer=answer,
        permission=Permission.MANAGE, **options,
    )  # fmt: skip
