"""What is wrong with the triggers of a document (R47): schedules that never come, webhooks that share an id, conditions that no
incident can meet. And what is not wrong but will not do: inputs that nobody is there to give."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.values import NAME
from runyard_shared.contracts.workflow import AnyTrigger, IncidentTrigger, ManualTrigger, ScheduleTrigger, WebhookTrigger
from runyard_shared.errors import Invalid
from runyard_shared.schedule import cron_problem, timezone_problem

from runyard_orchestrator.inputs import accepted_inputs
from runyard_orchestrator.workflow.expressions import ExpressionError, UnknownName, compile_expression
from runyard_orchestrator.workflow.failures import unknown_function, unknown_name
from runyard_orchestrator.workflow.names import instead
from runyard_orchestrator.workflow.schemas import SchemaError, compile_schema
from runyard_orchestrator.workflow.typecheck import Samples, type_problem, unknown_functions

MOST: Final = 100
INCIDENT: Final[dict[str, Any]] = {
    **dict.fromkeys(("id", "title", "severity", "status", "service", "source", "host", "team"), "1"),
    "tags": ["1"],
}
"""What an incident has, with a sample of each."""
_NAME = re.compile(NAME)
_TEXT = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_FIELD = re.compile(r"\bincident\.([A-Za-z_]\w*)")


def trigger_problems(triggers: Sequence[AnyTrigger], catalog: Catalog) -> Iterator[tuple[str, str]]:
    if len(triggers) > MOST:
        yield "triggers", f"has {len(triggers)} triggers; a workflow may have {MOST}"
    webhooks: dict[str, int] = {}
    samples = Samples(None, catalog, {"incident": INCIDENT, "nodes": {}})
    for place, trigger in enumerate(triggers):
        path = f"triggers[{place}]"
        match trigger:
            case ScheduleTrigger():
                if problem := cron_problem(trigger.cron):
                    yield f"{path}.cron", problem
                if problem := timezone_problem(trigger.timezone):
                    yield f"{path}.timezone", problem
            case WebhookTrigger():
                if _NAME.match(trigger.id) is None:
                    yield f"{path}.id", "must be 1 to 63 letters, digits, dots, dashes or underscores, the first not a sign"
                first = webhooks.setdefault(trigger.id, place)
                if first != place:
                    yield f"{path}.id", f"{trigger.id!r} is also the id of triggers[{first}]; every webhook needs its own"
            case IncidentTrigger(condition=str() as condition):
                if problem := _condition_problem(condition, samples):
                    yield f"{path}.condition", problem


def trigger_warnings(triggers: Sequence[AnyTrigger], inputs: Any) -> Iterator[tuple[str, str]]:
    """Whoever starts it by a trigger gives no variables: each such start would be refused. `inputs`: the schema, whatever it
    is."""
    alone = [f"triggers[{place}]" for place, trigger in enumerate(triggers) if not isinstance(trigger, ManualTrigger)]
    if alone and isinstance(inputs, dict):
        yield from _unmet(alone, inputs)


def _condition_problem(condition: str, samples: Samples) -> str | None:
    try:
        expression = compile_expression(condition)
    except UnknownName as error:
        there = {name: f"incident.{name}" for name in INCIDENT}
        return f"{error.source!r} {unknown_name(error.name, ['incident'], there)}"
    except ExpressionError as error:
        return str(error)
    others = sorted(set(expression.roots) - {"incident"})
    if others:
        return f"reads {', '.join(others)}; when an incident is judged there is nothing but incident"
    unknown = [name for name in _FIELD.findall(_TEXT.sub("", expression.source)) if name not in INCIDENT]
    if unknown:
        return f"reads incident.{unknown[0]}, which an incident does not have; {instead(unknown[0], INCIDENT)}"
    if functions := unknown_functions(expression):
        return f"{expression.source!r} {unknown_function(functions[0])}"
    return type_problem(expression, samples, "condition")


def _unmet(alone: list[str], inputs: dict[str, Any]) -> Iterator[tuple[str, str]]:
    try:
        accepted_inputs(inputs, compile_schema(inputs), {})
    except SchemaError:
        return  # told of the inputs themselves
    except Invalid as refusal:
        who = f"{', '.join(alone)} start{'s' if len(alone) == 1 else ''} it with nothing but the defaults, and would be refused"
        for error in refusal.errors:
            path = error.path.replace("variables.", "inputs.properties.", 1) if "." in error.path else "inputs"
            yield path, f"{error.message}, but {who}; give it a default that fits, or do not require it"
