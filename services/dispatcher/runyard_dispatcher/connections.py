"""A connection as the dispatcher sees it: what it is configured with, and its secrets, each in a box of its own."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runyard_shared.contracts.base import Contract


class Tested(Contract, frozen=True, kw_only=True):
    """How the last test went. `at`: RFC 3339."""

    ok: bool
    message: str
    agent: str
    at: str


@dataclass(slots=True, eq=False)
class Connection:
    """`boxes`: by the secret's name, sealed for a master key, as they came. `readable`: every one of them can be opened with
    the master keys that are there. `pools`: which may use it; empty for all."""

    connection_id: str
    tenant_id: str
    name: str
    kind: str
    config: dict[str, Any]
    pools: list[str]
    created_at: datetime
    updated_at: datetime
    description: str = ""
    enabled: bool = True
    boxes: dict[str, bytes] = field(default_factory=dict, repr=False)
    readable: bool = True
    tested: Tested | None = None
    log_version: int = 0

    @property
    def stream_id(self) -> str:
        return self.connection_id

    def allowed_in(self, pool: str) -> bool:
        return not self.pools or pool in self.pools
