"""Why a job waits, in words for the people who wait for it (R11)."""

from collections.abc import Sequence

from runyard_dispatcher.agents import Agent
from runyard_dispatcher.jobs import Demand


def waiting_reason(demand: Demand, agents: Sequence[Agent]) -> str:
    """`agents`: all agents of the pool, or the named one, in any state."""
    if demand.agent is not None:
        return _reason_for_named(demand.agent, demand.tags, agents)
    pool = f"pool {demand.pool}"
    if not agents:
        return f"no agent has ever registered in {pool}"
    fitting = [agent for agent in agents if agent.tags.issuperset(demand.tags)]
    if not fitting:
        return f"waiting for an agent in {pool} with {_tags(demand.tags)}: {_none_of(len(agents))}"
    tagged = f" with {_tags(demand.tags)}" if demand.tags else ""
    online = [agent for agent in fitting if agent.online]
    if not online:
        return f"waiting for an agent in {pool}{tagged}: 0 of {len(fitting)} online"
    offline = len(fitting) - len(online)
    busy = f"{_busy(online, f'{pool}{tagged}', 'online ' if offline else '')} ({_slots(online)})"
    return f"{busy}, {offline} {'is' if offline == 1 else 'are'} offline" if offline else busy


def _reason_for_named(name: str, tags: Sequence[str], agents: Sequence[Agent]) -> str:
    if not agents:
        return f"no agent named {name} has ever registered"
    agent = agents[0]
    missing = sorted(set(tags) - agent.tags)
    if missing:
        return f"agent {name} does not have {_tags(missing)}"
    if not agent.online:
        return f"waiting for agent {name}: it is offline"
    return f"agent {name} is busy ({_slots(agents)})"


def _busy(agents: Sequence[Agent], where: str, which: str) -> str:
    return (
        f"the only {which}agent of {where} is busy"
        if len(agents) == 1
        else f"all {len(agents)} {which}agents of {where} are busy"
    )


def _none_of(count: int) -> str:
    return "its only agent does not fit" if count == 1 else f"none of its {count} agents fits"


def _slots(agents: Sequence[Agent]) -> str:
    return f"{sum(len(agent.leases) for agent in agents)} of {sum(agent.capacity for agent in agents)} slots"


def _tags(tags: Sequence[str]) -> str:
    return f"{'tag' if len(tags) == 1 else 'tags'} {', '.join(tags)}"
