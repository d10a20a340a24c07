"""Type errors that can be told before a workflow runs: an expression is evaluated once with a sample of each value whose type
is known (inputs by their JSON Schema, outputs by their node). What is not known is left out, and an expression that reads it
is not judged."""

import re
from collections.abc import Iterable
from typing import Any, Final

from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.workflow import AnyNode

from runyard_orchestrator.nodes import type_of
from runyard_orchestrator.workflow.expressions import Expression
from runyard_orchestrator.workflow.failures import KNOWN, evaluation_problem
from runyard_orchestrator.workflow.schemas import UNKNOWN, sample

_NO_FUNCTION = re.compile(r"Undefined variable or function: '(\w+)'")
_MUST_GIVE: Final[dict[str, tuple[type, str]]] = {
    "condition": (bool, "a condition must be true or false"),
    "forEach": (list, "items must be a list"),
}


class Samples:
    """A scope of sample values."""

    def __init__(self, schema: Any, catalog: Catalog, scope: dict[str, Any] | None = None) -> None:
        inputs = sample(schema) if isinstance(schema, dict) else UNKNOWN
        self._catalog = catalog
        self.scope: dict[str, Any] = scope if scope is not None else {}
        if scope is None:
            self.scope["execution"] = {"id": "1", "startedAt": "1", "workflowName": "1", "startedBy": "1"}
            self.scope["nodes"] = {}
            self.scope["inputs"] = inputs if isinstance(inputs, dict) else {}

    def with_nodes(self, nodes: Iterable[AnyNode], *, in_iteration: bool) -> "Samples":
        """The samples for a graph inside this one."""
        known = dict(self.scope["nodes"])
        for node in nodes:
            output = type_of(node).sample_output(node, self._catalog)
            if output is not None:
                known[node.id] = {"status": "completed", "output": output}
        scope = self.scope | {"nodes": known}
        if in_iteration:
            scope["index"] = 0
        return Samples(None, self._catalog, scope)


def type_problem(expression: Expression, samples: Samples, node_type: str | None) -> str | None:
    """What is wrong with the types, in words. `node_type`: of the node whose whole expression it is."""
    context = {root: samples.scope[root] for root in expression.roots if root in samples.scope}
    if len(context) < len(set(expression.roots)):
        return None
    try:
        value = expression.execute(context)
    except TypeError:
        return f"{expression.source!r} puts values together whose types do not fit; convert them, as with int() or string()"
    except RuntimeError as error:
        return _wrong_values(expression, str(error))
    except (KeyError, IndexError, ValueError, ArithmeticError):
        return None  # depends on the values
    wanted = _MUST_GIVE.get(node_type or "")
    if wanted is not None and not isinstance(value, wanted[0]):
        return f"{expression.source!r} gives {_kind(value)}; {wanted[1]}"
    return None


def unknown_functions(expression: Expression) -> list[str]:
    return [name for name in expression.program.functions() if name.isidentifier() and name[0] != "_" and name not in KNOWN]


def _wrong_values(expression: Expression, error: str) -> str | None:
    """CEL looks for a function by its name and by the types of what it is given, and says the same of both."""
    name = _NO_FUNCTION.search(error)
    if name is None and "call failed: TypeError" in error:
        return f"{expression.source!r}: {evaluation_problem(RuntimeError(error), {})}"
    if name is None or name[1] in expression.roots:
        return None
    return f"{expression.source!r} calls {name[1]}() with values of types that it does not take"


def _kind(value: Any) -> str:
    names = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "a map"}
    return names.get(type(value), "null" if value is None else f"a {type(value).__name__}")
