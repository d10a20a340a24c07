"""Output of jobs, from `read.job_output` and `read.output_range`."""

from dataclasses import dataclass

from runyard_gateway.database import Database

_STREAM = (
    "select known_size, sealed, sha256, missing_chunks, expired from read.job_output"
    " where job_id = $1::uuid and execution_id = $2::uuid and tenant_id = $3 and stream = $4"
)
_RANGE = 'select "offset", size, data from read.output_range($1::uuid, $2, $3, $4)'

_EXPIRED = "select read.output_expired($1, $2::uuid) as expired"
_FIRST_RUN = """
    with part as (
        select "offset" as starts, "offset" + size as ends, lag("offset" + size) over (order by "offset") as before
        from read.job_output_chunk
        where job_id = $1::uuid and stream = $2 and "offset" + size > $3 and "offset" < $4
    )
    select min(starts) as starts, coalesce(min(before) filter (where before < starts), max(ends)) as ends from part
"""


@dataclass(frozen=True)
class OutputStream:
    """`size` counts missing bytes too; when `sealed` nothing follows and `sha256` (hex) is that of the whole. `expired`: the
    bytes were deleted because their time was over."""

    size: int
    sealed: bool
    sha256: str | None
    missing_chunks: int
    expired: bool


@dataclass(frozen=True)
class Piece:
    """Consecutive bytes; `data` None: they exist and have not come."""

    offset: int
    size: int
    data: bytes | None


class OutputQueries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def stream(self, tenant_id: str, execution_id: str, job_id: str, stream: str) -> OutputStream | None:
        """None if nothing of it has come (yet)."""
        row = await self._database.fetch_row(_STREAM, job_id, execution_id, tenant_id, stream)
        if row is None:
            return None
        return OutputStream(int(row["known_size"]), row["sealed"], row["sha256"], row["missing_chunks"], row["expired"])

    async def has_expired(self, tenant_id: str, job_id: str) -> bool:
        """Whether the output of the tenant's jobs as old as this one was deleted because its time was over."""
        row = await self._database.fetch_row(_EXPIRED, tenant_id, job_id)
        return bool(row and row["expired"])

    async def first_run(self, job_id: str, stream: str, start: int, end: int) -> tuple[int, int]:
        """Of the bytes from `start` to `end` the first that are there, without a gap; (end, end) if none is."""
        row = await self._database.fetch_row(_FIRST_RUN, job_id, stream, start, end)
        if row is None or row["starts"] is None:
            return end, end
        return max(int(row["starts"]), start), min(int(row["ends"]), end)

    async def pieces(self, job_id: str, stream: str, offset: int, max_bytes: int) -> list[Piece]:
        """The caller has made sure that the job is the tenant's."""
        rows = await self._database.fetch(_RANGE, job_id, stream, offset, max_bytes)
        return [Piece(row["offset"], row["size"], row["data"]) for row in rows]
