"""What is right by every rule and will hardly do what its author meant: names that nothing will have, braces that are no
template. It is told as a warning, and stops nothing."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from runyard_shared.contracts.actions import ACTIONS
from runyard_shared.contracts.workflow import ActionNode, AnyNode, ApprovalNode, ForEachNode

from runyard_orchestrator.nodes import type_of
from runyard_orchestrator.workflow.expressions import ExpressionError, compile_expression, template_expressions, texts_in
from runyard_orchestrator.workflow.names import instead, nearest

Warnings = Iterator[tuple[str, str]]
_KEYWORDS: Final = frozenset(
    (
        *("type", "title", "description", "required", "additionalProperties", "patternProperties", "propertyNames"),
        *("minProperties", "maxProperties", "dependentRequired", "dependentSchemas", "unevaluatedProperties", "default"),
        *("examples", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "const", "enum", "deprecated", "definitions"),
    )
)
_OF_A_NODE: Final = ("status", "output", "exitCode", "error")
_ONE_BRACE = re.compile(r"(?<!\{)\$?\{\s*(?:inputs|nodes|vars|trigger|incident|webhook|execution)\b[.\[][^{}]*\}+")
_BLOCK = re.compile(r"\{%-?\s*\w+.*?%\}", re.DOTALL)
_DOLLAR = re.compile(r"^\$\{\{[^{}]*\}\}$")


def input_warnings(inputs: dict[str, Any] | None) -> Warnings:
    """A schema may have members that mean nothing, as the inputs themselves have when somebody forgot what is around them."""
    if inputs is None or "properties" in inputs:
        return
    for name, value in inputs.items():
        if name not in _KEYWORDS and not name.startswith("$") and isinstance(value, dict | str):
            hint = f"write properties: {{{name}: …}}"
            yield f"inputs.{name}", f"means nothing here: inputs are a JSON Schema; if it is a variable, {hint}"


def node_warnings(node: AnyNode, path: str, known: Mapping[str, AnyNode], inputs: dict[str, Any] | None) -> Warnings:
    """`known`: the nodes that its expressions can read, by id. `inputs`: the schema of the workflow's."""
    meaning = type_of(node)
    sources = [(f"{path}.{field}", source) for field, source in meaning.expressions_of(node)]
    value = meaning.template_of(node)
    if value is not None:
        field = f"{path}.{meaning.template_field()}"
        for place, text in texts_in(value, field):
            if words := _not_a_template(text):
                yield place, words
        sources += [(place, source) for place, source in template_expressions(value, field) if isinstance(source, str)]
    for place, source in sources:
        with suppress(ExpressionError):  # which is a problem already
            for read in compile_expression(source).paths():
                if words := _never_there(read, known, inputs):
                    yield place, words
    if isinstance(node, ApprovalNode) and "approvers" in node.model_fields_set and not node.approvers:
        yield f"{path}.approvers", "names nobody: whoever may execute the workflow can answer"
    if isinstance(node, ForEachNode) and node.items == []:
        yield f"{path}.items", "is empty: the body will never run"


def _not_a_template(text: str) -> str | None:
    if found := _ONE_BRACE.search(text):
        inside = found.group().strip("${} ")
        return f"{found.group()!r} is plain text; a template has two braces on each side: {{{{ {inside} }}}}"
    if found := _BLOCK.search(text):
        return f"{found.group()[:40]!r} is plain text; there is only {{{{ … }}}}, with condition ? value : other inside"
    if _DOLLAR.match(text):
        return "the $ is plain text before the value; write {{ … }} without it"
    return None


def _never_there(path: tuple[str | int, ...], known: Mapping[str, AnyNode], inputs: dict[str, Any] | None) -> str | None:
    names = [str(step) for step in path]
    match names:
        case ["inputs", name, *_] if inputs is not None:
            return _no_input(name, inputs)
        case ["nodes", node_id, field, *_] if node_id in known and field not in _OF_A_NODE:
            output = _output_of(known[node_id])
            there = f"nodes.{node_id}.output.{field}" if field in output else nearest(field, _OF_A_NODE)
            hint = f"did you mean {there}?" if there else f"a node has {', '.join(_OF_A_NODE)}"
            return f"reads nodes.{node_id}.{field}, which no node has; {hint}"
        case ["nodes", node_id, "output", field, *_] if node_id in known:
            output = _output_of(known[node_id])
            if output and field not in output:
                return f"reads nodes.{node_id}.output.{field}, which it does not have; {instead(field, sorted(output))}"
        case _:
            pass
    return None


def _no_input(name: str, inputs: dict[str, Any]) -> str | None:
    """Others than the declared ones can be given as well, unless the schema says no."""
    declared = inputs.get("properties")
    if not isinstance(declared, dict) or name in declared or "patternProperties" in inputs:
        return None
    if nearest(name, declared) is None and inputs.get("additionalProperties") is not False:
        return None
    return f"reads inputs.{name}, which the inputs do not declare; {instead(name, declared)}"


def _output_of(node: AnyNode) -> set[str]:
    """The names in it; none if they are not known."""
    if isinstance(node, ActionNode) and node.action in ACTIONS:
        return {field.alias or name for name, field in ACTIONS[node.action].output.model_fields.items()}
    if isinstance(node, ApprovalNode):
        return {"decision", "respondedBy", "responseNote", "respondedVia", "respondedAt"}
    return set()
