"""The two state machines of the dispatcher, as tables, so that every module asks the same question the same way.

Agent (of one tenant and name). A session is one process of the agent; it is void once it has ended, for ever:

    create ──► new ──enrol──► offline ──register──► online ──stop, fall silent──► offline
                │                │   ▲                │
                │                │   └──rotate────────┤    rotate: a new key; whoever has the old one is cut off
                └─────revoke─────┴─────revoke─────────┴──► revoked ──create──► new

    online ──register──► online: a new session takes the place of the old one, which is void
    offline, online ──enrol──► the same, new ──rotate──► new

Job, from its PlaceJob to its ReleaseJob, which ends it in every state. `dispatch` counts its leases:

                    ┌────────────requeue────────────┬───────────┐
                    ▼                               │           │
    place ──► waiting ──lease (dispatch + 1)──► leased ──lose──► lost
                    │
                    ├──withdraw──► withdrawn
                    └──refuse────► refused

A step that a table does not have for a state is ignored, or refused with words, by whoever asked.
"""

from enum import StrEnum
from typing import Final


class AgentStatus(StrEnum):
    NEW = "new"
    """Has not enrolled with its key yet."""
    ONLINE = "online"
    OFFLINE = "offline"
    REVOKED = "revoked"


class AgentStep(StrEnum):
    CREATE = "create"
    ENROL = "enrol"
    REGISTER = "register"
    STOP = "stop"
    FALL_SILENT = "fall silent"
    ROTATE = "rotate"
    REVOKE = "revoke"


AGENT_STEPS: Final[dict[tuple[AgentStatus, AgentStep], AgentStatus]] = {
    (AgentStatus.NEW, AgentStep.ENROL): AgentStatus.OFFLINE,
    (AgentStatus.NEW, AgentStep.ROTATE): AgentStatus.NEW,
    (AgentStatus.NEW, AgentStep.REVOKE): AgentStatus.REVOKED,
    (AgentStatus.OFFLINE, AgentStep.ENROL): AgentStatus.OFFLINE,
    (AgentStatus.OFFLINE, AgentStep.REGISTER): AgentStatus.ONLINE,
    (AgentStatus.OFFLINE, AgentStep.ROTATE): AgentStatus.OFFLINE,
    (AgentStatus.OFFLINE, AgentStep.REVOKE): AgentStatus.REVOKED,
    (AgentStatus.ONLINE, AgentStep.ENROL): AgentStatus.ONLINE,
    (AgentStatus.ONLINE, AgentStep.REGISTER): AgentStatus.ONLINE,
    (AgentStatus.ONLINE, AgentStep.STOP): AgentStatus.OFFLINE,
    (AgentStatus.ONLINE, AgentStep.FALL_SILENT): AgentStatus.OFFLINE,
    (AgentStatus.ONLINE, AgentStep.ROTATE): AgentStatus.OFFLINE,
    (AgentStatus.ONLINE, AgentStep.REVOKE): AgentStatus.REVOKED,
    (AgentStatus.REVOKED, AgentStep.CREATE): AgentStatus.NEW,
}


class JobState(StrEnum):
    WAITING = "waiting"
    LEASED = "leased"
    LOST = "lost"
    """The agent of the lease is gone; the execution has been told and answers with a requeue or a release."""
    WITHDRAWN = "withdrawn"
    """Will not be sent; the execution has been told and answers with a release."""
    REFUSED = "refused"
    """No agent can ever run it; the execution has been told and answers with a release."""


class JobStep(StrEnum):
    LEASE = "lease"
    LOSE = "lose"
    REQUEUE = "requeue"
    WITHDRAW = "withdraw"
    REFUSE = "refuse"


JOB_STEPS: Final[dict[tuple[JobState, JobStep], JobState]] = {
    (JobState.WAITING, JobStep.LEASE): JobState.LEASED,
    (JobState.WAITING, JobStep.WITHDRAW): JobState.WITHDRAWN,
    (JobState.WAITING, JobStep.REFUSE): JobState.REFUSED,
    (JobState.LEASED, JobStep.LOSE): JobState.LOST,
    (JobState.LEASED, JobStep.REQUEUE): JobState.WAITING,
    (JobState.LOST, JobStep.REQUEUE): JobState.WAITING,
}
