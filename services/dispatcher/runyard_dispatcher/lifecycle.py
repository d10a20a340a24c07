"""The two state machines of the dispatcher, as tables, so that every module asks the same question the same way.

Agent (of one tenant and name). A session is one process of the agent; it is void once it has ended, for ever:

    unknown ──register──► online ──stop, fall silent──► offline
                          ▲   │ ▲                         │
                          └───┘ └────────register─────────┘
                        register: a new session takes the place of the old one, which is void

Job, from its PlaceJob to its ReleaseJob, which ends it in every state. `dispatch` counts its leases:

                    ┌────────────requeue────────────┬───────────┐
                    ▼                               │           │
    place ──► waiting ──lease (dispatch + 1)──► leased ──lose──► lost
                    │
                    └──withdraw──► withdrawn

A step that a table does not have for a state is ignored by whoever asked.
"""

from enum import StrEnum
from typing import Final


class AgentStatus(StrEnum):
    """`unknown` is an agent that has never registered: it has no row and no value here."""

    ONLINE = "online"
    OFFLINE = "offline"


class AgentStep(StrEnum):
    REGISTER = "register"
    STOP = "stop"
    FALL_SILENT = "fall silent"


AGENT_STEPS: Final[dict[tuple[AgentStatus, AgentStep], AgentStatus]] = {
    (AgentStatus.ONLINE, AgentStep.REGISTER): AgentStatus.ONLINE,
    (AgentStatus.OFFLINE, AgentStep.REGISTER): AgentStatus.ONLINE,
    (AgentStatus.ONLINE, AgentStep.STOP): AgentStatus.OFFLINE,
    (AgentStatus.ONLINE, AgentStep.FALL_SILENT): AgentStatus.OFFLINE,
}


class JobState(StrEnum):
    WAITING = "waiting"
    LEASED = "leased"
    LOST = "lost"
    """The agent of the lease is gone; the execution has been told and answers with a requeue or a release."""
    WITHDRAWN = "withdrawn"
    """Will not be sent; the execution has been told and answers with a release."""


class JobStep(StrEnum):
    LEASE = "lease"
    LOSE = "lose"
    REQUEUE = "requeue"
    WITHDRAW = "withdraw"


JOB_STEPS: Final[dict[tuple[JobState, JobStep], JobState]] = {
    (JobState.WAITING, JobStep.LEASE): JobState.LEASED,
    (JobState.WAITING, JobStep.WITHDRAW): JobState.WITHDRAWN,
    (JobState.LEASED, JobStep.LOSE): JobState.LOST,
    (JobState.LEASED, JobStep.REQUEUE): JobState.WAITING,
    (JobState.LOST, JobStep.REQUEUE): JobState.WAITING,
}
