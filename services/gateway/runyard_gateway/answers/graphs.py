"""The graph of an execution, with the state of its nodes and edges."""

from typing import Annotated

import msgspec
from msgspec import Meta
from runyard_shared.contracts.values import NodeStatus

from runyard_gateway.answers.body import Body, Id, Position
from runyard_gateway.answers.executions import Progress
from runyard_gateway.graph import EdgeStatus


class GraphEdgeState(Body):
    from_node: Annotated[str, Meta(description="The node it leaves")] = msgspec.field(name="from")
    port: Annotated[str | None, Meta(description="Null: taken whenever its node completes")]
    to: str
    status: EdgeStatus | None


class GraphNodeState(Body):
    """A node of a forEach's `body` has no one state, and its edges have none, unless the graph was asked for one `item`."""

    node_id: str
    name: str
    type: str
    status: NodeStatus | None
    progress: Progress | None
    body: "GraphBody | None"


class GraphBody(Body):
    """The nodes and edges of a forEach; its source is called `item`."""

    nodes: list[GraphNodeState]
    edges: list[GraphEdgeState]


class ExecutionGraph(Body):
    """The published version that runs, with the state of each node and edge."""

    workflow_id: Id
    version: int
    nodes: list[GraphNodeState]
    edges: list[GraphEdgeState]
    as_of: Position
