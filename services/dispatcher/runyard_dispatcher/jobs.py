"""A job as the dispatcher sees it: what was ordered, what it demands of an agent, and under which lease it is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from runyard_shared.contracts.base import Contract
from runyard_shared.contracts.jobs import PlaceJob

from runyard_dispatcher.lifecycle import JobState

if TYPE_CHECKING:
    from runyard_dispatcher.agents import Agent


class Demand(NamedTuple):
    """What a job asks of an agent. Jobs with equal demands wait in one line. A named `agent` may be of any pool."""

    tenant_id: str
    pool: str
    agent: str | None = None
    tags: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Its key in the tables."""
        return msgspec.json.encode(self).decode()


def demand_of(order: PlaceJob) -> Demand:
    return Demand(order.tenant_id, order.pool, order.agent, tuple(sorted(set(order.tags))) if order.tags else ())


class Cancel(StrEnum):
    """The job is to be cancelled at its agent: before it starts, or (`force`) also while it runs."""

    BEFORE_START = "before_start"
    FORCE = "force"


class Hopeless(Contract, frozen=True, kw_only=True):
    """Why no agent can ever run a job: a reason of `JobRefused`, and the words for people."""

    reason: str
    message: str


@dataclass(slots=True, eq=False)
class Job:
    """`since`: when it came into its state. `agent`: of the last lease, None before the first. `refusal`: of a refused one."""

    order: PlaceJob
    demand: Demand
    since: datetime
    state: JobState = JobState.WAITING
    dispatch: int = 0
    agent: "Agent | None" = None
    cancel: Cancel | None = None
    refusal: Hopeless | None = None
