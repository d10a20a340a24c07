"""Which errors of the driver mean that the database is away, as opposed to a statement that is wrong."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from runyard_shared.errors import Unavailable

_OUTAGES = (
    OSError,  # includes refused and reset connections, and TimeoutError
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a statement on a connection that the server is just ending
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
)


def is_outage(error: BaseException) -> bool:
    """True if the same statement may succeed later, on another connection."""
    return isinstance(error, _OUTAGES) and not isinstance(error, asyncpg.DataError)


@contextmanager
def outages_as_unavailable() -> Iterator[None]:
    """Turns an outage inside the block into `Unavailable`; other errors pass."""
    try:
        yield
    except Exception as error:
        if is_outage(error):
            raise Unavailable(f"PostgreSQL is away: {error or type(error).__name__}") from error
        raise
