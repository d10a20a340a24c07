"""What an agent measures: what it does now, and what its server has not taken yet. What became of its jobs, and how long they
ran, is measured by the orchestrator, which no firewall hides."""

from collections import Counter as Tally
from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter
from runyard_shared.metrics import REGISTRY, ReadGauge, Sample

from runyard_agent.leases import Leases, Phase
from runyard_agent.session import Session
from runyard_agent.spool import Spool

JOBS: Final = ReadGauge(
    "runyard_agent_jobs",
    "Jobs that the agent holds, by phase: waiting (for a free slot), starting (its start is on the way to the server), "
    "running, reporting (its result is on the way).",
    ("phase",),
)
CAPACITY: Final = ReadGauge("runyard_agent_capacity", "How many jobs the agent runs at the same time.")
CONTACT_SECONDS: Final = ReadGauge(
    "runyard_agent_contact_seconds",
    "Since a sign of life of the agent was safe with its server. A job starts only while this is less than two thirds of the "
    "time after which the server takes the agent for lost.",
)
SPOOL: Final = ReadGauge(
    "runyard_agent_spool_bytes",
    "What the server has not taken yet and is kept on the agent's disk, by what it is: results, output.",
    ("what",),
)
JOBS_RUN: Final = Counter(
    "runyard_agent_jobs_run", "Jobs that the agent ran to their end, by status.", ("status",), registry=REGISTRY
)
JOBS_GIVEN_BACK: Final = Counter(
    "runyard_agent_jobs_given_back",
    "Jobs that did not begin here, because the server was out of reach or the agent was to stop: another agent may have them.",
    registry=REGISTRY,
)

_PHASES: Final = {
    Phase.WAITING: "waiting",
    Phase.STARTING: "starting",
    Phase.RUNNING: "running",
    Phase.REPORTING: "reporting",
}


class AgentFigures:
    """`read` is for `metrics.at_scrape`."""

    def __init__(self, capacity: int, leases: Leases, session: Session, spool: Spool) -> None:
        self._capacity = capacity
        self._leases = leases
        self._session = session
        self._spool = spool

    async def read(self) -> Iterable[Sample]:
        phases = Tally(lease.phase for lease in self._leases.held())
        results = sum(journal.waiting for journal in self._spool.results)
        return [
            *((JOBS, (name,), phases[phase]) for phase, name in _PHASES.items()),
            (CAPACITY, (), self._capacity),
            (CONTACT_SECONDS, (), self._session.silent_seconds),
            (SPOOL, ("results",), results),
            (SPOOL, ("output",), self._spool.output.waiting),
        ]
