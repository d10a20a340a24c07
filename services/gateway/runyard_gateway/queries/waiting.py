"""What the reasons why executions wait refer to: jobs as the dispatcher sees them, and child executions."""

from collections.abc import Collection

from runyard_gateway.database import Database

_AGENTS = "select job_id::text as job_id, reason from read.waiting_job where job_id = any($1::uuid[]) and tenant_id = $2"
_CHILDREN = (
    "select execution_id::text as execution_id, workflow_name from read.execution"
    " where execution_id = any($1::uuid[]) and tenant_id = $2"
)


class WaitingQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def agent_reasons(self, tenant_id: str, job_ids: Collection[str]) -> dict[str, str]:
        """Why each job waits for an agent, in words, by job id."""
        if not job_ids:
            return {}
        return {row["job_id"]: row["reason"] for row in await self._database.fetch(_AGENTS, list(job_ids), tenant_id)}

    async def workflow_names(self, tenant_id: str, execution_ids: Collection[str]) -> dict[str, str]:
        """Of which workflow each execution is."""
        if not execution_ids:
            return {}
        rows = await self._database.fetch(_CHILDREN, list(execution_ids), tenant_id)
        return {row["execution_id"]: row["workflow_name"] for row in rows}
