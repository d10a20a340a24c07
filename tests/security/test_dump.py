"""A dump of the database is searched for every key and secret that was ever shown or given: none of them is in it."""

import base64
from urllib.parse import quote

import asyncpg
import httpx
from runyard_shared.messaging.memory import MemoryBus

from tests.gateway import TOKEN, House, house
from tests.security.tenants import two_tenants


async def test_no_key_or_secret_can_be_read_from_a_dump_of_the_database(pool: asyncpg.Pool) -> None:
    async with house(pool, bus=MemoryBus()) as home, two_tenants(home) as tenants:
        secrets = {f"{what} of {tenant.name}": value for tenant in tenants for what, value in tenant.secrets.items()}
        secrets |= {"the admin token": TOKEN} | await signed_in(home)
        for tenant in tenants:
            path = f"/workflows/{tenant.ids['workflowId']}/webhooks"
            body = {"webhookId": "hook", "auth": "hmac"}
            hook = await tenant.call("POST", path, status=201, json=body, headers={"Idempotency-Key": "hook"})
            agent = await tenant.call(
                "POST", "/agents", status=201, json={"name": "kept"}, headers={"Idempotency-Key": "agent"}
            )
            rotated = await tenant.call(
                "POST", f"/agents/{agent['agentId']}/rotate-key", headers={"Idempotency-Key": "rotated"}
            )
            key = await tenant.call("POST", "/api-keys", status=201, json={"user": "alice"}, headers={"Idempotency-Key": "key"})
            secrets |= {
                f"HMAC secret of {tenant.name}": hook["secret"],
                f"webhook key of {tenant.name}": hook["key"],
                f"kept agent key of {tenant.name}": agent["key"],
                f"rotated agent key of {tenant.name}": rotated["key"],
                f"kept API key of {tenant.name}": key["key"],
            }
        dump = await dump_of(pool)
        for tenant in tenants:
            assert tenant.ids["executionId"].encode() in dump, "not looked through"
        assert len(secrets) > 20
        assert [what for what, value in secrets.items() if any(form in dump for form in forms(value))] == []


async def signed_in(home: House) -> dict[str, str]:
    """The web app's way in, of the installation's administrator."""
    async with httpx.AsyncClient(base_url=home.gateway.address, trust_env=False) as browser:
        answer = await browser.post("/api/v1/session", json={"key": TOKEN})
        assert answer.status_code == 201, answer.text
        (session,) = [cookie.value for cookie in browser.cookies.jar]
        assert session
        csrf = (await browser.get("/api/v1/session")).json()["csrfToken"]
        pool = await browser.post("/api/v1/pools", json={"name": "by-session"}, headers={"X-CSRF-Token": csrf})
        assert pool.status_code == 201, pool.text
        return {"session": session, "CSRF token": csrf}


async def dump_of(pool: asyncpg.Pool) -> bytes:
    """Every row of every table of ours, as text; bytes also as they are."""
    tables = await pool.fetch(
        "select n.nspname, c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind = 'r' and n.nspname !~ '^(pg_|information_schema)'"
    )
    assert len(tables) > 30
    lines: list[bytes] = []
    for schema, table in tables:
        for row in await pool.fetch(f'select t.*, t::text as "as text" from "{schema}"."{table}" t'):
            lines.append(str(row["as text"]).encode())
            lines += [value for value in row.values() if isinstance(value, bytes)]
    return b"\n".join(lines)


def forms(secret: str) -> list[bytes]:
    raw = secret.encode()
    return [raw, raw.hex().encode(), quote(secret, safe="").encode(), base64.b64encode(raw).rstrip(b"=")[:-1]]
