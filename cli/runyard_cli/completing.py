"""What a shell completes with: names and ids from the API, each with a word about it where the shell shows that.

Whoever presses Tab waits for it, and nothing may be said in the middle of a line: where nobody is signed in, or no answer comes
in time, there is nothing to choose from.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator

import typer

from runyard_cli.client import Api, Json
from runyard_cli.contexts import Contexts
from runyard_cli.errors import CommandFailed
from runyard_cli.finding import execution_id
from runyard_cli.output import plain, short

Choice = tuple[str, str]
"""What stands on the line, and what it is."""
Complete = Callable[[typer.Context, str], list[Choice]]

ANSWER_SECONDS = 1.5
NEWEST = 50
"""So many executions are offered: who looks for an older one knows more of it than its id."""
ACTIVE = ["pending", "running", "paused"]
FINISHED = ["completed", "failed", "cancelled"]
_SPECIAL = re.compile(r"([^\w@%+:,./-])")


class Quoted(str):
    """The library takes only what begins as the line does, from which it has removed backslashes."""

    __slots__ = ()

    def startswith(self, *_: object) -> bool:
        return True


def _by_api(read: Callable[[Api, typer.Context, str], Iterable[Choice]]) -> Complete:
    def complete(context: typer.Context, incomplete: str) -> list[Choice]:
        try:
            place = Contexts.load().place(context.find_root().params.get("name"))
            with Api(place, patience_seconds=0, answer_seconds=ANSWER_SECONDS) as api:
                return _fitting(read(api, context, incomplete), incomplete)
        except CommandFailed:
            return []

    return complete


def _fitting(choices: Iterable[Choice], incomplete: str) -> list[Choice]:
    return [(_quoted(word), plain(" ".join(what.split()))) for word, what in choices if word.startswith(incomplete)]


def _quoted(word: str) -> str:
    """bash takes what it is given as it stands, within quotes that the user opened; other shells quote by themselves."""
    if os.environ.get("_RUNYARD_COMPLETE") != "complete_bash":
        return word
    typed = os.environ.get("COMP_WORDS", "").split("\n")
    at = int(os.environ.get("COMP_CWORD", "0"))
    opened = at < len(typed) and typed[at].startswith(('"', "'"))
    return word if opened else Quoted(_SPECIAL.sub(r"\\\1", word))


def _named(path: str, what: Callable[[Json], str]) -> Complete:
    return _by_api(lambda api, _, __: ((row["name"], what(row)) for row in api.get(path, limit=200)["items"]))


def _executions(*statuses: str) -> Complete:
    def read(api: Api, _: typer.Context, incomplete: str) -> Iterator[Choice]:
        for row in api.get("/executions", limit=NEWEST, status=list(statuses) or None)["items"]:
            identity = row["executionId"]
            name = short(identity) if short(identity).startswith(incomplete) else identity
            yield name, f"{row['workflowName']}, {row['status']}"

    return _by_api(read)


def _approvals(api: Api, _: typer.Context, __: str) -> Iterator[Choice]:
    for row in api.get("/approvals", status="pending", mine="true", limit=200)["items"]:
        yield short(row["approvalId"]), f"{row['workflowName']}: {row['message']}"


def _workflows(api: Api, _: typer.Context, incomplete: str) -> Iterator[Choice]:
    for row in api.get("/workflows", limit=200, q=incomplete or None)["items"]:
        yield row["name"], "active" if row["active"] else "not active"


def _nodes(api: Api, context: typer.Context, _: str) -> Iterator[Choice]:
    """Of the execution that the line names; after an option without its value the library has not put it to its name."""
    text = context.params.get("execution") or next(iter(context.args), None)
    if not text:
        return
    for node in api.get(f"/executions/{execution_id(api, text)}")["nodes"]:
        if node["type"] != "trigger":
            yield node["nodeId"], f"{node['name']}, {node['status']}"


def _kinds(api: Api, _: typer.Context, __: str) -> Iterator[Choice]:
    return ((row["kind"], "") for row in api.get("/connection-types")["items"])


def _api_keys(api: Api, context: typer.Context, _: str) -> Iterator[Choice]:
    path = "/me/api-keys" if context.params.get("mine") else "/api-keys"
    rows = (row for row in api.get(path, limit=200)["items"] if not row["revokedAt"])
    return ((short(row["keyId"]), " ".join((row["user"], row["name"]))) for row in rows)


def _parked(api: Api, _: typer.Context, __: str) -> Iterator[Choice]:
    return ((row["messageId"][:12], row["kind"]) for row in api.get("/parked-messages", limit=200)["items"])


def contexts(_: typer.Context, incomplete: str) -> list[Choice]:
    """These are in a file of the user."""
    try:
        places = Contexts.load().places
    except CommandFailed:
        return []
    return _fitting(((name, place.url) for name, place in sorted(places.items())), incomplete)


executions = _executions()
active_executions = _executions(*ACTIVE)
finished_executions = _executions(*FINISHED)
approvals = _by_api(_approvals)
workflows = _by_api(_workflows)
nodes = _by_api(_nodes)
agents = _named("/agents", lambda row: f"{row['pool']}, {row['status']}")
pools = _named("/pools", lambda row: row["description"])
connections = _named("/connections", lambda row: row["kind"])
kinds = _by_api(_kinds)
users = _named("/users", lambda row: ", ".join(row["roles"]))
roles = _named("/roles", lambda row: "label" if row["isLabel"] else "")
api_keys = _by_api(_api_keys)
projections = _named("/projections", lambda row: row["status"])
parked_messages = _by_api(_parked)
