"""The notification channels of the tenants. A channel's URL is a secret: encrypted here, decrypted only to send."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime

import asyncpg
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from runyard_shared.errors import Conflict, NotFound, Refusal
from runyard_shared.eventstore.outage import outages_as_unavailable

from runyard_approvals.secret import Secret


@dataclass(frozen=True)
class Channel:
    """`kind`: the scheme of its URL."""

    channel_id: str
    name: str
    kind: str
    enabled: bool
    created_at: datetime


@dataclass(frozen=True)
class Rotated:
    """`unreadable`: channels, as `tenant/name`, that none of the keys opens."""

    changed: int
    current: int
    remaining: int
    unreadable: tuple[str, ...]


class Channels:
    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", secret: Secret) -> None:
        self._pool = pool
        keys = [Fernet(urlsafe_b64encode(key)) for key in secret.keys("channel urls")]
        self._newest = keys[0]
        self._fernet = MultiFernet(keys)

    async def save(self, tenant_id: str, channel: Channel, url: str) -> None:
        """Make or replace. Raises `Conflict` if another channel has the name."""
        with outages_as_unavailable():
            try:
                await self._pool.execute(
                    "insert into approvals.channel (tenant_id, channel_id, name, kind, url, enabled, created_at)"
                    " values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant_id, channel_id) do update"
                    " set name = excluded.name, kind = excluded.kind, url = excluded.url, enabled = excluded.enabled",
                    tenant_id,
                    channel.channel_id,
                    channel.name,
                    channel.kind,
                    self._fernet.encrypt(url.encode()),
                    channel.enabled,
                    channel.created_at,
                )
            except asyncpg.UniqueViolationError:
                raise _name_taken(channel.name) from None

    async def change(self, tenant_id: str, channel_id: str, name: str, *, enabled: bool) -> str:
        """All but its URL; returns its kind. Raises `NotFound`, and `Conflict` if another channel has the name."""
        with outages_as_unavailable():
            try:
                kind = await self._pool.fetchval(
                    "update approvals.channel set name = $3, enabled = $4 where tenant_id = $1 and channel_id = $2"
                    " returning kind",
                    tenant_id,
                    channel_id,
                    name,
                    enabled,
                )
            except asyncpg.UniqueViolationError:
                raise _name_taken(name) from None
        if kind is None:
            raise _not_found(channel_id)
        return str(kind)

    async def delete(self, tenant_id: str, channel_id: str, request_id: str) -> None:
        """Raises `NotFound`, if it was not this very request that deleted it."""
        with outages_as_unavailable():
            done = await self._pool.fetchval(
                "with gone as (delete from approvals.channel where tenant_id = $1 and channel_id = $2 returning channel_id),"
                " old as (delete from approvals.deleted_channel where deleted_at < now() - interval '1 day')"
                " insert into approvals.deleted_channel (tenant_id, channel_id, request_id) select $1, channel_id, $3 from gone"
                " on conflict (tenant_id, channel_id) do update"
                " set request_id = excluded.request_id, deleted_at = excluded.deleted_at returning true",
                tenant_id,
                channel_id,
                request_id,
            )
            done = done or await self._pool.fetchval(
                "select true from approvals.deleted_channel where tenant_id = $1 and channel_id = $2 and request_id = $3",
                tenant_id,
                channel_id,
                request_id,
            )
        if done is None:
            raise _not_found(channel_id)

    async def all(self, tenant_id: str) -> list[Channel]:
        """By name."""
        with outages_as_unavailable():
            rows = await self._pool.fetch(
                "select channel_id, name, kind, enabled, created_at from approvals.channel where tenant_id = $1 order by name",
                tenant_id,
            )
        return [Channel(**row) for row in rows]

    async def enabled_by_name(self, tenant_id: str) -> dict[str, bool]:
        """Every channel of the tenant, and whether it is enabled."""
        return {channel.name: channel.enabled for channel in await self.all(tenant_id)}

    async def rotate(self, limit: int) -> Rotated:
        """Encrypt URLs under the newest key, at most so many. One that is saved meanwhile is left as it was saved."""
        changed = current = remaining = 0
        unreadable = []
        with outages_as_unavailable():
            rows = await self._pool.fetch("select tenant_id, channel_id, name, url from approvals.channel order by 1, 3")
            for tenant_id, channel_id, name, sealed in rows:
                if _opens(self._newest, sealed):
                    current += 1
                elif not _opens(self._fernet, sealed):
                    unreadable.append(f"{tenant_id}/{name}")
                elif changed >= limit:
                    remaining += 1
                else:
                    await self._pool.execute(
                        "update approvals.channel set url = $4 where tenant_id = $1 and channel_id = $2 and url = $3",
                        tenant_id,
                        channel_id,
                        sealed,
                        self._fernet.rotate(sealed),
                    )
                    changed += 1
        return Rotated(changed, current, remaining, tuple(unreadable))

    async def get(self, tenant_id: str, channel_id: str) -> tuple[Channel, str]:
        """With its URL, to send to and not to show. Raises `NotFound`, or `channel_unreadable`."""
        with outages_as_unavailable():
            row = await self._pool.fetchrow(
                "select channel_id, name, kind, enabled, created_at, url from approvals.channel"
                " where tenant_id = $1 and channel_id = $2",
                tenant_id,
                channel_id,
            )
        if row is None:
            raise _not_found(channel_id)
        *fields, sealed = row
        return Channel(*fields), self._opened(sealed)

    async def url_by_name(self, tenant_id: str, name: str) -> str:
        """The URL of an enabled channel. Raises `NotFound`, or `channel_unreadable`."""
        with outages_as_unavailable():
            sealed = await self._pool.fetchval(
                "select url from approvals.channel where tenant_id = $1 and name = $2 and enabled", tenant_id, name
            )
        if sealed is None:
            raise NotFound("channel_not_found", f"the channel {name!r} was deleted or disabled meanwhile")
        return self._opened(sealed)

    def _opened(self, sealed: bytes) -> str:
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            detail = (
                "the channel was saved under another RUNYARD_APPROVALS_SECRET; set that one again, or save the channel again"
            )
            raise Refusal("channel_unreadable", detail, 409) from None


def _opens(fernet: Fernet | MultiFernet, sealed: bytes) -> bool:
    try:
        fernet.decrypt(sealed)
    except InvalidToken:
        return False
    return True


def _name_taken(name: str) -> Conflict:
    return Conflict("channel_name_taken", f"there is a channel {name!r} already; choose another name, or change that one")


def _not_found(channel_id: str) -> NotFound:
    return NotFound("channel_not_found", f"there is no channel {channel_id}")
