"""The output of a job as bytes, from an offset on; what is missing is said in headers and never papered over (R15)."""

from collections.abc import Sequence

from starlette.types import ASGIApp

from runyard_gateway import requests
from runyard_gateway.http.answer import bytes_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.executions import ExecutionQueries
from runyard_gateway.queries.output import OutputQueries, OutputStream
from runyard_gateway.resources.execution_reader import ExecutionReader
from runyard_gateway.resources.path_ids import execution_id_of, job_id_of, no_job

_HEADERS = {
    "X-Output-Offset": "The place in the stream of the first byte of this answer",
    "X-Output-Next-Offset": "Where to go on reading",
    "X-Output-Size": "Bytes the stream has, as far as is known",
    "X-Output-Sealed": "`true` when nothing follows",
    "X-Output-Sha256": "SHA-256 (hex) of the whole stream, once it is sealed",
    "X-Output-Missing": "`start-end` (end excluded): bytes at the offset asked for, or behind this answer, that have not come",
}


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
                refusals={404: "execution_not_found, job_not_found"},
            ),
        )

    async def output(self, call: Call) -> ASGIApp:
        """Consecutive bytes: the answer ends where something is missing, or skips it if that is right at the offset."""
        query: requests.OutputQuery = call.query
        execution_id, job_id = execution_id_of(call), job_id_of(call)
        stream = await self._queries.stream(call.tenant_id, execution_id, job_id, query.stream)
        if stream is None:
            await self._reader.state(call.tenant_id, execution_id)
            if not await self._executions.jobs_named(call.tenant_id, execution_id, [job_id]):
                raise no_job(job_id)
            stream = OutputStream(size=0, sealed=False, sha256=None, missing_chunks=0)
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
        headers = {
            "X-Output-Offset": str(start),
            "X-Output-Next-Offset": str(end if body or missing is None else missing[1]),
            "X-Output-Size": str(stream.size),
            "X-Output-Sealed": "true" if stream.sealed else "false",
        }
        if stream.sealed and stream.sha256:
            headers["X-Output-Sha256"] = stream.sha256
        if missing is not None:
            headers["X-Output-Missing"] = f"{missing[0]}-{missing[1]}"
        encoded = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        # Bytes of somebody's program: never to be taken for a page of ours.
        encoded.append((b"x-content-type-options", b"nosniff"))
        return bytes_answer(body, content_type=b"application/octet-stream", headers=encoded)
