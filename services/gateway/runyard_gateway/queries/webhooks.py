"""Webhooks and their deliveries, in the gateway's own tables."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from runyard_gateway.answers import WebhookRow
from runyard_gateway.database import Database, Row
from runyard_gateway.queries.columns import instant
from runyard_gateway.webhook_presets import Auth, PresetName

PER_MINUTE = 60
SAME_PAYLOAD_SECONDS = 300

_COLUMNS = (
    "hook_id::text as hook_id, workflow_id::text as workflow_id, webhook_id, description, auth, preset, max_age_seconds,"
    " key_begins, enabled, created_at, created_by, rotated_at,"
    " case when old_secret_until > now() then old_secret_until end as old_secret_until"
)
_OF_ONE = "where tenant_id = $1 and workflow_id = $2::uuid and hook_id = $3::uuid"
_ADD = (
    "insert into gateway.webhook (hook_id, tenant_id, workflow_id, webhook_id, description, auth, preset, max_age_seconds,"  # noqa: S608
    " key_sha256, key_begins, secret, enabled, created_at, created_by)"
    " values ($1::uuid, $2, $3::uuid, $4, $5, $6, $7, $8, $9, $10, $11, true, $12, $13)"
    " on conflict (hook_id) do update set key_sha256 = excluded.key_sha256, key_begins = excluded.key_begins,"
    f" secret = excluded.secret returning {_COLUMNS}"
)
_PAGE = (
    f"select {_COLUMNS} from gateway.webhook where tenant_id = $1 and workflow_id = $2::uuid and hook_id > $3::uuid"  # noqa: S608
    " order by hook_id limit $4"
)
_ENABLE = f"update gateway.webhook set enabled = $4 {_OF_ONE} returning {_COLUMNS}"  # noqa: S608
_ROTATE = (
    "update gateway.webhook set old_secret = case when $5 > 0 then secret end,"  # noqa: S608
    " old_secret_until = case when $5 > 0 then now() + make_interval(secs => $5) end, secret = $4, rotated_at = now()"
    f" {_OF_ONE} returning {_COLUMNS}"
)
_AUTH = f"select auth from gateway.webhook {_OF_ONE}"  # noqa: S608
_DELETE = f"delete from gateway.webhook {_OF_ONE} returning true"  # noqa: S608
_OPEN = (
    "select hook_id::text as hook_id, tenant_id, workflow_id::text as workflow_id, webhook_id, auth, preset, max_age_seconds,"
    " secret, case when old_secret_until > now() then old_secret end as old_secret"
    " from gateway.webhook w where key_sha256 = $1 and enabled"
    " and not exists (select from gateway.tenant t where t.tenant_id = w.tenant_id and t.disabled)"
)
_SIGNING = (
    "select hook_id::text as hook_id, tenant_id, webhook_id, secret, old_secret from gateway.webhook"
    " where auth = 'hmac' order by tenant_id, webhook_id, hook_id"
)
_RENEW = (
    "update gateway.webhook set secret = $4, old_secret = $5"
    " where hook_id = $1::uuid and secret = $2 and old_secret is not distinct from $3"
)
_RECEIVE = (
    "select allowed, retry_seconds, execution_id::text as execution_id, claim"
    " from gateway.receive_webhook($1::uuid, $2, $3, $4::uuid, $5, $6, make_interval(secs => $7))"
)


class HookKey(NamedTuple):
    """Where a page ended."""

    hook_id: UUID


FIRST_PAGE = HookKey(UUID(int=0))


@dataclass(frozen=True)
class NewHook:
    """`stored`: what the database holds of its secret."""

    hook_id: str
    workflow_id: str
    webhook_id: str
    description: str
    auth: Auth
    preset: PresetName
    max_age_seconds: int | None
    key_sha256: bytes
    key_begins: str
    stored: bytes


@dataclass(frozen=True)
class Hook:
    """One that is enabled. `stored`: what the database holds of its secrets."""

    hook_id: str
    tenant_id: str
    workflow_id: str
    webhook_id: str
    auth: Auth
    preset: PresetName
    max_age_seconds: int | None
    stored: tuple[bytes, ...]


@dataclass(frozen=True)
class Received:
    """A request of a webhook that was counted. `execution_id`, `claim`: of the delivery; None for a request that is none."""

    execution_id: str | None
    claim: str | None


@dataclass(frozen=True)
class TooMany:
    """Requests in the last minute."""

    retry_seconds: float


@dataclass(frozen=True, slots=True)
class SigningHook:
    """The stored secrets of a webhook whose senders sign."""

    hook_id: str
    tenant_id: str
    webhook_id: str
    secret: bytes
    old_secret: bytes | None


class WebhookQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    # --- for those who rotate what their secrets are encrypted with

    async def signing(self) -> list[SigningHook]:
        """Of all tenants."""
        return [SigningHook(**dict(row)) for row in await self._database.fetch(_SIGNING)]

    async def renew(self, hook: SigningHook, secret: bytes, old_secret: bytes | None) -> None:
        """One that got another secret meanwhile is left as it is."""
        await self._database.fetch(_RENEW, hook.hook_id, hook.secret, hook.old_secret, secret, old_secret)

    # --- for those who manage them

    async def add(self, tenant_id: str, new: NewHook, at: datetime, by: str) -> WebhookRow:
        """One that is there already under this id, of the same request, gets another key and secret: nobody saw the first."""
        values = (
            new.hook_id, tenant_id, new.workflow_id, new.webhook_id, new.description, new.auth, new.preset, new.max_age_seconds,
            new.key_sha256, new.key_begins, new.stored, at, by,
        )  # fmt: skip
        (row,) = await self._database.fetch(_ADD, *values)
        return _row(row)

    async def page(self, tenant_id: str, workflow_id: str, after: HookKey, limit: int) -> list[WebhookRow]:
        """Of a workflow, oldest first."""
        return [_row(row) for row in await self._database.fetch(_PAGE, tenant_id, workflow_id, after.hook_id, limit)]

    async def auth(self, tenant_id: str, workflow_id: str, hook_id: str) -> Auth | None:
        row = await self._database.fetch_row(_AUTH, tenant_id, workflow_id, hook_id)
        return None if row is None else row["auth"]

    async def enable(self, tenant_id: str, workflow_id: str, hook_id: str, *, enabled: bool) -> WebhookRow | None:
        row = await self._database.fetch_row(_ENABLE, tenant_id, workflow_id, hook_id, enabled)
        return None if row is None else _row(row)

    async def rotate(
        self, tenant_id: str, workflow_id: str, hook_id: str, stored: bytes, old_for_seconds: int
    ) -> WebhookRow | None:
        row = await self._database.fetch_row(_ROTATE, tenant_id, workflow_id, hook_id, stored, float(old_for_seconds))
        return None if row is None else _row(row)

    async def delete(self, tenant_id: str, workflow_id: str, hook_id: str) -> bool:
        return await self._database.fetch_row(_DELETE, tenant_id, workflow_id, hook_id) is not None

    # --- for those who send

    async def open(self, key_sha256: bytes) -> Hook | None:
        """None if there is none of this key, or it or its tenant is disabled."""
        row = await self._database.fetch_row(_OPEN, key_sha256)
        if row is None:
            return None
        stored = tuple(each for each in (row["secret"], row["old_secret"]) if each is not None)
        return Hook(
            row["hook_id"], row["tenant_id"], row["workflow_id"], row["webhook_id"], row["auth"], row["preset"],
            row["max_age_seconds"], stored,
        )  # fmt: skip

    async def receive(
        self, hook_id: str, id_digest: bytes | None, payload_digest: bytes | None, execution_id: str, claim: str
    ) -> Received | TooMany:
        """Counts a request, in one transaction with finding out what it is for: an execution of its own, as proposed, or that
        of a delivery with the same id, or with the same payload in the last 5 minutes. Without digests it is only counted."""
        row = await self._database.fetch_row(
            _RECEIVE, hook_id, id_digest, payload_digest, execution_id, claim, PER_MINUTE, float(SAME_PAYLOAD_SECONDS)
        )
        if row is None:
            raise TypeError("a function gave no row")
        return Received(row["execution_id"], row["claim"]) if row["allowed"] else TooMany(row["retry_seconds"])


def _row(row: Row) -> WebhookRow:
    return WebhookRow(
        hook_id=row["hook_id"],
        workflow_id=row["workflow_id"],
        webhook_id=row["webhook_id"],
        description=row["description"],
        auth=row["auth"],
        preset=row["preset"],
        max_age_seconds=row["max_age_seconds"],
        key_begins=row["key_begins"],
        enabled=row["enabled"],
        created_at=instant(row["created_at"]) or "",
        created_by=row["created_by"],
        rotated_at=instant(row["rotated_at"]),
        old_secret_until=instant(row["old_secret_until"]),
    )
