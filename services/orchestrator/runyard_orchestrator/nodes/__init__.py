"""The types of nodes. To add one: its model in `runyard_shared.contracts.workflow`, a module here, and a line below."""

from typing import Any, Final

from runyard_shared.contracts.workflow import Node

from runyard_orchestrator.nodes.action import Action
from runyard_orchestrator.nodes.approval import Approval
from runyard_orchestrator.nodes.base import NodeType
from runyard_orchestrator.nodes.condition import Condition
from runyard_orchestrator.nodes.delay import Delay
from runyard_orchestrator.nodes.error_handler import ErrorHandler
from runyard_orchestrator.nodes.for_each import ForEach
from runyard_orchestrator.nodes.join import Join
from runyard_orchestrator.nodes.parallel import Parallel
from runyard_orchestrator.nodes.set_variables import SetVariables
from runyard_orchestrator.nodes.subworkflow import Subworkflow
from runyard_orchestrator.nodes.switch import Switch

NODE_TYPES: Final[dict[str, NodeType[Any]]] = {
    "action": Action(),
    "approval": Approval(),
    "condition": Condition(),
    "switch": Switch(),
    "delay": Delay(),
    "parallel": Parallel(),
    "join": Join(),
    "forEach": ForEach(),
    "subworkflow": Subworkflow(),
    "setVariables": SetVariables(),
    "errorHandler": ErrorHandler(),
}


def type_of(spec: Node) -> NodeType[Any]:
    """The meaning of a node, by its `type`."""
    return NODE_TYPES[getattr(spec, "type", "")]
