"""Events that come when their execution was archived already: late reports, or iterations whose streams are younger than it.

They change nothing. That an execution is gone for this reason is told by `projections.archived`, which is written in the
transaction that takes its rows away; any other row that is missing stops the projection.
"""

from functools import cache

from runyard_projections.executions.changes import Changes
from runyard_projections.projection import LIVE, Connection, ProjectionBroken


async def forget_archived(connection: Connection, changes: Changes, schema: str) -> None:
    """Leaves out of `changes` what is of archived executions. Raises `ProjectionBroken` if others are missing."""
    known = [change for change in changes.executions.values() if change.new is None]
    missing = await connection.fetch(
        _missing(schema), [change.execution_id for change in known], [change.tenant_id for change in known]
    )
    if lost := [execution_id for execution_id, archived in missing if not archived]:
        raise ProjectionBroken(f"of {len(known)} executions that events name, {len(lost)} are not there, such as {lost[0]}")
    changes.forget({execution_id for execution_id, _ in missing})


@cache
def _missing(schema: str) -> str:
    return f"""
        select c.execution_id::text, coalesce(c.execution_id < a.before, false)
        from unnest($1::uuid[], $2::text[]) as c(execution_id, tenant_id)
        left join {LIVE}.archived a on a.tenant_id = c.tenant_id
        where not exists (select from {schema}.execution e where e.execution_id = c.execution_id)
    """  # noqa: S608
