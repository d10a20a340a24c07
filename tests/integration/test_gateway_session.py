"""Signing in to the web app: the cookie, what it opens, what it does not, and when it ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from runyard_gateway.database import Database
from runyard_gateway.http.cookies import CookieJar
from runyard_gateway.http.identity import Credential, CredentialType
from runyard_gateway.http.sessions import Sessions
from runyard_gateway.queries.sessions import SessionQueries
from runyard_shared.messaging.memory import MemoryBus

from tests.gateway import NO_TLS, TOKEN, House, Json, frames, gateway_alone, house

HOST_COOKIE = "__Host-runyard_session"


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with gateway_alone(MemoryBus(), pool) as made:
        yield made


class Browser:
    """Keeps cookies and, once signed in, sends the CSRF token as the web app does."""

    def __init__(self, home: House) -> None:
        self.http = httpx.AsyncClient(base_url=f"{home.gateway.address}/api/v1", trust_env=False, verify=NO_TLS)
        self.csrf: Json = {}

    async def sign_in(self, key: str) -> Json:
        answer = await self.http.post("/session", json={"key": key})
        assert answer.status_code == 201, answer.text
        session: Json = answer.json()
        self.csrf = {"X-CSRF-Token": session["csrfToken"]}
        return session

    async def send(self, method: str, path: str, **headers: str) -> int:
        body = {"name": "dora"} if method == "POST" else None
        return (await self.http.request(method, path, headers=headers, json=body)).status_code


@pytest.fixture
async def browser(home: House) -> AsyncIterator[Browser]:
    made = Browser(home)
    yield made
    await made.http.aclose()


async def key_of(home: House, name: str, *roles: str, **options: Any) -> Json:
    await home.http.post("/api/v1/users", json={"name": name, "roles": list(roles)})
    return dict(await home.call("POST", "/api-keys", status=201, json={"user": name, **options}))


async def test_who_signs_in_gets_a_cookie_that_no_script_reads_and_no_database_holds(
    home: House, browser: Browser, pool: asyncpg.Pool
) -> None:
    made = await key_of(home, "alice", "admin", scopes=["automation:view", "automation:admin"])
    assert (await browser.http.get("/session")).status_code == 401
    assert (await browser.http.post("/session", json={"key": "rk_wrong"})).json()["code"] == "unauthorized"
    answer = await browser.http.post("/session", json={"key": made["key"]})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("runyard_session=rs_") and cookie.endswith("; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax")
    session = answer.json()
    assert (session["name"], session["permissions"]) == ("alice", ["automation:admin", "automation:view"])
    assert (await browser.http.get("/session")).json() == session
    dump = str([await pool.fetch(f"select * from gateway.{table}") for table in ("session", "audit", "audit_open")])
    assert all(secret not in dump for secret in (browser.http.cookies["runyard_session"], session["csrfToken"], made["key"]))
    # signing in again ends the session before
    old = browser.http.cookies["runyard_session"]
    await browser.sign_in(made["key"])
    assert await pool.fetchval("select count(*) from gateway.session") == 1
    async with httpx.AsyncClient(base_url=str(browser.http.base_url), cookies={"runyard_session": old}) as thief:
        assert (await thief.get("/me")).status_code == 401
    # an API key beside it wins, and needs no CSRF token
    assert (await browser.http.get("/me", headers={"Authorization": f"Bearer {TOKEN}"})).json()["name"] == "admin"


async def test_a_command_by_cookie_needs_to_show_that_our_own_page_sent_it(home: House, browser: Browser) -> None:
    made = await key_of(home, "alice", "admin")
    await browser.sign_in(made["key"])
    own = home.gateway.address
    assert await browser.send("POST", "/users") == 403
    assert await browser.send("POST", "/users", **{"X-CSRF-Token": "wrong"}) == 403
    for elsewhere in ("https://evil.example", "null", own.replace("127.0.0.1", "127.0.0.1.evil.example"), f"{own}1"):
        assert await browser.send("POST", "/users", **browser.csrf, Origin=elsewhere) == 403, elsewhere
    assert await browser.send("POST", "/users", **browser.csrf, **{"Sec-Fetch-Site": "cross-site"}) == 403
    assert await browser.send("POST", "/users", **browser.csrf, Origin=own) == 201
    assert await browser.send("DELETE", "/users/dora", **browser.csrf) == 204
    assert await browser.send("GET", "/users") == 200
    refused = await browser.http.post("/users", json={"name": "dora"})
    assert refused.json()["code"] == "csrf" and "X-CSRF-Token" in refused.json()["detail"]
    # nobody signs another one's browser in as himself
    enticed = await browser.http.post("/session", json={"key": made["key"]}, headers={"Origin": "https://evil.example"})
    assert (enticed.status_code, enticed.json()["code"]) == (403, "csrf")
    # the cookie is nothing to the agents' link
    agents = await browser.http.get("/agent", headers=browser.csrf)
    assert agents.status_code == 401
    assert await browser.send("DELETE", "/session") == 403
    signed_out = await browser.http.delete("/session", headers=browser.csrf)
    assert signed_out.status_code == 204 and "Max-Age=0" in signed_out.headers["set-cookie"]
    assert await browser.send("GET", "/session") == 401


async def test_a_session_ends_with_its_key_its_user_its_time_and_its_admin_token(
    home: House, browser: Browser, pool: asyncpg.Pool
) -> None:
    made = await key_of(home, "alice", "viewer")

    async def is_in() -> bool:
        return (await browser.http.get("/me")).status_code == 200

    await browser.sign_in(made["key"])
    await home.call("DELETE", f"/api-keys/{made['keyId']}")
    assert not await is_in()
    await browser.sign_in((await key_of(home, "alice"))["key"])
    await home.call("PATCH", "/users/alice", json={"disabled": True})
    assert not await is_in()
    await home.call("PATCH", "/users/alice", json={"disabled": False})
    assert await is_in()
    await home.http.delete("/api/v1/users/alice")
    await key_of(home, "alice", "admin")  # another one of that name
    assert not await is_in()
    for column, moment in (("last_used_at", "now() - interval '8 hours'"), ("expires_at", "now()")):
        await browser.sign_in(TOKEN)
        assert await is_in()
        await pool.execute(f"update gateway.session set {column} = {moment}")
        async with asyncio.timeout(30):
            while await is_in():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    # with another admin token in the settings, what was signed in with this one is over
    await browser.sign_in(TOKEN)
    assert (await browser.http.get("/me")).json()["name"] == "admin"
    admin = await home.gateway.doorkeeper.identify_key(TOKEN.encode(), "")
    assert admin is not None
    queries = SessionQueries(Database(pool), 60)
    cookie = browser.http.cookies["runyard_session"]
    assert await Sessions(queries, admin, SecretStr(TOKEN), 60).identify(cookie) is not None
    assert await Sessions(queries, admin, SecretStr("another one"), 60).identify(cookie) is None


async def test_an_open_stream_ends_soon_after_what_opened_it(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        made = await key_of(home, "alice", "viewer")
        browser = Browser(home)
        await browser.sign_in((await key_of(home, "alice"))["key"])
        streams = [
            (browser.http, {}),
            (browser.http, {"Authorization": f"Bearer {made['key']}"}),
        ]

        async def listen(http: httpx.AsyncClient, headers: Json) -> None:
            async with http.stream("GET", "/events", headers=headers, timeout=20) as answer:
                assert answer.status_code == 200
                async for _ in frames(answer):
                    pass

        listening = [asyncio.create_task(listen(*each)) for each in streams]
        await asyncio.sleep(0.2)
        await home.call("DELETE", f"/api-keys/{made['keyId']}")
        async with asyncio.timeout(6):
            await listening[1]
            assert not listening[0].done()
            await home.call("PATCH", "/users/alice", json={"disabled": True})
            await listening[0]
        await browser.http.aclose()


def test_the_cookie_is_secure_unless_browsers_come_by_plain_http_on_loopback() -> None:
    for public_url, host in (("https://runyard.example", "127.0.0.1"), ("", "0.0.0.0"), ("http://127.0.0.1.example", "")):
        jar = CookieJar(public_url, host)
        assert jar.session == HOST_COOKIE
        assert jar.header(jar.session, "v", 60)[1].endswith(b"; HttpOnly; SameSite=Lax; Secure")
    for public_url, host in (("", "127.0.0.1"), ("", "::1"), ("http://localhost:8080", "0.0.0.0")):
        assert CookieJar(public_url, host).session == "runyard_session"


def test_what_is_written_about_credentials_opens_nothing() -> None:
    credential = Credential(CredentialType.API_KEY, "id", b"\x01hash")
    assert "hash" not in repr(credential)
