"""A pool of agents as the dispatcher sees it. The pool `default` is there without being made."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

DEFAULT_POOL: Final = "default"


@dataclass(slots=True, eq=False)
class Pool:
    """`paused_by`: who paused it; None while it is not paused."""

    pool_id: str
    tenant_id: str
    name: str
    created_at: datetime
    description: str = ""
    paused_by: str | None = None
    pause_reason: str = ""
    log_version: int = 0

    @property
    def stream_id(self) -> str:
        return self.pool_id

    @property
    def paused(self) -> bool:
        return self.paused_by is not None
