"""What senders of webhooks have in common with ours, and what not: how they sign, how they number their deliveries, and which
variables their payloads become. A workflow sees these variables as `webhook.<name>`, and nothing else of a request.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from runyard_shared.errors import FieldProblem, Invalid

from runyard_gateway.http.bodies import parse_json, refuse_unstorable
from runyard_gateway.http.problems import field_problems

Headers = Mapping[bytes, bytes]
PresetName = Literal["generic", "github", "alertmanager"]
Auth = Literal["bearer", "hmac"]
_BodyT = TypeVar("_BodyT", bound=BaseModel)


@dataclass(frozen=True)
class Preset:
    """`auths`: what the sender can do. `signature`: its header of `sha256=<hex>` over the raw body. `timestamp`: its header of
    Unix seconds, which is then signed too. `delivery_ids`: its headers that number a delivery; the first one counts."""

    auths: frozenset[Auth]
    signature: bytes = b""
    timestamp: bytes = b""
    delivery_ids: tuple[bytes, ...] = ()

    def delivery_id(self, headers: Headers) -> bytes | None:
        return next((headers[name] for name in self.delivery_ids if headers.get(name)), None)


PRESETS: dict[PresetName, Preset] = {
    "generic": Preset(
        auths=frozenset({"bearer", "hmac"}),
        signature=b"x-runyard-signature",
        timestamp=b"x-runyard-timestamp",
        delivery_ids=(b"x-runyard-delivery", b"idempotency-key"),
    ),
    "github": Preset(auths=frozenset({"hmac"}), signature=b"x-hub-signature-256", delivery_ids=(b"x-github-delivery",)),
    "alertmanager": Preset(auths=frozenset({"bearer"})),
}


def variables_of(preset: PresetName, headers: Headers, content: bytes) -> dict[str, Any] | None:
    """None for a delivery that only tries whether we are there. Raises `Refusal` (400, `malformed_json`) and `Invalid` with
    every problem."""
    value = parse_json(content)
    if not isinstance(value, dict):
        raise _invalid((FieldProblem("", "is not an object"),))
    match preset:
        case "github":
            variables = None if headers.get(b"x-github-event") == b"ping" else _github(headers, value)
        case "alertmanager":
            variables = _alertmanager(value)
        case _:
            variables = _checked(GenericBody, value).variables
    refuse_unstorable(variables)
    return variables


def _checked(model: type[_BodyT], value: dict[str, Any]) -> _BodyT:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise _invalid(field_problems(error)) from error


def _invalid(problems: tuple[FieldProblem, ...]) -> Invalid:
    return Invalid("invalid_payload", "The payload is not as this webhook takes it.", problems)


# --- generic


class GenericBody(BaseModel):
    """Whatever else is in the body is not looked at."""

    variables: dict[str, Any] = Field(default_factory=dict, description="What the workflow sees as webhook.<name>")


# --- GitHub


def _github(headers: Headers, body: dict[str, Any]) -> dict[str, Any]:
    """What most events say, each with a value: an empty text (`number`: null) where an event does not say it."""
    ref = _text(body, "ref")
    subject: dict[str, Any] = next((body[key] for key in _SUBJECTS if isinstance(body.get(key), dict)), {})
    return {
        "event": headers.get(b"x-github-event", b"").decode("latin-1"),
        "action": _text(body, "action"),
        "repository": _text(body, "repository.full_name"),
        "repositoryUrl": _text(body, "repository.html_url"),
        "sender": _text(body, "sender.login"),
        "ref": ref,
        "branch": _rest(ref, "refs/heads/") or _text(body, *_BRANCHES),
        "tag": _rest(ref, "refs/tags/") or _text(body, "release.tag_name"),
        "sha": _text(body, *_COMMITS),
        "number": number if isinstance(number := subject.get("number"), int) else None,
        "title": _text(subject, "title", "name") or _text(body, "head_commit.message"),
        "url": _text(subject, "html_url") or _text(body, "compare"),
        "status": _text(body, *_STATUSES),
        "conclusion": _text(body, "workflow_run.conclusion", "check_run.conclusion", "check_suite.conclusion"),
        "environment": _text(body, "deployment.environment", "environment"),
    }  # fmt: skip


_BRANCHES = (
    "pull_request.head.ref",
    "workflow_run.head_branch",
    "check_suite.head_branch",
    "check_run.check_suite.head_branch",
)
_COMMITS = (
    "after",
    "pull_request.head.sha",
    "workflow_run.head_sha",
    "check_run.head_sha",
    "check_suite.head_sha",
    "deployment.sha",
    "sha",
)
_STATUSES = ("deployment_status.state", "workflow_run.status", "check_run.status", "check_suite.status", "state")
_SUBJECTS = ("pull_request", "issue", "release", "workflow_run", "check_run", "discussion", "alert")


def _rest(text: str, beginning: str) -> str:
    return text.removeprefix(beginning) if text.startswith(beginning) else ""


def _text(body: dict[str, Any], *paths: str) -> str:
    """The first that is there and is text."""
    return next((value for path in paths for value in _values(body, path) if isinstance(value, str)), "")


def _values(body: Any, path: str) -> Iterator[Any]:
    for name in path.split("."):
        if not isinstance(body, dict) or name not in body:
            return
        body = body[name]
    yield body


# --- Prometheus Alertmanager


class _Sent(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)


class _Alert(_Sent):
    status: Literal["firing", "resolved"]
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    starts_at: str = ""
    ends_at: str = ""
    generator_url: str = Field(default="", alias="generatorURL")
    fingerprint: str = ""


class _AlertmanagerBody(_Sent):
    status: Literal["firing", "resolved"]
    receiver: str = ""
    group_key: str = ""
    truncated_alerts: int = 0
    group_labels: dict[str, str] = Field(default_factory=dict)
    common_labels: dict[str, str] = Field(default_factory=dict)
    common_annotations: dict[str, str] = Field(default_factory=dict)
    external_url: str = Field(default="", alias="externalURL")
    alerts: list[_Alert]


def _alertmanager(value: dict[str, Any]) -> dict[str, Any]:
    """As it was sent, with `firing` and `resolved`: how many of its alerts are."""
    body = _checked(_AlertmanagerBody, value)
    firing = sum(alert.status == "firing" for alert in body.alerts)
    return {
        "status": body.status,
        "receiver": body.receiver,
        "groupKey": body.group_key,
        "groupLabels": body.group_labels,
        "commonLabels": body.common_labels,
        "commonAnnotations": body.common_annotations,
        "externalUrl": body.external_url,
        "truncatedAlerts": body.truncated_alerts,
        "firing": firing,
        "resolved": len(body.alerts) - firing,
        "alerts": [
            {
                "status": alert.status,
                "labels": alert.labels,
                "annotations": alert.annotations,
                "startsAt": alert.starts_at,
                "endsAt": alert.ends_at,
                "generatorUrl": alert.generator_url,
                "fingerprint": alert.fingerprint,
            }
            for alert in body.alerts
        ],
    }
