"""What parameters of built-in actions say only together, or together with a connection, as far as it is told before a run: by
which of them are there. The agent that runs the job judges the values."""

from collections.abc import Iterator

from runyard_shared.contracts.actions import ACTIONS, SshParams
from runyard_shared.contracts.workflow import ActionNode

from runyard_orchestrator.workflow.names import nearest


def combination_problems(spec: ActionNode, path: str) -> Iterator[tuple[str, str]]:
    params = ACTIONS[spec.action].params
    fields = {field.alias or name for name, field in params.model_fields.items()}
    given = {
        name if name in fields else nearest(name, fields) or name for name, value in spec.params.items() if value is not None
    }
    if issubclass(params, SshParams) and "host" not in given and spec.connection is None:
        yield f"{path}.params.host", "is required where no connection names one"
    match spec.action:
        case "http.request":
            url = spec.params.get("url")
            if isinstance(url, str) and url.startswith("/") and spec.connection is None:
                yield f"{path}.params.url", "begins with /: it needs a connection, which has the part before that"
            if {"json", "body"} <= given:
                yield f"{path}.params.body", "excludes json; keep one of them"
        case "email.send" if not given & {"text", "html"}:
            yield f"{path}.params.text", "is required where there is no html"
        case "kubernetes.getLogs" if len(given & {"pod", "selector"}) != 1:
            yield f"{path}.params", "needs exactly one of pod and selector"
