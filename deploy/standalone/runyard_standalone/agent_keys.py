"""The keys of the agents that a local deployment starts: asked of the API once, as an administrator would, and kept beside each
agent's state."""

from pathlib import Path

import httpx

from runyard_standalone.secret_files import write


class NoAgentKey(RuntimeError):
    """The API did not give a key; the message is its answer."""


def agent_key_file(directory: Path, name: str) -> Path:
    """Where the key of agent `name` is, once it has one."""
    return directory / "agents" / name / "key"


def ensure_agent_key(http: httpx.Client, path: Path, name: str) -> None:
    """Make sure that agent `name` exists and its key is in the file. An agent whose key was lost gets a new one."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    answer = http.post("/api/v1/agents", json={"name": name})
    if answer.status_code == httpx.codes.CONFLICT:
        answer = http.post(f"/api/v1/agents/{_id_of(http, name)}/rotate-key")
    if answer.is_error:
        raise NoAgentKey(f"no key for agent {name}: {answer.text}")
    write(path, answer.json()["key"])


def _id_of(http: httpx.Client, name: str) -> str:
    agents = http.get("/api/v1/agents", params={"limit": 200}).json()["items"]
    return next(str(agent["agentId"]) for agent in agents if agent["name"] == name)
