"""The workflows that are measured, made and started through the API like anybody's."""

from typing import Any

import msgspec

from runyard_bench.client import Client
from runyard_bench.connection import Answer

FAN_WIDTH = 100


class Wrong(Exception):
    """The system did something else than what was to be measured, so there is no figure."""


class Started(msgspec.Struct, rename="camel"):
    """The answer to a start; `position` is that of its commit in the log."""

    execution_id: str
    position: int


_decode_started = msgspec.json.Decoder(Started).decode


def chain(name: str, length: int = 3) -> dict[str, Any]:
    """`length` jobs that do nothing, one after another."""
    nodes = [_job(f"step{number}") for number in range(1, length + 1)]
    sources = ["trigger", *(node["id"] for node in nodes)]
    edges = [{"from": source, "to": node["id"]} for source, node in zip(sources, nodes, strict=False)]
    return {"name": name, "nodes": nodes, "edges": edges}


def fan(name: str, width: int = FAN_WIDTH) -> dict[str, Any]:
    """`width` jobs that do nothing, all at the same time, joined."""
    jobs = [_job(f"job{number}") for number in range(1, width + 1)]
    return {
        "name": name,
        "nodes": [{"id": "fork", "type": "parallel"}, *jobs, {"id": "joined", "type": "join"}],
        "edges": [
            {"from": "trigger", "to": "fork"},
            *({"from": "fork", "to": job["id"]} for job in jobs),
            *({"from": job["id"], "to": "joined"} for job in jobs),
        ],
    }


def gate(name: str) -> dict[str, Any]:
    """An approval by anybody, then a job that does nothing."""
    nodes = [{"id": "ask", "type": "approval", "message": "Shall it go on?"}, _job("after")]
    return {
        "name": name,
        "nodes": nodes,
        "edges": [{"from": "trigger", "to": "ask"}, {"from": "ask", "port": "approved", "to": "after"}],
    }


async def publish(client: Client, document: dict[str, Any]) -> str:
    """Create, publish and activate it. The workflow's id."""
    workflow_id: str = (await client.call("POST", "/workflows", document))["workflowId"]
    await client.call("POST", f"/workflows/{workflow_id}/publish")
    await client.call("POST", f"/workflows/{workflow_id}/activate")
    return workflow_id


def start_request(client: Client, workflow_id: str) -> bytes:
    return client.prepare("POST", f"/workflows/{workflow_id}/run", b"{}")


def started(answer: Answer) -> Started:
    """Raises `Wrong` for anything but an acknowledged start."""
    if answer.status != 202:
        raise Wrong(f"a start was answered with {answer.status}: {answer.body.decode(errors='replace')}")
    return _decode_started(answer.body)


def _job(node_id: str) -> dict[str, Any]:
    return {"id": node_id, "type": "action", "action": "bench.noop"}
