"""The life of an approval, as a table. What happens to it means something only while it is pending.

    what happens    | pending                                                        | resolved
    ----------------|----------------------------------------------------------------|------------------------------
    approve         | voted; with enough different people -> approved                | refused: who decided, and when
    reject          | -> rejected                                                    | refused: who decided, and when
    cancel          | -> cancelled                                                   | nothing: its report is under way
    expire          | -> expired                                                     | nothing
    remind          | reminded, once                                                 | nothing
    escalate        | escalated, once: more people may answer                        | nothing
    deliver         | the message of a purpose goes to a channel                     | nothing
    delivered       | notified                                                       | notified
    not delivered   | tried again later; after the last attempt notified, with error | notified, with error
    request again   | nothing                                                        | nothing

Resolved is approved, rejected, expired or cancelled; there is no way from one to another. Whatever comes after its
expiry finds it expired, even if its timer was slower.
"""

from enum import StrEnum

from runyard_shared.contracts.values import ApprovalStatus

ANSWERS = (ApprovalStatus.APPROVED, ApprovalStatus.REJECTED)
"""What people may say."""


class Purpose(StrEnum):
    """Why people are told."""

    REQUESTED = "requested"
    REMINDER = "reminder"
    ESCALATION = "escalation"


class Deadline(StrEnum):
    """The timers that every approval may have once."""

    EXPIRE = "expire"
    REMIND = "remind"
    ESCALATE = "escalate"


DEADLINES = {deadline.value: deadline for deadline in Deadline}
"""By the ids of their timers."""
