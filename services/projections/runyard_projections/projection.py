"""What a projection is: a name, tables, and how events change them. `projector.py` and `rebuild.py` drive any of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import asyncpg
from runyard_shared.contracts.feed import Recorded
from runyard_shared.errors import RunyardError

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

LOG = "orchestrator"
"""The log that the read models are made of, and its schema."""

APPROVALS_LOG = "approvals"
AUDIT_LOG = "gateway"
"""Schemas of what is archived beside the log: the events of approvals, and the audit log."""

LIVE = "projections"
"""The schema of the tables that readers see."""


class ProjectionBroken(RunyardError):
    """The log and the rows do not fit together. The projection stops rather than guess; a rebuild makes its rows anew."""


class Projection(Protocol):
    """`tables`: all tables that only it writes, and that a rebuild makes anew."""

    @property
    def name(self) -> str: ...

    @property
    def tables(self) -> Sequence[str]: ...

    def fold(self, events: Sequence[Recorded]) -> Any:
        """The changes that consecutive events make, for `write`. Pure."""

    async def write(self, connection: Connection, changes: Any, schema: str) -> None:
        """Make the changes in the tables of `schema`, in the transaction of the caller."""


@runtime_checkable
class Begins(Protocol):
    """A projection whose empty tables are given something before position 0: what it knows of events that have left the log."""

    async def begin(self, connection: Connection, schema: str) -> None: ...


def expect_rows(tag: str, expected: int, what: str) -> None:
    """`tag` is what PostgreSQL answered (`UPDATE 3`). Raises `ProjectionBroken` if rows that must be there were not."""
    if int(tag.rsplit(" ", 1)[1]) != expected:
        raise ProjectionBroken(f"of {expected} {what} that events name, some are not there ({tag})")
