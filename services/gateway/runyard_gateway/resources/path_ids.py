"""Ids and numbers in paths: what cannot be one is simply not found."""

import re

from runyard_shared.errors import NotFound

from runyard_gateway.http.operation import Call
from runyard_gateway.requests import UUID

_is_uuid = re.compile(UUID).match
_is_version = re.compile(r"^[1-9][0-9]{0,8}$").match


def workflow_id_of(call: Call) -> str:
    return _id(call, "workflowId", "workflow")


def execution_id_of(call: Call) -> str:
    return _id(call, "executionId", "execution")


def job_id_of(call: Call) -> str:
    return _id(call, "jobId", "job")


def approval_id_of(call: Call) -> str:
    return _id(call, "approvalId", "approval")


def channel_id_of(call: Call) -> str:
    return _id(call, "channelId", "channel")


def agent_id_of(call: Call) -> str:
    return _id(call, "agentId", "agent")


def connection_id_of(call: Call) -> str:
    return _id(call, "connectionId", "connection")


def hook_id_of(call: Call) -> str:
    return _id(call, "hookId", "webhook")


def key_id_of(call: Call) -> str:
    return _id(call, "keyId", "api_key")


def version_of(call: Call) -> int:
    text = call.path["version"]
    if not _is_version(text):
        raise NotFound("version_not_found", f"There is no version {text[:50]!r}.")
    return int(text)


def no_workflow(workflow_id: str) -> NotFound:
    return NotFound("workflow_not_found", f"There is no workflow {workflow_id}.")


def no_execution(execution_id: str) -> NotFound:
    return NotFound("execution_not_found", f"There is no execution {execution_id}.")


def no_approval(approval_id: str) -> NotFound:
    return NotFound("approval_not_found", f"There is no approval {approval_id}.")


def no_agent(agent_id: str) -> NotFound:
    return NotFound("agent_not_found", f"There is no agent {agent_id}.")


def no_connection(connection_id: str) -> NotFound:
    return NotFound("connection_not_found", f"There is no connection {connection_id}.")


def no_job(job_id: str) -> NotFound:
    return NotFound("job_not_found", f"There is no job {job_id} in this execution.")


def _id(call: Call, name: str, noun: str) -> str:
    text = call.path[name]
    if not _is_uuid(text):
        raise NotFound(f"{noun}_not_found", f"There is no {noun.replace('_', ' ')} {text[:50]!r}; an id is a UUID.")
    return text.lower()
