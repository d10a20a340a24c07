"""What the approvals service measures: whether people are told. Approvals that wait for them are in the read models, and among
the metrics of the projections."""

from typing import Final

from prometheus_client import Counter
from runyard_shared.metrics import REGISTRY

NOTIFICATIONS: Final = Counter(
    "runyard_notifications",
    "Attempts to notify a channel, by outcome: sent; failed, and tried again as long as attempts are left; refused, which no "
    "further attempt would help.",
    ("outcome",),
    registry=REGISTRY,
)
for _outcome in ("sent", "failed", "refused"):
    NOTIFICATIONS.labels(_outcome)  # at 0 from the start: Prometheus sees no increase in what begins with 1
