"""What the dispatcher measures: agents and their slots, jobs that wait for one, and how long those waited that got one."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import asyncpg
import msgspec
from prometheus_client import Counter
from runyard_shared.ids import created_at
from runyard_shared.metrics import REGISTRY, STEP_SECONDS, ReadGauge, Sample

from runyard_dispatcher.board import Changes
from runyard_dispatcher.jobs import Demand
from runyard_dispatcher.lifecycle import JobState

AGENTS: Final = ReadGauge(
    "runyard_agents",
    "Agents by tenant, pool and status: online, draining (online, and gets nothing new), offline, new (never came). Revoked "
    "ones are left out.",
    ("tenant", "pool", "status"),
    of_all=True,
)
SLOTS: Final = ReadGauge(
    "runyard_agent_slots",
    "Jobs that the agents of a pool can hold at once: the capacity of those that are online and not draining.",
    ("tenant", "pool"),
    of_all=True,
)
SLOTS_USED: Final = ReadGauge(
    "runyard_agent_slots_used",
    "Leases: jobs that agents of a pool hold, sent to them and not ended.",
    ("tenant", "pool"),
    of_all=True,
)
WAITING: Final = ReadGauge(
    "runyard_jobs_waiting",
    "Jobs that wait for an agent, by tenant and pool. Why each waits is in the API.",
    ("tenant", "pool"),
    of_all=True,
)
WAITING_SECONDS: Final = ReadGauge(
    "runyard_jobs_waiting_seconds",
    "How long the oldest of them has waited.",
    ("tenant", "pool"),
    of_all=True,
)
LEASED: Final = Counter("runyard_leases_made", "Jobs that were given to an agent.", registry=REGISTRY)
LOST: Final = Counter(
    "runyard_leases_lost", "Jobs whose agent was lost: it fell silent, was revoked or was started anew.", registry=REGISTRY
)
REFUSED: Final = Counter("runyard_jobs_refused", "Jobs that no agent can ever run, as things are set up.", registry=REGISTRY)
_PLACE: Final = STEP_SECONDS.labels("place")

_AGENTS: Final = """
    select tenant_id, pool, case when status = 'online' and drained then 'draining' else status end as status,
        count(*) as agents, sum(capacity)::integer as slots
    from dispatcher.agent where status <> 'revoked' group by 1, 2, 3
"""
_LEASES: Final = """
    select a.tenant_id, a.pool, count(*) as leases
    from dispatcher.job j join dispatcher.agent a on (a.tenant_id, a.name) = (j.tenant_id, j.agent)
    where j.state = 'leased' group by 1, 2
"""
_WAITING: Final = """
    select demand, count(*) as jobs, greatest(extract(epoch from now() - min(since)), 0)::float8 as seconds
    from dispatcher.job where state = 'waiting' group by demand
"""


def written(changes: Changes, now: datetime) -> None:
    """What a turn changed, now that it is written."""
    at = now.timestamp()
    for job in changes.jobs.values():
        if job is None or job.since != now:
            continue
        if job.state is JobState.LEASED:
            LEASED.inc()
            if job.dispatch == 1:
                _PLACE.observe(max(0.0, at - created_at(job.order.job_id)))
        elif job.state is JobState.LOST:
            LOST.inc()
        elif job.state is JobState.REFUSED:
            REFUSED.inc()


async def read(pool: "asyncpg.Pool[asyncpg.Record]") -> Iterable[Sample]:
    samples: list[Sample] = []
    slots: defaultdict[tuple[str, str], int] = defaultdict(int)
    leases: defaultdict[tuple[str, str], int] = defaultdict(int)
    for tenant_id, name, status, agents, capacity in await pool.fetch(_AGENTS):
        samples.append((AGENTS, (tenant_id, name, status), agents))
        slots[tenant_id, name] += capacity if status == "online" else 0
    for tenant_id, name, number in await pool.fetch(_LEASES):
        leases[tenant_id, name] = number
    jobs: defaultdict[tuple[str, str], int] = defaultdict(int)
    oldest: defaultdict[tuple[str, str], float] = defaultdict(float)
    for text, number, seconds in await pool.fetch(_WAITING):
        demand = msgspec.json.decode(text, type=Demand)
        key = (demand.tenant_id, demand.pool)
        jobs[key] += number
        oldest[key] = max(oldest[key], seconds)
    for key in slots.keys() | leases.keys() | jobs.keys():
        samples += [(SLOTS, key, slots[key]), (SLOTS_USED, key, leases[key])]
        samples += [(WAITING, key, jobs[key]), (WAITING_SECONDS, key, oldest[key])]
    return samples
