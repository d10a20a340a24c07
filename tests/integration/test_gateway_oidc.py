"""Programs with tokens of an identity provider, and people who sign in there; the provider is a real one, over HTTP."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import HMACAlgorithm
from pydantic import ValidationError
from runyard_gateway.oidc import issuer as issuer_module
from runyard_gateway.settings import Settings
from runyard_shared.messaging.memory import MemoryBus

from tests.gateway import TOKEN, House, Json, gateway_alone
from tests.identity_provider import AUDIENCE, CLIENT, CLIENT_SECRET, IdentityProvider, identity_provider

SETTINGS: Json = {
    "oidc_audience": AUDIENCE,
    "oidc_client_id": CLIENT,
    "oidc_client_secret": CLIENT_SECRET,
    "oidc_roles": {"ops": ["operator", "oncall"], "boss": ["admin"]},
}


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    async with identity_provider() as made:
        yield made


@pytest.fixture
async def home(pool: asyncpg.Pool, provider: IdentityProvider) -> AsyncIterator[House]:
    async with gateway_alone(MemoryBus(), pool, oidc_issuer=provider.url, **SETTINGS) as made:
        yield made


async def me(home: House, token: str) -> httpx.Response:
    return await home.http.get("/api/v1/me", headers={"Authorization": f"Bearer {token}"})


async def refused(home: House, token: str, *words: str, status: int = 401, code: str = "unauthorized") -> None:
    answer = await me(home, token)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert all(word in answer.json()["detail"] for word in words), answer.text


async def test_a_token_opens_what_the_groups_in_it_and_the_roles_of_its_user_give(
    home: House, provider: IdentityProvider
) -> None:
    provider.person |= {"name": "Alice A.", "email": "alice@example.com", "email_verified": True}
    answer = await me(home, provider.token())
    assert answer.json() == {
        "name": "alice", "tenantId": "default", "roles": ["operator", "oncall"],
        "permissions": ["automation:execute", "automation:view"],
    }  # fmt: skip
    row = await home.call("GET", "/users/alice")
    assert (row["displayName"], row["email"], row["oidcSubject"], row["roles"]) == ("Alice A.", "alice@example.com", "u-1", [])
    await home.call("PATCH", "/users/alice", json={"roles": ["manager"]})
    # the name at the provider may change, the user stays who it is
    answer = await me(home, provider.token(preferred_username="alicia", groups=["none"]))
    assert (answer.json()["name"], answer.json()["roles"]) == ("alice", ["manager"])
    await home.call("PATCH", "/users/alice", json={"disabled": True})
    await refused(home, provider.token(), "disabled")


async def test_nobody_becomes_another_user_by_choosing_his_name(home: House, provider: IdentityProvider) -> None:
    await home.call("POST", "/users", status=201, json={"name": "root", "roles": ["admin"]})
    await refused(home, provider.token(preferred_username="root"), "oidcSubject", "u-1", status=403, code="user_name_taken")
    for name in ("admin", "role:x", "", None, 7):
        await refused(home, provider.token(sub="u-2", preferred_username=name), status=403, code="no_user_name")
    # the administrator says who that is
    await home.call("PATCH", "/users/root", json={"oidcSubject": "u-1"})
    assert (await me(home, provider.token())).json()["roles"] == ["admin", "operator", "oncall"]
    await home.call("POST", "/users", status=409, json={"name": "other", "oidcSubject": "u-1"})
    await home.call("POST", "/users", status=201, json={"name": "other"})
    assert (await home.call("PATCH", "/users/other", status=409, json={"oidcSubject": "u-1"}))["code"] == "subject_taken"


async def test_tokens_that_the_provider_did_not_make_for_us_now_are_refused(home: House, provider: IdentityProvider) -> None:
    good = provider.token()
    claims = {"iss": provider.url, "aud": AUDIENCE, "sub": "u-1", "exp": 4_000_000_000, "groups": ["boss"]}
    public = provider.keys["rsa-1"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    # a library that signs refuses such a key, an attacker does not
    confusion = _hs256_with(public, claims)
    forged = provider.sign(claims, key=rsa.generate_private_key(65537, 2048))
    head, body, signature = good.split(".")
    unsigned = f"{_b64({'alg': 'none', 'kid': 'rsa-1'})}.{body}."
    for token in (confusion, forged, unsigned, f"{head}.{_b64(claims)}.{signature}", f"{head}.{body}.", "ey.ey.ey"):
        await refused(home, token)
    await refused(home, _hs256_with(b"secret", claims, kid="shared"), "HS256")
    await refused(home, provider.token(exp=1_000_000_000), "expired")
    await refused(home, provider.token(nbf=4_000_000_000), "not yet valid")
    await refused(home, provider.token(aud="another"), "udience")
    await refused(home, provider.token(iss="https://another.example"), "ssuer")
    for claim in ("exp", "aud", "iss", "sub"):
        await refused(home, provider.token(**{claim: None}), claim)
    await refused(home, provider.token(sub="a" * 300), "sub")
    assert (await me(home, good)).status_code == 200


async def test_keys_are_fetched_when_they_change_and_not_when_somebody_makes_them_up(
    home: House, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await me(home, provider.token())).status_code == 200
    assert provider.fetches == ["discovery", "keys"]
    for number in range(10):
        await refused(home, provider.sign({"sub": "x"}, key_id=f"made-up-{number}"), "key that its issuer does not have")
    assert provider.fetches == ["discovery", "keys"]
    monkeypatch.setattr(issuer_module, "FETCH_AGAIN_SECONDS", 0.0)
    for _ in range(2):  # to another RSA key, to an elliptic curve
        old = provider.token()
        provider.rotate()
        assert (await me(home, provider.token())).status_code == 200
        home.gateway.doorkeeper.forget()
        await refused(home, old, "key that its issuer does not have")


async def test_while_the_provider_is_away_known_keys_go_on_and_unknown_ones_wait(
    home: House, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuer_module, "FETCH_AGAIN_SECONDS", 0.0)
    provider.away = True
    await refused(home, provider.token(), provider.url, "503", status=503, code="unavailable")
    assert (await home.call("GET", "/me"))["name"] == "admin"
    provider.away = False
    assert (await me(home, provider.token())).status_code == 200
    provider.away = True
    monkeypatch.setattr(issuer_module, "KEEP_SECONDS", 0.0)  # due to be fetched anew, and cannot be
    assert (await me(home, provider.token(sub="u-2", preferred_username="bob"))).json()["name"] == "bob"
    provider.rotate()
    await refused(home, provider.token(), "away", status=503, code="unavailable")


async def test_the_token_says_the_tenant_where_the_settings_say_so(pool: asyncpg.Pool, provider: IdentityProvider) -> None:
    claims = {"oidc_tenant_claim": "org.id", "oidc_groups_claim": "https://example.com/groups", "oidc_user_claim": "email"}
    options = {**SETTINGS, **claims}
    async with gateway_alone(MemoryBus(), pool, oidc_issuer=provider.url, **options) as home:
        await home.call("POST", "/tenants", status=201, json={"tenantId": "acme", "name": "Acme"})
        person: Json = {"email": "al@acme.example", "email_verified": True, "https://example.com/groups": "boss"}
        token = provider.token(**person, org={"id": "acme"})
        found = (await me(home, token)).json()
        assert (found["tenantId"], found["name"], found["roles"]) == ("acme", "al@acme.example", ["admin"])
        for org in ({"id": "nobody"}, {}, None, {"id": 5}):
            await refused(home, provider.token(**person, org=org), status=403, code="tenant_unknown")
        unverified = provider.token(**{**person, "email_verified": False}, sub="u-9", org={"id": "acme"})
        await refused(home, unverified, "verified", status=403, code="no_user_name")
        await home.call("PATCH", "/tenants/acme", json={"disabled": True})
        await refused(home, token, "disabled")


class Browser(httpx.AsyncClient):
    """Follows no redirect by itself."""

    async def to_the_provider(self, return_to: str = "/automation/executions?status=failed") -> str:
        """Where the provider sends the browser back to."""
        begun = await self.get("/api/v1/session/oidc", params={"returnTo": return_to})
        assert begun.status_code == 303, begun.text
        answer = await self.get(begun.headers["location"])
        return str(answer.headers["location"])


async def test_people_sign_in_at_the_provider_and_come_back_to_where_they_were(
    home: House, provider: IdentityProvider, pool: asyncpg.Pool
) -> None:
    async with Browser(base_url=home.gateway.address, trust_env=False) as browser:
        assert (await browser.get("/api/v1/session/methods")).json() == {"apiKey": True, "oidc": "/api/v1/session/oidc"}
        back = await browser.to_the_provider()
        assert "runyard_sign_in" in browser.cookies
        signed_in = await browser.get(back)
        assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/automation/executions?status=failed")
        assert "runyard_sign_in" not in browser.cookies
        session = (await browser.get("/api/v1/session")).json()
        assert (session["name"], session["roles"]) == ("alice", ["operator", "oncall"])
        headers = {"X-CSRF-Token": session["csrfToken"]}
        assert (await browser.post("/api/v1/users", json={"name": "x"}, headers=headers)).json()["code"] == "forbidden"
        (entry,) = await home.audited(1, operation="finishSignIn")
        assert (entry["actor"], entry["outcome"], entry["credentialType"], entry["credentialId"]) == (
            "alice", "done", "token", "u-1",
        )  # fmt: skip
        # nothing that came with it can be used again
        assert (await browser.get(back)).json()["code"] == "sign_in_failed"
        await home.call("PATCH", "/users/alice", json={"disabled": True})
        assert (await browser.get("/api/v1/session")).status_code == 401
        dump = str([await pool.fetch(f"select * from gateway.{table}") for table in ("session", "audit", "audit_open")])
        code = parse_qs(urlsplit(back).query)["code"][0]
        assert code not in dump and browser.cookies["runyard_session"] not in dump


async def test_a_sign_in_is_finished_by_the_browser_that_began_it_alone(home: House, provider: IdentityProvider) -> None:
    async with (
        Browser(base_url=home.gateway.address, trust_env=False) as victim,
        Browser(base_url=home.gateway.address, trust_env=False) as attacker,
    ):
        back = await attacker.to_the_provider()
        assert (await victim.get(back)).json()["code"] == "sign_in_failed"
        own = await victim.to_the_provider()
        assert (await victim.get(back)).json()["code"] == "sign_in_failed"  # another one's code and state
        mixed = own.replace(parse_qs(urlsplit(own).query)["code"][0], parse_qs(urlsplit(back).query)["code"][0])
        answer = await victim.get(mixed)
        assert answer.status_code == 400 and "invalid_grant" in answer.json()["detail"]
        provider.nonce = "of another sign-in"
        assert "another sign-in" in (await victim.get(own)).json()["detail"]
        provider.nonce = None
        other_issuer = await victim.get(f"{await victim.to_the_provider()}&iss=https%3A%2F%2Fevil.example")
        assert "another identity provider" in other_issuer.json()["detail"]
        denied = await victim.get("/api/v1/session/oidc/callback?error=access_denied&error_description=No&state=x")
        assert denied.status_code == 400 and "access_denied No" in denied.json()["detail"]
        for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example", "evil", "/a\nb", "/\t/evil.example"):
            answer = await victim.get("/api/v1/session/oidc", params={"returnTo": elsewhere})
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_query"), elsewhere
        provider.away = True
        begun = await victim.get("/api/v1/session/oidc")  # known since the sign-in before
        assert begun.status_code == 303


async def test_whom_the_provider_sends_in_vain_is_led_to_the_sign_in_page(home: House) -> None:
    as_browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with Browser(base_url=home.gateway.address, trust_env=False, headers=as_browser) as browser:

        async def led_to(address: str) -> dict[str, str]:
            answer = await browser.get(address)
            target = urlsplit(answer.headers["location"])
            assert (answer.status_code, target.path, answer.text) == (303, "/sign-in", "")
            assert "runyard_session" not in browser.cookies
            return {name: value for name, (value,) in parse_qs(target.query).items()}

        denied = "/api/v1/session/oidc/callback?error=access_denied&error_description=No&state=x"
        assert await led_to(denied) == {"problem": "sign_in_failed"}
        back = await browser.to_the_provider("/settings/users?q=a&b")
        assert await led_to(denied) == {"problem": "sign_in_failed", "returnTo": "/settings/users?q=a&b"}
        await home.call("POST", "/users", status=201, json={"name": "alice", "oidcSubject": "somebody-else"})
        assert (await led_to(back))["problem"] == "user_name_taken"
        await home.call("PATCH", "/users/alice", json={"oidcSubject": "u-1", "disabled": True})
        assert (await led_to(await browser.to_the_provider()))["problem"] == "unauthorized"


def test_settings_that_let_nobody_in_or_everybody_are_refused_with_what_to_do() -> None:
    def words(**options: Any) -> str:
        with pytest.raises(ValidationError) as trouble:
            Settings(**{"admin_token": TOKEN, **options})
        return str(trouble.value)

    for weak in ("admin", "changeme", "x" * 40, "a-token-for-tests"):
        for host in ("0.0.0.0", "::", "10.0.0.5", "runyard.example"):
            assert "openssl rand" in words(host=host, admin_token=weak)
        for host in ("127.0.0.1", "::1", "localhost"):
            assert Settings(host=host, admin_token=weak)  # type: ignore[arg-type]
    assert Settings(host="0.0.0.0", admin_token="Wm3rVbq0mH1m0Zk3t8S2d7fJQ5xY9aLc").host  # type: ignore[arg-type]
    assert "https://" in words(oidc_issuer="http://login.example", oidc_audience="x")
    assert "RUNYARD_OIDC_AUDIENCE" in words(oidc_issuer="https://login.example")
    assert "RUNYARD_OIDC_ISSUER" in words(oidc_client_id="x")


def _b64(value: Json) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _hs256_with(secret: bytes, claims: Json, kid: str = "rsa-1") -> str:
    """A token signed with a shared secret, whatever that is."""
    text = f"{_b64({'alg': 'HS256', 'kid': kid, 'typ': 'JWT'})}.{_b64(claims)}"
    signature = HMACAlgorithm(HMACAlgorithm.SHA256).sign(text.encode(), secret)
    return f"{text}.{urlsafe_b64encode(signature).rstrip(b'=').decode()}"
