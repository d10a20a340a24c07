"""What expressions of an execution can see: the roots of the workflow language, built as far as an expression reads them."""

from collections.abc import Iterable
from typing import Any

from runyard_shared.clock import rfc3339
from runyard_shared.contracts.values import ErrorInfo

from runyard_orchestrator.execution.state import ExecutionState, NodeState
from runyard_orchestrator.workflow.expressions import Expression


def scope_for(state: ExecutionState, expressions: Iterable[Expression]) -> dict[str, Any]:
    """The scope for a template or expression of this execution. `error` is there once an error edge was followed."""
    roots = {root for expression in expressions for root in (*expression.roots, *map(str, (expression.path or ())[:1]))}
    scope: dict[str, Any] = {} if state.iteration is None else _outside(state, roots)
    payload = state.trigger.payload or {}
    if "nodes" in roots:
        scope["nodes"] = scope.get("nodes", {}) | {node_id: _node(node) for node_id, node in state.nodes.items()}
    if "vars" in roots:
        scope["vars"] = scope.get("vars", {}) | state.vars
    if "error" in roots and state.handled_error is not None:
        scope["error"] = error_value(state.handled_error)
    if state.iteration is not None:
        return scope
    if "inputs" in roots:
        scope["inputs"] = state.inputs
    if "trigger" in roots:
        scope["trigger"] = _trigger(state)
    if "incident" in roots and state.trigger.type == "incident":
        scope["incident"] = payload
    if "webhook" in roots and state.trigger.type == "webhook":
        scope["webhook"] = payload
    if "execution" in roots:
        scope["execution"] = {
            "id": state.execution_id,
            "startedAt": rfc3339(state.started_at),
            "workflowName": state.workflow_name,
            "startedBy": state.started_by,
        }
    return scope


def scope_of_body(state: ExecutionState, expressions: Iterable[Expression], body_nodes: Iterable[str]) -> dict[str, Any]:
    """What the expressions of a forEach's body read of its surroundings as they are now: the nodes they name, not all."""
    expressions = tuple(expressions)
    scope = scope_for(state, expressions)
    readers = [expression for expression in expressions if "nodes" in expression.roots]
    if "nodes" in scope and all(expression.nodes for expression in readers):
        named = {node_id for expression in readers for node_id in expression.nodes}.difference(body_nodes)
        scope["nodes"] = {node_id: value for node_id, value in scope["nodes"].items() if node_id in named}
    return scope


def error_value(error: ErrorInfo) -> dict[str, Any]:
    """`error` as templates see it; a field that does not apply is null, not missing."""
    return {
        "nodeId": error.node_id,
        "message": error.message,
        "actionType": error.action_type,
        "exitCode": error.exit_code,
        "statusCode": error.status_code,
        "reason": error.reason,
    }


def _outside(state: ExecutionState, roots: set[str]) -> dict[str, Any]:
    iteration = state.iteration
    if iteration is None:
        return {}
    whole = iteration.scope | {"item": iteration.item, "index": iteration.index}
    return {root: value for root, value in whole.items() if root in roots}


def _node(node: NodeState) -> dict[str, Any]:
    output = node.output if isinstance(node.output, dict) else {}
    return {
        "status": node.status.value,
        "output": node.output if node.output is not None else {},
        "exitCode": output.get("exitCode", node.error.exit_code if node.error else None),
        "error": error_value(node.error) if node.error else None,
    }


def _trigger(state: ExecutionState) -> dict[str, Any]:
    trigger = state.trigger
    fields = {
        "type": trigger.type,
        "user": trigger.user,
        "webhookId": trigger.webhook_id,
        "scheduledAt": trigger.scheduled_at,
        "event": trigger.event,
        "incidentId": trigger.incident_id,
    }
    return {name: value for name, value in fields.items() if value is not None} | {"payload": trigger.payload or {}}
