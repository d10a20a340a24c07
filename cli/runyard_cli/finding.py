"""From what people type to ids: a whole id, its end as lists show it, its beginning, or a name."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Any

from runyard_cli.client import PAGE, Api, Json
from runyard_cli.errors import Misused, NotFound

_WHOLE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PART = re.compile(r"[0-9a-f-]{4,36}")
SEARCHABLE_DIGITS = 8
"""From so many digits on the API finds an id by its beginning, and an end is looked for beyond the first page."""
PAGES_OF_ENDS = 25
"""So far back: ends have no index, and a page costs some ten milliseconds."""


def execution_id(api: Api, text: str) -> str:
    """By its beginning wherever it is; by its end among the newest, where the few digits of a list say which it is."""
    text = text.lower()
    if _WHOLE.fullmatch(text):
        return text
    if not _PART.fullmatch(text):
        raise Misused(f"{text!r} is no id of an execution.", hint="`runyard list` shows their last eight characters.")
    pages = islice(api.pages("/executions"), PAGES_OF_ENDS)
    newest = next(pages)
    found = _ending(newest, text)
    if len(text) >= SEARCHABLE_DIGITS:
        rows = api.get("/executions", q=text, limit=PAGE)["items"]
        found |= {row["executionId"]: row for row in rows if row["executionId"].startswith(text)}
        found = found or next(filter(None, (_ending(page, text) for page in pages)), {})
    return _only(
        found,
        lambda row: f"{row['executionId']}  {row['workflowName']}  {row['status']}",
        NotFound(
            f"No execution is called {text}.",
            hint=(
                f"An end of {SEARCHABLE_DIGITS} digits or more is looked for among the newest {PAGES_OF_ENDS * PAGE:,}, "
                f"a shorter one among {PAGE}. Of an older one give the whole id, or its first {SEARCHABLE_DIGITS} digits: "
                "`runyard list --from 90d --all -o json` has them."
            ),
        ),
    )


def _ending(page: Json, text: str) -> dict[str, Json]:
    return {row["executionId"]: row for row in page["items"] if row["executionId"].endswith(text)}


def workflow(api: Api, text: str) -> Json:
    """The row of a workflow by its name, its id, or the end of that."""
    if _WHOLE.fullmatch(text.lower()):
        return api.get(f"/workflows/{text.lower()}")
    rows = [row for page in api.pages("/workflows", q=text) for row in page["items"]]
    if exact := [row for row in rows if row["name"] == text]:
        return dict(exact[0])
    same = [row for row in rows if row["name"].casefold() == text.casefold()]
    if not same and _PART.fullmatch(text):
        same = [row for page in api.pages("/workflows") for row in page["items"] if row["workflowId"].endswith(text)]
    similar = [row["name"] for row in rows][:10]
    if not rows and not same:
        names = [row["name"] for page in api.pages("/workflows") for row in page["items"]]
        similar = get_close_matches(text, names)
    missing = NotFound(f"No workflow is called {text!r}.", problems=similar, hint="`runyard workflows` lists them.")
    found = {row["workflowId"]: row for row in same}
    return dict(found[_only(found, lambda row: f"{row['workflowId']}  {row['name']}", missing)])


def approval_id(api: Api, text: str) -> str:
    """By its id or the end of that, or by the execution that waits for it, if that waits for one only."""
    text = text.lower()
    if not _PART.fullmatch(text):
        raise Misused(f"{text!r} is no id of an approval.", hint="`runyard approvals` shows them.")
    rows = [row for page in api.pages("/approvals", status="pending") for row in page["items"]]
    found = {row["approvalId"]: row for row in rows if _is(row["approvalId"], text)}
    found = found or {row["approvalId"]: row for row in rows if _is(row["executionId"], text)}
    if not found and _WHOLE.fullmatch(text):
        return text
    return _only(
        found,
        lambda row: f"{row['approvalId']}  {row['workflowName']}: {row['message']}",
        NotFound(f"No approval that waits is called {text}.", hint="`runyard approvals` lists those that wait."),
    )


def job_of(api: Api, execution: str, text: str) -> Json:
    """The last job of a node, of an item of it (`check@each[2]`), or the job of this id."""
    node, _, item = text.partition("@")
    if _WHOLE.fullmatch(text.lower()):
        return api.get(f"/executions/{execution}/jobs/{text.lower()}")
    jobs = list(_jobs(api, execution, nodeId=node, item=item or None))
    if not jobs and _PART.fullmatch(text):
        jobs = [job for job in _jobs(api, execution) if job["jobId"].endswith(text)]
    if not jobs:
        nodes = sorted({job["nodeId"] for job in _jobs(api, execution)})
        there = f"there are jobs of {', '.join(nodes)}" if nodes else "it has no jobs yet"
        raise NotFound(f"No job of {text!r} in this execution; {there}.")
    items = sorted({job["item"] for job in jobs if job["item"]})
    if len(items) > 1:
        raise Misused(f"{node} ran for several items: say which.", problems=[f"--job '{node}@{each}'" for each in items[:20]])
    return jobs[-1]


def connection(api: Api, text: str) -> Json:
    return _named(api, "/connections", text, "connection", "connectionId")


def agent(api: Api, text: str) -> Json:
    return _named(api, "/agents", text, "agent", "agentId")


def user(api: Api, text: str) -> Json:
    return _named(api, "/users", text, "user")


def api_key_id(api: Api, path: str, text: str) -> str:
    """Of a key that opens something yet, by its id, the end of that, or its name."""
    rows = [row for row in api.rows(path) if not row["revokedAt"]]
    found = [row for row in rows if row["name"] == text] or [
        row for row in rows if _PART.fullmatch(text.lower()) and row["keyId"].endswith(text.lower())
    ]
    return _only(
        {row["keyId"]: row for row in found},
        lambda row: f"{row['keyId']}  {row['user']}  {row['name']}",
        NotFound(f"No API key is called {text!r}.", hint="`runyard keys` lists them."),
    )


def _named(api: Api, path: str, text: str, what: str, identity: str = "name") -> Json:
    rows = api.rows(path)
    for row in rows:
        if text in (row["name"], row[identity]):
            return row
    similar = get_close_matches(text, [row["name"] for row in rows])
    raise NotFound(f"No {what} is called {text!r}.", problems=similar, hint=f"`runyard {what}s` lists them.")


def _jobs(api: Api, execution: str, **query: Any) -> Iterable[Json]:
    for page in api.pages(f"/executions/{execution}/jobs", **query):
        yield from page["items"]


def _is(identity: str, text: str) -> bool:
    return identity == text or identity.endswith(text) or (len(text) >= SEARCHABLE_DIGITS and identity.startswith(text))


def _only(found: dict[str, Json], words: Callable[[Json], str], missing: NotFound) -> str:
    if not found:
        raise missing
    if len(found) > 1:
        raise Misused(
            "That could be any of these:", problems=[words(row) for row in found.values()], hint="Give more of the id."
        )
    return next(iter(found))
