"""Webhooks: what proves a sender, and which variables its payload becomes."""

import hmac
import json
from typing import Any

import pytest
from pydantic import SecretStr
from runyard_gateway.database import Database
from runyard_gateway.http.problems import Unauthorized
from runyard_gateway.secret import Secret
from runyard_gateway.webhook_presets import PRESETS, Auth, PresetName, variables_of
from runyard_gateway.webhook_proof import WebhookProofs, require_recent
from runyard_shared.errors import Invalid, Refusal


class NoDatabase(Database):
    """One with nothing in it."""

    def __init__(self) -> None:
        pass

    async def fetch_row(self, sql: str, *arguments: Any) -> None:
        return None


def proofs() -> WebhookProofs:
    return WebhookProofs(Secret(NoDatabase(), SecretStr("a secret of the gateway, long enough")))


async def proven(auth: Auth, preset: PresetName, headers: dict[bytes, bytes], content: bytes, secret: str = "s3cret") -> bool:
    each = proofs()
    stored = [await each.stored(auth, secret), await each.stored(auth, "the old one")]
    try:
        await each.check(auth, PRESETS[preset], stored, headers, content)
    except Unauthorized:
        return False
    return True


def sign(content: bytes, secret: bytes = b"s3cret") -> bytes:
    return b"sha256=" + hmac.digest(secret, content, "sha256").hex().encode()


async def test_a_signature_is_of_the_raw_body_and_of_the_time_that_is_sent_with_it() -> None:
    body = b'{"a": 1}'
    assert await proven("hmac", "github", {b"x-hub-signature-256": sign(body)}, body)
    assert await proven(
        "hmac", "github", {b"x-hub-signature-256": sign(body, b"the old one").upper().replace(b"SHA", b"sha")}, body
    )
    for wrong in (
        sign(body + b" "),
        sign(body, b"other"),
        b"",
        b"sha256=",
        b"sha256=\xff",
        sign(body)[:-1],
        b"sha1=" + sign(body)[7:],
    ):
        assert not await proven("hmac", "github", {b"x-hub-signature-256": wrong}, body)
    assert not await proven("hmac", "github", {b"authorization": b"Bearer s3cret"}, body)
    at = {b"x-runyard-timestamp": b"1700000000"}
    signed_at = {b"x-runyard-signature": sign(b"1700000000." + body)}
    assert await proven("hmac", "generic", at | signed_at, body)
    assert not await proven("hmac", "generic", signed_at, body), "the time cannot be taken away"
    assert not await proven("hmac", "generic", {b"x-runyard-timestamp": b"1700000001"} | signed_at, body)


async def test_a_secret_that_is_shown_is_compared_whole() -> None:
    right = (b"Bearer s3cret", b"bearer the old one")
    wrong = (b"Bearer s3cre", b"s3cret", b"Basic s3cret", b"")
    for given, expected in [*((each, True) for each in right), *((each, False) for each in wrong)]:
        assert await proven("bearer", "generic", {b"authorization": given}, b"") is expected


@pytest.mark.parametrize(("given", "taken"), [(b"970", True), (b"1050", True), (b"960", False), (b"1061", False), (b"", False),
                                              (b"-1", False), (b"1e3", False), (b"9" * 5000, False)])  # fmt: skip
def test_what_was_signed_too_long_ago_may_be_a_replay(given: bytes, taken: bool) -> None:
    def check() -> None:
        require_recent(PRESETS["generic"], {b"x-runyard-timestamp": given}, 30, 1000.0)

    if taken:
        check()
    else:
        with pytest.raises(Unauthorized):
            check()


def test_of_a_generic_body_only_the_variables_are_seen() -> None:
    assert variables_of("generic", {}, b'{"variables": {"host": "a"}, "password": "x"}') == {"host": "a"}
    assert variables_of("generic", {}, b"{}") == {}


@pytest.mark.parametrize(("preset", "body", "paths"), [
    ("generic", {"variables": [1]}, ["variables"]),
    ("generic", [1], [""]),
    ("github", "text", [""]),
    ("alertmanager", {"status": "maybe", "alerts": [{"status": "firing"}, {"labels": {"a": 1}}]},
     ["status", "alerts[1].status", "alerts[1].labels.a"]),
])  # fmt: skip
def test_a_wrong_shape_is_refused_with_all_its_problems(preset: PresetName, body: Any, paths: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        variables_of(preset, {}, json.dumps(body).encode())
    assert [problem.path for problem in refused.value.errors] == paths
    with pytest.raises(Refusal) as malformed:
        variables_of(preset, {}, b"{")
    assert malformed.value.code == "malformed_json"


def test_what_github_sends_becomes_variables_and_a_ping_is_no_delivery() -> None:
    event = {b"x-github-event": b"push"}
    pushed = {
        "ref": "refs/heads/main", "after": "abc", "compare": "https://github.test/compare", "head_commit": {"message": "Fix"},
        "repository": {"full_name": "acme/site", "html_url": "https://github.test/acme/site"}, "sender": {"login": "alice"},
    }  # fmt: skip
    found = variables_of("github", event, json.dumps(pushed).encode())
    assert found is not None and {name: value for name, value in found.items() if value} == {
        "event": "push", "repository": "acme/site", "repositoryUrl": "https://github.test/acme/site", "sender": "alice",
        "ref": "refs/heads/main", "branch": "main", "sha": "abc", "title": "Fix", "url": "https://github.test/compare",
    }  # fmt: skip
    run = {
        "action": "completed",
        "workflow_run": {"name": "CI", "conclusion": "failure", "head_branch": "dev", "status": "completed"},
    }
    found = variables_of("github", {b"x-github-event": b"workflow_run"}, json.dumps(run).encode())
    assert found is not None
    assert (found["action"], found["title"], found["conclusion"], found["branch"]) == ("completed", "CI", "failure", "dev")
    assert variables_of("github", {b"x-github-event": b"ping"}, b"{}") is None
    odd = variables_of("github", event, b'{"ref": 5, "repository": [], "pull_request": {"number": "x"}}')
    assert odd is not None and odd["number"] is None and odd["ref"] == ""


def test_what_alertmanager_sends_becomes_variables() -> None:
    sent = {
        "version": "4", "groupKey": "{}:{}", "status": "firing", "receiver": "runyard",
        "groupLabels": {"alertname": "DiskFull"},
        "commonLabels": {"severity": "critical"}, "commonAnnotations": {}, "externalURL": "http://am:9093",
        "alerts": [
            {"status": "firing", "labels": {"host": "a"}, "annotations": {}, "startsAt": "2026-01-01T00:00:00Z",
             "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://p/", "fingerprint": "f1"},
            {"status": "resolved", "labels": {"host": "b"}},
        ],
    }  # fmt: skip
    found = variables_of("alertmanager", {}, json.dumps(sent).encode())
    assert found is not None and (found["firing"], found["resolved"], found["externalUrl"]) == (1, 1, "http://am:9093")
    assert found["groupLabels"] == {"alertname": "DiskFull"} and found["alerts"][0]["generatorUrl"] == "http://p/"
