"""What the lag of a read model means: fine, behind, being rebuilt, or broken; and what `/readyz` makes of it.

| status     | when                                                                      | `/readyz`              |
|------------|---------------------------------------------------------------------------|------------------------|
| ok         | everything older than 10 s is in it                                       |                        |
| behind     | something older than that is not                                          | a note                 |
| rebuilding | a rebuild is under way; readers see the old one, which is kept up to date | a note if it is behind |
| broken     | it stands still until somebody helps, or nobody keeps it up to date       | a note                 |

Whatever the status: when the oldest event that is missing is older than `RUNYARD_STALE_AFTER_SECONDS`, the gateway is not
ready: what it shows would be the past.
"""

from typing import Final, Literal, TypeAlias

from runyard_gateway.database import Row
from runyard_gateway.queries.projections import Lag, is_under_way

BEHIND_SECONDS: Final = 10.0
SILENT_SECONDS: Final = 30.0
"""Six times as long as the projections are ever silent."""
UPKEEP_SILENT_SECONDS: Final = 30.0

Status: TypeAlias = Literal["ok", "behind", "rebuilding", "broken"]


def status_of(lag: Lag, rebuild: Row | None) -> tuple[Status, str | None]:
    """The status and, unless it is ok, why, in words."""
    if is_under_way(rebuild, UPKEEP_SILENT_SECONDS) and rebuild is not None:
        return "rebuilding", f"it is made anew: {rebuild['position']:,} of {rebuild['head']:,} events are in the new one"
    if lag.trouble is not None:
        return "broken", f"{lag.trouble}; rebuild it, or see the log of the projections"
    if lag.silent_seconds > SILENT_SECONDS:
        return "broken", f"nobody keeps it up to date: nothing was heard of the projections for {lag.silent_seconds:.0f} s"
    if lag.seconds > BEHIND_SECONDS:
        return "behind", in_words(lag)
    return "ok", None


def in_words(lag: Lag) -> str:
    return f"{lag.events:,} events behind, the oldest of them {lag.seconds:.0f} s old"
