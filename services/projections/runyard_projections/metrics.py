"""What the projections measure: how they keep up, and what their tables say of the system as a whole.

How far a read model is behind is measured by the gateways, which see it also while no projections run.
"""

# ruff: noqa: S608 - the tables are names of our own; every value is a parameter

from collections.abc import Iterable
from typing import Final

import asyncpg
from prometheus_client import Counter, Histogram
from runyard_shared.metrics import REGISTRY, STEP_SECONDS, ReadGauge, Sample, queue_label

APPLIED_EVENTS: Final = Histogram(
    "runyard_projection_batch_events",
    "Events that one transaction brought into the read models. Grows with the load.",
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000),
    registry=REGISTRY,
)
APPLIED_SECONDS: Final = Histogram(
    "runyard_projection_batch_seconds",
    "Duration of such a transaction.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    registry=REGISTRY,
)
STOPS: Final = Counter(
    "runyard_projection_stops",
    "How often the read models stood still because of something that does not pass by itself; the log and `/readyz` say what.",
    registry=REGISTRY,
)
PROJECT: Final = STEP_SECONDS.labels("project")
EXECUTIONS: Final = ReadGauge(
    "runyard_executions",
    "Executions that have not ended, by status: pending, running, paused.",
    ("status",),
    of_all=True,
)
APPROVALS: Final = ReadGauge(
    "runyard_approvals_pending", "Approvals that wait for people, by tenant.", ("tenant",), of_all=True
)
APPROVALS_SECONDS: Final = ReadGauge(
    "runyard_approvals_pending_seconds",
    "How long the oldest of them has waited.",
    ("tenant",),
    of_all=True,
)
PARKED_MESSAGES: Final = ReadGauge(
    "runyard_parked_messages",
    "Messages that could not be handled and are kept until somebody looks after them, by the queue they came for.",
    ("queue",),
    of_all=True,
)
PARKED_SECONDS: Final = ReadGauge(
    "runyard_parked_messages_seconds",
    "Since the newest of them was put away.",
    ("queue",),
    of_all=True,
)

_ACTIVE: Final = ("pending", "running", "paused")
_TENANTS: Final = """
    with recursive tenant (tenant_id) as (
        (select tenant_id from {table} order by tenant_id limit 1)
        union all
        select (select t.tenant_id from {table} t where t.tenant_id > tenant.tenant_id order by t.tenant_id limit 1)
        from tenant where tenant.tenant_id is not null
    )
"""
"""From one tenant to the next by the index, so that nobody reads all that has ended to find who there is."""
_EXECUTIONS: Final = (
    _TENANTS.format(table="projections.execution")
    + """
    select s.status, coalesce(sum(active.number), 0)::bigint as number
    from unnest($1::text[]) s(status) left join tenant on tenant.tenant_id is not null
    left join lateral (
        select count(*) as number from projections.execution e where e.tenant_id = tenant.tenant_id and e.status = s.status
    ) active on true
    group by s.status
"""
)
_APPROVALS: Final = (
    _TENANTS.format(table="projections.approval")
    + """
    select tenant.tenant_id, pending.number, pending.seconds
    from tenant cross join lateral (
        select count(*) as number, greatest(coalesce(extract(epoch from now() - min(requested_at)), 0), 0)::float8 as seconds
        from projections.approval a where a.tenant_id = tenant.tenant_id and a.status = 'pending'
    ) pending
    where tenant.tenant_id is not null
"""
)
_PARKED: Final = """
    select queue, count(*) as number, greatest(extract(epoch from now() - max(parked_at)), 0)::float8 as seconds
    from projections.parked_message where outcome is null group by queue
"""


async def read(pool: "asyncpg.Pool[asyncpg.Record]") -> Iterable[Sample]:
    samples: list[Sample] = [(EXECUTIONS, (status,), number) for status, number in await pool.fetch(_EXECUTIONS, _ACTIVE)]
    for tenant_id, number, seconds in await pool.fetch(_APPROVALS):
        samples += [(APPROVALS, (tenant_id,), number), (APPROVALS_SECONDS, (tenant_id,), seconds)]
    parked: dict[str, tuple[int, float]] = {}
    for queue, number, seconds in await pool.fetch(_PARKED):
        others, newest = parked.get(queue_label(queue), (0, seconds))
        parked[queue_label(queue)] = (others + number, min(newest, seconds))
    for queue, (number, seconds) in parked.items():
        samples += [(PARKED_MESSAGES, (queue,), number), (PARKED_SECONDS, (queue,), seconds)]
    return samples
