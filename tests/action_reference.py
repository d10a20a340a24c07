"""Writes docs/reference/actions.md from the contracts: `python -m tests.action_reference`.

What a model cannot say (how an action fails, what surprises) is written here, beside it.
"""

import inspect
import re
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from runyard_shared.contracts.actions import ACTIONS, ActionSpec
from runyard_shared.contracts.connections import CONNECTION_KINDS, ConnectionKind

FILE: Final = Path(__file__).parents[1] / "docs" / "reference" / "actions.md"

HEAD: Final = """\
# Actions and connections

What a node of the type `action` can do, and what it can do it with. Agents may offer more: see
[write an action](../howto/write-an-action.md). `GET /api/v1/action-types` has all of it as JSON Schema.

Publishing a workflow checks every action's parameters against these types. A value that is a whole template
(`"{{ inputs.port }}"`) keeps its type, and a number may stand where text is asked for. Later nodes see what an action gives
as `nodes.<id>.output`. Text in an output is cut at 64 KiB, with `truncated`; all of it is kept as the job's output.

A node names its connection by `connection: <name>`. Its secrets are in no output, error or log: whatever a job gives is
searched for them, and they show as `***`.

## How a job fails
`error.reason` is one of these, or of those named with the action:

| reason | |
|---|---|
| `invalid_params` | the parameters cannot be used; all problems are named, and nothing was done |
| `exception` | it did not work: a host that cannot be reached, a connection that was lost; the message says what is not known |
| `timeout` | it ran over the node's `timeoutSeconds` and was stopped |
| `credentials_undelivered` | the connection did not reach the agent |
| `agent_lost`, `agent_stopped` | the agent fell silent, or was stopped, while the job ran |
| `unknown_action` | the agent has no such action: its package is not installed there |

Each of them is retried, if the node says so (`maxRetries`), and then takes the `error` edge.
"""

_COMMAND_FAILS: Final = {
    "exit_code": "the command ended with another exit code than 0, or by a signal; `error.exitCode` has it"
}
_SSH_FAILS: Final = _COMMAND_FAILS | {
    "refused": "the host does not let the user in",
    "host_key_unknown": "the host's key is in no known hosts; the error has its fingerprint, and the line to add",
    "host_key_changed": "the host shows another key than the one known, which may be an attack",
}
_CHAT_FAILS: Final = {
    "http_status": "the receiver did not take the message; its words, and what to do about them, are the error"
}
_KUBERNETES_FAILS: Final = {
    "http_status": "the API refused: 401, 403, 404, 409, 422 in its own words; `error.statusCode` has the number"
}
_ROLLOUT_FAILS: Final = _KUBERNETES_FAILS | {
    "rollout_failed": "the pods will not get there: past the progress deadline, or paused, deleted, changed by another"
}
FAILS: Final[dict[str, dict[str, str]]] = {
    "script.bash": _COMMAND_FAILS,
    "script.python": _COMMAND_FAILS,
    "http.request": {"http_status": "any status but 2xx; the output is there all the same, and `error.statusCode`"},
    "ssh.executeCommand": _SSH_FAILS,
    "ssh.executeScript": _SSH_FAILS,
    "slack.sendMessage": _CHAT_FAILS,
    "teams.sendMessage": _CHAT_FAILS,
    "email.send": {"refused": "the server refused the login, the sender, the mail, or every address; the output has its words"},
    "kubernetes.restartDeployment": _ROLLOUT_FAILS,
    "kubernetes.scaleDeployment": _ROLLOUT_FAILS,
    "kubernetes.getLogs": _KUBERNETES_FAILS | {"refused": "no pod has these labels"},
    "database.query": {"refused": "the server refused the login or the statement, with its words, its hint and the SQLSTATE"},
}
"""The reasons that an action has beside the common ones."""

_SCRIPT: Final = """
Runs with the agent's environment without `RUNYARD_*`, then `TRACEPARENT` where the execution is
[traced](../howto/trace-executions.md), then values and secrets of the connection, then `env`, then
`RUNYARD_EXECUTION_ID`, `RUNYARD_JOB_ID`, `RUNYARD_NODE_ID` and `RUNYARD_ATTEMPT`, which nothing replaces. What it leaves in the
background ends with it."""
_SSH: Final = (
    "What it leaves in the background goes on. Whom an agent trusts: [Reach hosts over ssh](../howto/reach-hosts-over-ssh.md)."
)
_CHAT: Final = """
Where the receiver asks to wait (429), the job does, if its time allows. Nothing else is repeated: a message whose answer was
lost may have been posted."""
_ROLLOUT: Final = """
Progress is in the output while it runs. A job that is stopped while it waits undoes nothing. The account needs `get` on
`deployments` and `patch` on `{}`, in the group `apps`."""
NOTES: Final[dict[str, str]] = {
    "script.bash": f"`bash -c`, so a script has at most 128 KiB, and nothing on its standard input.{_SCRIPT}",
    "script.python": f"""\
Of any length; nothing is on its standard input, and its output is not buffered. Without `interpreter` it is the Python that
the agent's own virtual environment was made from, not that environment: the agent's packages are not there, and `PYTHONPATH`
and the like are not inherited. For packages of your own name the Python of a virtual environment:
`interpreter: /opt/jobs/bin/python`.{_SCRIPT}""",
    "http.request": """\
With a connection, `url` may be a path below its base URL, or an address of the same origin (scheme, host, port); any other is
refused before anything is sent. A redirect out of that origin gets nothing of the connection: neither its headers nor its
credentials nor its trust in a private certificate authority. The job may replace the connection's `headers`, and not its
credentials. `verifyTls: false` of either counts. Cookies are not kept.""",
    "ssh.executeCommand": f"Under the login shell of the user there. {_SSH}",
    "ssh.executeScript": f"""\
`interpreter` is a command line: `bash`, `sudo -n bash`, `python3`. Script and `env` are on no command line of the remote host,
where others could read them; `args` are on that of the interpreter. The script runs once all of it has arrived; half of one,
when a connection breaks, does not run. It finds nothing on its standard input. {_SSH}""",
    "slack.sendMessage": f"`text` is Slack's mrkdwn, `title` is plain.{_CHAT}",
    "teams.sendMessage": f"""\
For the webhook of a Teams workflow (*Post to a channel when a webhook request is received*), as an Adaptive Card, of at most
28 KiB.{_CHAT}""",
    "email.send": """\
An address is `ops@example.com` or `Operations <ops@example.com>`. The job completes if the server took the mail for at least
one address. `messageId` is made of the job's id: two mails with one are the same attempt.""",
    "kubernetes.restartDeployment": _ROLLOUT.format("deployments"),
    "kubernetes.scaleDeployment": _ROLLOUT.format("deployments/scale"),
    "kubernetes.getLogs": """\
What there is, without following. The account needs `get` on `pods/log`, and `list` on `pods` for a selector. A pod of several
that has no log yet is a line in `stderr`.""",
    "database.query": """\
Reads run in a READ ONLY transaction. With `readOnly: false` a statement that gives rows runs in a transaction, any other
(`VACUUM`, `CREATE DATABASE`) without one; it is done for all rows, also those that are not kept, and `rowCount` counts them. At
most 512 KiB of rows are kept. Notices show in the output while it runs; a timeout or a forced cancel cancels the statement at
the server.

Values: numbers are numbers if nothing is lost by it, else text; moments are RFC 3339, intervals ISO 8601; `bytea` is base64;
`json`, arrays and composite types are what they hold; everything else is its text. Arguments likewise.

Needs PostgreSQL's driver on the agent: `pip install 'runyard-agent[database]'`.""",
}
"""What surprises."""


def text() -> str:
    """The whole file."""
    parts = [HEAD, "## Actions"]
    parts += [_action(name, spec) for name, spec in ACTIONS.items()]
    parts += [
        "## Connections",
        "`config` is shown to whoever may see connections. Secrets are given once, sealed, and never shown; see "
        "[connections](../explanation/connections.md).",
    ]
    parts += [_connection(name, kind) for name, kind in CONNECTION_KINDS.items()]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _action(name: str, spec: ActionSpec) -> str:
    kinds = " or ".join(f"`{kind}`" for kind in spec.connections)
    connection = f"{kinds}{'' if spec.needs_connection else ', not needed'}" if kinds else "none"
    parts = [f"### {name}", _words(spec.params), f"Connection: {connection}.", _table("parameter", spec.params)]
    parts += [_words(spec.output), _table("output", spec.output)]
    if name in NOTES:
        parts.append(NOTES[name].strip())
    parts.append("\n".join(f"Fails with `{reason}`: {why}." for reason, why in FAILS[name].items()))
    return "\n\n".join(part for part in parts if part)


def _connection(name: str, kind: ConnectionKind) -> str:
    used = [f"`{action}`" for action, spec in ACTIONS.items() if name in spec.connections]
    parts = [f"### {name}", _words(kind.config), f"For {', '.join(used)}." if used else ""]
    for title, model in (("config", kind.config), ("secret", kind.secrets)):
        table = _table(title, model)
        parts.append(table or (f"Secrets: {_words(model)}" if model.model_config.get("extra") == "allow" else ""))
    return "\n\n".join(part for part in parts if part)


def _words(model: type[BaseModel]) -> str:
    """The docstring, with names as they are on the wire."""
    doc = inspect.cleandoc(model.__doc__ or "")
    return re.sub(r"`([a-z]+(?:_[a-z]+)+)`", lambda match: f"`{_camel(match[1])}`", doc)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _table(title: str, model: type[BaseModel]) -> str:
    schema = model.model_json_schema(mode="validation")
    rows = []
    for name, field in schema.get("properties", {}).items():
        if title == "output":
            rows.append(f"| `{name}` | {_type(field)} |")
        else:
            default = "**required**" if name in schema.get("required", ()) else _default(field)
            rows.append(f"| `{name}` | {_type(field)} | {default} |")
    head = "| output | |\n|---|---|" if title == "output" else f"| {title} | | default |\n|---|---|---|"
    return "\n".join([head, *rows]) if rows else ""


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return _type(next(option for option in field["anyOf"] if option.get("type") != "null"))
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    match field.get("type"):
        case "string":
            most = field.get("maxLength")
            return "text" + (f", at most {most:,} characters" if most and most < 65_536 else "")
        case "integer":
            return "whole number" + _between(field)
        case "number":
            return "number" + _between(field)
        case "boolean":
            return "true or false"
        case "array":
            most = field.get("maxItems")
            return f"list of {_type(field.get('items', {}))}" + (f", at most {most}" if most else "")
        case "object":
            inner = field.get("additionalProperties")
            return f"object of {_type(inner)}" if isinstance(inner, dict) and inner else "object"
        case _:
            return "any value"


def _between(field: dict[str, Any]) -> str:
    least, most = field.get("minimum"), field.get("maximum")
    if least is not None and most is not None:
        return f", {least:,} to {most:,}" if most != 65_535 else f", {least} to {most}"
    return f", at least {least:,}" if least is not None else ""


def _default(field: dict[str, Any]) -> str:
    match field.get("default"):
        case None | "" | [] | {}:
            return ""
        case bool() as value:
            return f"`{str(value).lower()}`"
        case value:
            return f"`{value}`"


if __name__ == "__main__":
    FILE.write_text(text())
