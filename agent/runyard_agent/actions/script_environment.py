"""The environment of a script on the agent's host: whose values come from where, and which of them win."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from runyard_shared.contracts.connections import NamedSecrets, OpenedConnection, SecretsConfig
from runyard_shared.contracts.jobs import RunJob

from runyard_agent.actions.base import InvalidParams
from runyard_agent.actions.opened import opened

LONGEST_ARGUMENT: Final = 128 * 1024 - 1
"""Bytes: Linux takes no longer argument, and no longer `NAME=value`."""
_OURS: Final = "RUNYARD_"


def script_environment(
    job: RunJob,
    env: Mapping[str, str],
    connection: OpenedConnection | None,
    problems: Sequence[str] = (),
    agents: Mapping[str, str] = os.environ,
    traceparent: str | None = None,
) -> dict[str, str]:
    """The agent's own environment without `RUNYARD_*`, then `TRACEPARENT` where the execution is traced, then values and
    secrets of the connection, then `env`, then what says which job it is: `RUNYARD_EXECUTION_ID`, `RUNYARD_JOB_ID`,
    `RUNYARD_NODE_ID`, `RUNYARD_ATTEMPT`, which nothing replaces.

    Raises `InvalidParams` with all problems, `problems` first.
    """
    # RUNYARD_* of the agent itself holds its key.
    inherited = {name: value for name, value in agents.items() if not name.startswith(_OURS)}
    ours = {
        "RUNYARD_EXECUTION_ID": job.execution_id,
        "RUNYARD_JOB_ID": job.job_id,
        "RUNYARD_NODE_ID": job.node_id,
        "RUNYARD_ATTEMPT": str(job.attempt),
    }
    found = [*problems, *_problems("env.", env, ours)]
    lent = {}
    if connection is not None:
        config, secrets = opened(connection, SecretsConfig, NamedSecrets)
        lent = config.values | secrets.__pydantic_extra__
        found += _problems(f"connection {connection.name!r}: ", lent, ours)
    if found:
        raise InvalidParams(*found)
    traced = {} if traceparent is None else {"TRACEPARENT": traceparent}
    return inherited | traced | lent | dict(env) | ours


def _problems(where: str, variables: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[str]:
    for name, value in variables.items():
        if not name or "=" in name or "\0" in name + value:
            yield f"{where}{name}: a name must not be empty or contain '=', and neither name nor value may contain NUL"
        if name in ours:
            yield f"{where}{name}: says which job it is, and cannot be given: choose another name"
        if len(f"{name}={value}".encode(errors="surrogateescape")) > LONGEST_ARGUMENT:
            yield f"{where}{name}: is longer than the {LONGEST_ARGUMENT} bytes that a variable may have"
