"""The output of a job as bytes: a part from an offset on, a range, or all of it as a file. What is missing is said and never
papered over (R15)."""

from collections.abc import Sequence

from runyard_shared.errors import Refusal
from starlette.types import ASGIApp

from runyard_gateway import requests
from runyard_gateway.http.answer import Headers, bytes_answer
from runyard_gateway.http.byte_range import RangeNotSatisfiable, byte_range
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.problems import problem_answer
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.executions import ExecutionQueries, JobState
from runyard_gateway.queries.output import OutputQueries, OutputStream
from runyard_gateway.resources.execution_reader import ExecutionReader
from runyard_gateway.resources.path_ids import execution_id_of, job_id_of, no_job
from runyard_gateway.streams.output_bytes import OutputBytes

_HEADERS = {
    "X-Output-Offset": "The place in the stream of the first byte of this answer",
    "X-Output-Next-Offset": "Where to go on reading",
    "X-Output-Size": "Bytes the stream has, as far as is known",
    "X-Output-Sealed": "`true` when nothing follows",
    "X-Output-Sha256": "SHA-256 (hex) of the whole stream, once it is sealed",
    "X-Output-Missing": "`start-end` (end excluded): bytes at the offset asked for, or behind this answer, that have not come",
    "Content-Range": "Of an answer to a Range: which bytes it has; the size is * while the job may write more",
}
OCTETS = b"application/octet-stream"
_FIXED: Headers = [(b"content-type", OCTETS), (b"cache-control", b"no-store")]


class Output:
    def __init__(self, queries: OutputQueries, executions: ExecutionQueries, reader: ExecutionReader) -> None:
        self._queries = queries
        self._executions = executions
        self._reader = reader

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET",
                path="/api/v1/executions/{executionId}/jobs/{jobId}/output",
                handle=self.output,
                name="getJobOutput",
                tag="executions",
                permission=Permission.VIEW,
                summary="Output of a job, also while it runs",
                answer_types=("application/octet-stream",),
                answer_headers=_HEADERS,
                query=requests.OutputQuery,
                request_headers={
                    "Range": "One range, such as bytes=0-99 or bytes=-500, answered with 206; not with offset or limit",
                    "If-Range": "The ETag of a sealed stream: the range only if it is still that",
                },
                refusals={404: "execution_not_found, job_not_found", 410: "output_expired", 416: "range_not_satisfiable"},
            ),
        )

    async def output(self, call: Call) -> ASGIApp:
        query: requests.OutputQuery = call.query
        execution_id, job_id = execution_id_of(call), job_id_of(call)
        stream = await self._queries.stream(call.tenant_id, execution_id, job_id, query.stream)
        job: JobState | None = None
        if stream is None or query.download:
            job = (await self._executions.jobs_named(call.tenant_id, execution_id, [job_id])).get(job_id)
        if stream is None:
            await self._reader.state(call.tenant_id, execution_id)
            if job is None:
                raise no_job(job_id)
            expired = await self._queries.has_expired(call.tenant_id, job_id)
            stream = OutputStream(size=0, sealed=False, sha256=None, missing_chunks=0, expired=expired)
        if stream.expired:
            raise Refusal("output_expired", "The output of this job was deleted: it is kept for a number of days.", 410)
        if query.model_fields_set & {"offset", "limit"}:
            return await self._part(job_id, query, stream)
        wanted = None if _is_of_another(call, stream) else call.header(b"range")
        try:
            chosen = byte_range(wanted, stream.size)
        except RangeNotSatisfiable as refusal:
            return problem_answer(refusal, [(b"content-range", b"bytes */%d" % refusal.size)])
        if chosen is not None:
            return await self._range(job_id, query, stream, chosen, _file(query, job))
        if query.download:
            return self._whole(job_id, query, stream, _file(query, job))
        return await self._part(job_id, query, stream)

    async def _part(self, job_id: str, query: requests.OutputQuery, stream: OutputStream) -> ASGIApp:
        """Consecutive bytes: the answer ends where something is missing, or skips it if that is right at the offset."""
        start, parts, missing = query.offset, list[bytes](), None
        for piece in await self._queries.pieces(job_id, query.stream, query.offset, query.limit):
            if piece.data is not None:
                start = start if parts else piece.offset
                parts.append(piece.data)
            else:
                missing = missing or (piece.offset, piece.offset + piece.size)
                if parts:
                    break
        body = b"".join(parts)
        end = start + len(body)
        headers = [
            *_about(stream),
            (b"x-output-offset", b"%d" % start),
            (b"x-output-next-offset", b"%d" % (end if body or missing is None else missing[1])),
        ]
        if missing is not None:
            headers.append((b"x-output-missing", b"%d-%d" % missing))
        return bytes_answer(body, content_type=OCTETS, headers=headers)

    async def _range(
        self, job_id: str, query: requests.OutputQuery, stream: OutputStream, chosen: tuple[int, int], file: Headers
    ) -> ASGIApp:
        """206, with what is there of the range: up to the first missing byte, or from the last of those it begins with."""
        start, end = chosen
        if stream.missing_chunks:
            start, end = await self._queries.first_run(job_id, query.stream, start, end)
        missing = b"%d-%d" % ((end, chosen[1]) if start == chosen[0] else (chosen[0], start))
        headers = [*_about(stream), *file, *([(b"x-output-missing", missing)] if (start, end) != chosen else [])]
        if start >= end:
            detail = f"The bytes {chosen[0]} to {chosen[1] - 1} of this output have not come."
            refusal = RangeNotSatisfiable(detail, stream.size)
            return problem_answer(refusal, [(b"content-range", b"bytes */%d" % stream.size), (b"x-output-missing", missing)])
        size = b"%d" % stream.size if stream.sealed else b"*"
        headers += [(b"content-range", b"bytes %d-%d/%b" % (start, end - 1, size)), (b"content-length", b"%d" % (end - start))]
        return OutputBytes(
            self._queries, job_id, query.stream, start, end, status=206, headers=[*_FIXED, *headers], mark_missing=False
        )

    def _whole(self, job_id: str, query: requests.OutputQuery, stream: OutputStream, file: Headers) -> ASGIApp:
        """All there is by now, whether or not the job still runs; a line says where something is missing."""
        headers = [*_FIXED, *_about(stream), *file]
        if not stream.missing_chunks:
            headers.append((b"content-length", b"%d" % stream.size))
        return OutputBytes(
            self._queries, job_id, query.stream, 0, stream.size, status=200, headers=headers,
            mark_missing=bool(stream.missing_chunks),
        )  # fmt: skip


def _about(stream: OutputStream) -> Headers:
    headers: Headers = [
        (b"x-output-size", b"%d" % stream.size),
        (b"x-output-sealed", b"true" if stream.sealed else b"false"),
        # Bytes of somebody's program: never to be taken for a page of ours.
        (b"x-content-type-options", b"nosniff"),
    ]
    if not stream.missing_chunks:
        headers.append((b"accept-ranges", b"bytes"))
    if stream.sealed and stream.sha256:
        headers += [(b"x-output-sha256", stream.sha256.encode()), (b"etag", _etag(stream).encode())]
    return headers


def _file(query: requests.OutputQuery, job: JobState | None) -> Headers:
    """Its parts are of characters that need no quoting in a header and are safe in any file system."""
    if not query.download or job is None:
        return []
    name = f"{job.node_id}-{job.attempt}-{query.stream}.log"
    return [(b"content-disposition", f'attachment; filename="{name}"'.encode())]


def _is_of_another(call: Call, stream: OutputStream) -> bool:
    """Whether the client has the beginning of other bytes than these (If-Range): then it needs all of them."""
    condition = call.header(b"if-range")
    return condition is not None and condition != _etag(stream)


def _etag(stream: OutputStream) -> str:
    return f'"{stream.sha256}"' if stream.sealed and stream.sha256 else ""
