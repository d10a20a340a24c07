"""Which waiting job gets which free slot. Pure: no time, no database, no messages.

Jobs with equal demands wait in one line. Within a line executions take turns, each with its oldest job, so that a burst of one
execution's thousand jobs costs another execution's job one turn. Lines that want the same slots take turns as well: the line
served longest ago comes first. A slot goes to the best agent: highest band of health, then the least used, then by name.

Only lines whose jobs or agents changed since the last `assign` are looked at, and a freed slot does not cost a line's length.
"""

from bisect import bisect_left
from collections import OrderedDict
from heapq import heapify, heappop, heapreplace
from typing import Final, NamedTuple

from runyard_dispatcher.agents import Agent
from runyard_dispatcher.jobs import Demand, Job

HEALTH_BANDS: Final = (20, 50, 80)
"""Healths between two of these count as equal when an agent is chosen, so that the load is spread over all healthy agents."""


Rank = tuple[int, float, str]
"""Of an agent at one moment; smaller is better. Names are unique in a market, so no two are equal."""


class Market(NamedTuple):
    """Where lines and agents meet: a pool of a tenant, or one agent by its name."""

    tenant_id: str
    pool: str | None
    agent: str | None


def market_of(demand: Demand) -> Market:
    if demand.agent is None:
        return Market(demand.tenant_id, demand.pool, None)
    return Market(demand.tenant_id, None, demand.agent)


def markets_of(agent: Agent) -> tuple[Market, Market]:
    return Market(agent.tenant_id, agent.pool, None), Market(agent.tenant_id, None, agent.name)


class Line:
    """The waiting jobs of one demand: a ring of executions, each with its jobs in order.

    `served`: when it was last served, as a count; a new line begins behind all others."""

    def __init__(self, demand: Demand, served: int) -> None:
        self.demand = demand
        self.served = served
        self._turns: OrderedDict[str, OrderedDict[str, Job]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._turns)

    def add(self, job: Job, *, first: bool) -> None:
        order = job.order
        jobs = self._turns.get(order.execution_id)
        if jobs is None:
            jobs = self._turns[order.execution_id] = OrderedDict()
        jobs[order.job_id] = job
        if first:
            jobs.move_to_end(order.job_id, last=False)
            self._turns.move_to_end(order.execution_id, last=False)

    def remove(self, job: Job) -> None:
        jobs = self._turns[job.order.execution_id]
        del jobs[job.order.job_id]
        if not jobs:
            del self._turns[job.order.execution_id]

    def take(self) -> Job:
        """The next job; its execution goes to the end of the ring."""
        execution_id, jobs = self._turns.popitem(last=False)
        _, job = jobs.popitem(last=False)
        if jobs:
            self._turns[execution_id] = jobs
        return job


class Placement:
    """All agents and all waiting jobs."""

    def __init__(self) -> None:
        self._agents: dict[Market, dict[str, Agent]] = {}
        self._lines: dict[Market, dict[Demand, Line]] = {}
        self._touched: set[Market] = set()
        self._served = 0

    def add_agent(self, agent: Agent) -> None:
        """A new agent; take it out before its pool changes."""
        for market in markets_of(agent):
            self._agents.setdefault(market, {})[agent.name] = agent
        self.touch(agent)

    def remove_agent(self, agent: Agent) -> None:
        for market in markets_of(agent):
            del self._agents[market][agent.name]

    def touch(self, agent: Agent) -> None:
        """The agent may have become able to take a job: a slot fell free, or it is online again."""
        for market in markets_of(agent):
            if market in self._lines:
                self._touched.add(market)

    def wait(self, job: Job, *, first: bool = False) -> None:
        """The job waits; `first` before all others of its line."""
        market = market_of(job.demand)
        lines = self._lines.setdefault(market, {})
        line = lines.get(job.demand)
        if line is None:
            self._served += 1
            line = lines[job.demand] = Line(job.demand, self._served)
        line.add(job, first=first)
        self._touched.add(market)

    def leave(self, job: Job) -> None:
        """The job waits no more."""
        line = self._lines[market_of(job.demand)][job.demand]
        line.remove(job)
        if not line:
            self._close(line)

    def agents_for(self, demand: Demand) -> list[Agent]:
        """The agents of the pool, or the one that is named, whatever their state and tags."""
        return list(self._agents.get(market_of(demand), {}).values())

    def demands(self) -> list[Demand]:
        """The demands for which jobs wait."""
        return [demand for lines in self._lines.values() for demand in lines]

    def is_wanted(self, demand: Demand) -> bool:
        return demand in self._lines.get(market_of(demand), ())

    def assign(self) -> list[tuple[Job, Agent]]:
        """Give free slots to waiting jobs until one of both is used up. The jobs are in their agents' `leases` afterwards."""
        touched, self._touched = self._touched, set()
        lines = [line for market in touched for line in self._lines.get(market, {}).values()]
        lines.sort(key=_served)
        turns = [(line, candidates) for line in lines if (candidates := self._candidates(line.demand))]
        assigned = []
        while turns:
            still = []
            for line, candidates in turns:
                agent = _best(candidates)
                if agent is None:
                    continue
                job = line.take()
                agent.leases[job.order.job_id] = job
                self._served += 1
                line.served = self._served
                if line:
                    still.append((line, candidates))
                else:
                    self._close(line)
                assigned.append((job, agent))
            turns = still
        return assigned

    def _candidates(self, demand: Demand) -> list[tuple[Rank, Agent]]:
        agents = self._agents.get(market_of(demand), {}).values()
        candidates = [(_rank(agent), agent) for agent in agents if agent.free > 0 and agent.tags.issuperset(demand.tags)]
        heapify(candidates)
        return candidates

    def _close(self, line: Line) -> None:
        market = market_of(line.demand)
        lines = self._lines[market]
        del lines[line.demand]
        if not lines:
            del self._lines[market]


def _served(line: Line) -> int:
    return line.served


def _rank(agent: Agent) -> Rank:
    return -bisect_left(HEALTH_BANDS, agent.health), len(agent.leases) / agent.capacity, agent.name


def _best(candidates: list[tuple[Rank, Agent]]) -> Agent | None:
    """The best candidate with a free slot. Other lines may have used slots since it was ranked; ranks only ever get worse
    meanwhile, so a stale one is ranked anew when it comes to the top."""
    while candidates:
        rank, agent = candidates[0]
        if agent.free <= 0:
            heappop(candidates)
        elif (now := _rank(agent)) != rank:
            heapreplace(candidates, (now, agent))
        else:
            return agent
    return None
