"""Why a job waits, in words for the people who wait for it (R11)."""

from collections.abc import Mapping, Sequence

from runyard_dispatcher.agents import Agent
from runyard_dispatcher.jobs import Demand
from runyard_dispatcher.pools import Pool


def waiting_reason(demand: Demand, agents: Sequence[Agent], pools: Mapping[tuple[str, str], Pool]) -> str:
    """`agents`: all agents of the pool, or the named one, in any state but revoked."""
    if demand.agent is not None:
        return _reason_for_named(demand.agent, demand, agents, pools)
    pool = f"pool {demand.pool}"
    paused = _paused(demand.tenant_id, demand.pool, pools)
    if paused is not None:
        return paused
    if not agents:
        return f"there is no agent in {pool}"
    fitting = [agent for agent in agents if agent.tags.issuperset(demand.tags)]
    if not fitting:
        return f"waiting for an agent in {pool} with {_tags(demand.tags)}: {_none_of(len(agents))}"
    tagged = f" with {_tags(demand.tags)}" if demand.tags else ""
    online = [agent for agent in fitting if agent.online]
    if not online:
        return f"waiting for an agent in {pool}{tagged}: 0 of {len(fitting)} online"
    taking = [agent for agent in online if not agent.drained]
    draining, offline = len(online) - len(taking), len(fitting) - len(online)
    others = [f"{draining} {_are(draining)} draining"] if taking and draining else []
    others += [f"{offline} {_are(offline)} offline"] if offline else []
    which = "online " if others else ""
    where = f"{pool}{tagged}"
    said = f"{_all_of(taking, where, which)} busy ({_slots(taking)})" if taking else f"{_all_of(online, where, which)} draining"
    return ", ".join([said, *others])


def _reason_for_named(name: str, demand: Demand, agents: Sequence[Agent], pools: Mapping[tuple[str, str], Pool]) -> str:
    if not agents:
        return f"there is no agent {name}"
    agent = agents[0]
    missing = sorted(set(demand.tags) - agent.tags)
    if missing:
        return f"agent {name} does not have {_tags(missing)}"
    paused = _paused(demand.tenant_id, agent.pool, pools)
    if paused is not None:
        return paused
    if not agent.online:
        return f"waiting for agent {name}: it is offline"
    if agent.drained:
        return f"agent {name} is draining"
    return f"agent {name} is busy ({_slots(agents)})"


def _paused(tenant_id: str, name: str, pools: Mapping[tuple[str, str], Pool]) -> str | None:
    pool = pools.get((tenant_id, name))
    if pool is None or not pool.paused:
        return None
    why = f": {pool.pause_reason}" if pool.pause_reason else ""
    return f"pool {name} is paused by {pool.paused_by}{why}"


def _all_of(agents: Sequence[Agent], where: str, which: str) -> str:
    return f"the only {which}agent of {where} is" if len(agents) == 1 else f"all {len(agents)} {which}agents of {where} are"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _none_of(count: int) -> str:
    return "its only agent does not fit" if count == 1 else f"none of its {count} agents fits"


def _slots(agents: Sequence[Agent]) -> str:
    return f"{sum(len(agent.leases) for agent in agents)} of {sum(agent.capacity for agent in agents)} slots"


def _tags(tags: Sequence[str]) -> str:
    return f"{'tag' if len(tags) == 1 else 'tags'} {', '.join(tags)}"
