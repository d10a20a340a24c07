"""Webhooks, and what a delivery to one is answered."""

from typing import Annotated, Literal

from msgspec import Meta

from runyard_gateway.answers.body import Body, Cursor, Id, Instant
from runyard_gateway.shown_once import ShownOnce


class WebhookReceived(Body):
    execution_id: Annotated[Id | None, Meta(description="Null for a delivery that only tries whether we are there")]


class WebhookRow(Body):
    """`keyBegins`: of the key in its address, to tell it from others. `webhookId`: of the trigger in the document."""

    hook_id: Id
    workflow_id: Id
    webhook_id: str
    description: str
    auth: Literal["bearer", "hmac"]
    preset: Literal["generic", "github", "alertmanager"]
    max_age_seconds: int | None
    key_begins: str
    enabled: bool
    created_at: Instant
    created_by: str
    rotated_at: Instant | None
    old_secret_until: Annotated[Instant | None, Meta(description="While the secret before the last rotation is taken too")]


class WebhookSecretMade(WebhookRow):
    secret: ShownOnce


class WebhookMade(WebhookSecretMade):
    key: ShownOnce
    url: Annotated[str, Meta(description="Where to send to; it has the key in it")]


class WebhookList(Body):
    items: list[WebhookRow]
    next_cursor: Cursor
