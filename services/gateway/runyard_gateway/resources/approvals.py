"""Approvals: what waits for whom, and the answers. Whether one counts is for the approvals service to say.

An approver needs no permission to see and answer what is theirs; `automation:view` shows the others' too.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Literal, cast

import msgspec
from runyard_shared.contracts import commands
from runyard_shared.contracts.values import ApprovalStatus
from runyard_shared.errors import FieldProblem, Forbidden, Invalid, Refusal
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.identity import Identity
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import ReadQuery
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.approvals import ApprovalQueries, Approver, PageKey
from runyard_gateway.queries.executions import ExecutionQueries
from runyard_gateway.read_position import EXECUTIONS, ReadPosition
from runyard_gateway.resources.path_ids import approval_id_of, no_approval

PATH = "/api/v1/approvals"
SHOWN_WITHIN_SECONDS = 1.0
KNOWN_WITHIN_SECONDS = 5.0
LOOK_EVERY_SECONDS = 0.01
VIA_HEADER = "Runyard-Via"
_VIA = ("web", "mobile", "api")
_REFUSALS = {
    403: "not_an_approver, self_approval",
    404: "approval_not_found",
    409: "already_resolved (`respondedBy`, `respondedAt`, `decision`), already_answered",
}


class Approvals:
    def __init__(
        self, commands: Commands, queries: ApprovalQueries, executions: ExecutionQueries, read_position: ReadPosition
    ) -> None:
        self._commands = commands
        self._queries = queries
        self._executions = executions
        self._read_position = read_position

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{approvalId}}"
        return (
            _operation("GET", PATH, self.list, "listApprovals",
                       "Approvals, oldest first; without automation:view those that one may answer", answers.ApprovalList,
                       query=requests.ApprovalsQuery),
            _operation("GET", one, self.detail, "getApproval", "An approval, and what to know before deciding",
                       answers.ApprovalDetail, query=ReadQuery,
                       refusals={404: "approval_not_found"}),
            _operation("POST", f"{one}/approve", self.approve, "approve", "Approve; the first decision counts",
                       answers.ApprovalAnswered, body=requests.AnswerApproval, refusals=_REFUSALS,
                       request_headers={VIA_HEADER: "web, mobile or api"}),
            _operation("POST", f"{one}/reject", self.reject, "reject", "Reject; the first decision counts",
                       answers.ApprovalAnswered, body=requests.AnswerApproval, refusals=_REFUSALS,
                       request_headers={VIA_HEADER: "web, mobile or api"}),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: requests.ApprovalsQuery = call.query
        await self._read_position.reach(EXECUTIONS, query.min_position)
        me = approver_of(call.identity)
        statuses = query.status or ([ApprovalStatus.PENDING] if query.mine else [])
        rows = await self._queries.page(
            call.tenant_id,
            statuses,
            decode_cursor(query.cursor, PageKey),
            query.limit + 1,
            execution_id=query.execution_id,
            addressed_to=None if call.identity.may(Permission.VIEW) else me,
            waiting_for=me if query.mine else None,
        )
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        return json_answer(answers.ApprovalList(items=rows, next_cursor=encode_cursor(PageKey.of(rows[-1])) if more else None))

    async def detail(self, call: Call) -> ASGIApp:
        query: ReadQuery = call.query
        approval_id = approval_id_of(call)
        await self._read_position.reach(EXECUTIONS, query.min_position)
        found = await self._queries.approval(call.tenant_id, approval_id)
        if found is None or not (call.identity.may(Permission.VIEW) or _is_for(found, call.identity)):
            raise no_approval(approval_id)
        context = await self._executions.before_approval(call.tenant_id, found.execution_id, approval_id)
        if context is None:
            raise no_approval(approval_id)
        return json_answer(answers.ApprovalDetail(**msgspec.structs.asdict(found), context=context))

    async def approve(self, call: Call) -> ASGIApp:
        return await self._answer(call, ApprovalStatus.APPROVED)

    async def reject(self, call: Call) -> ASGIApp:
        return await self._answer(call, ApprovalStatus.REJECTED)

    async def _answer(self, call: Call, decision: ApprovalStatus) -> ASGIApp:
        body: requests.AnswerApproval = call.body
        approval_id = approval_id_of(call)
        via = body.via or _via(call)
        await self._require_execute_for_what_is_for_anyone(call.identity, approval_id)
        command = commands.AnswerApproval(
            approval_id=approval_id, decision=decision, note=body.note, via=via, roles=list(call.identity.roles)
        )
        result = await self._send(call, command)
        answered = answered_approval(result)
        await self.until_shown(call.tenant_id, answered)
        return json_answer(answered)

    async def _send(self, call: Call, command: commands.AnswerApproval) -> dict[str, Any]:
        """An approval is shown as soon as the execution asks for it, which may be a moment before the approvals service is
        told: then it is waited for."""
        give_up_at = time.monotonic() + KNOWN_WITHIN_SECONDS
        while True:
            try:
                return await self._commands.send_to_approvals(call, command.approval_id, command)
            except Refusal as refusal:
                if refusal.code != "approval_not_found":
                    raise
                if time.monotonic() > give_up_at:
                    raise
                if await self._queries.progress(call.tenant_id, command.approval_id) is None:
                    raise
                await asyncio.sleep(LOOK_EVERY_SECONDS)

    async def _require_execute_for_what_is_for_anyone(self, identity: Identity, approval_id: str) -> None:
        """An approval without approvers is for everyone who may execute (R22). The approvers of one never change, so the read
        model is as good as the truth; whoever may execute is not kept waiting for it."""
        if identity.may(Permission.EXECUTE):
            return
        found = await self._queries.approval(identity.tenant_id, approval_id)
        if found is None:
            raise no_approval(approval_id)
        if not found.approvers and not _is_for(found, identity):
            detail = f"Anyone with the permission {Permission.EXECUTE} may answer this; {identity.actor} does not have it."
            raise Forbidden("not_an_approver", detail)

    async def until_shown(self, tenant_id: str, answered: answers.ApprovalAnswered) -> None:
        """Returns when the read model shows the answer, or after a second: it is given either way."""
        try:
            async with asyncio.timeout(SHOWN_WITHIN_SECONDS):
                while True:
                    shown = await self._queries.progress(tenant_id, answered.approval_id)
                    if shown is not None and (
                        shown.status != ApprovalStatus.PENDING
                        or (answered.status == ApprovalStatus.PENDING and shown.votes >= answered.approvals)
                    ):
                        return
                    await asyncio.sleep(LOOK_EVERY_SECONDS)
        except TimeoutError:
            return


def answered_approval(result: dict[str, Any]) -> answers.ApprovalAnswered:
    """From the reply of the approvals service."""
    return answers.ApprovalAnswered(
        approval_id=result["approvalId"],
        status=ApprovalStatus(result["status"]),
        responded_by=result.get("respondedBy"),
        response_note=result.get("responseNote"),
        responded_via=result.get("respondedVia"),
        responded_at=result.get("respondedAt"),
        approvals=result.get("approvals") or 0,
        min_approvals=result.get("minApprovals") or 1,
    )


def approver_of(identity: Identity) -> Approver:
    return Approver(identity.actor, identity.as_approver, identity.may(Permission.EXECUTE))


def _is_for(approval: answers.ApprovalRow, identity: Identity) -> bool:
    return not {*approval.approvers, *approval.escalated_to}.isdisjoint(identity.as_approver)


def _via(call: Call) -> Literal["web", "mobile", "api"]:
    given = call.header(VIA_HEADER.lower().encode())
    if given is not None and given not in _VIA:
        problem = FieldProblem(VIA_HEADER, f"must be one of {', '.join(_VIA)}")
        raise Invalid("invalid_header", f"The header {VIA_HEADER} is not as described in /openapi.json.", (problem,))
    return cast('Literal["web", "mobile", "api"]', given or "api")


def _operation(method: str, path: str, handle: Any, name: str, summary: str, answer: Any, **options: Any) -> Operation:
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="approvals", answer=answer, permission=None,
        **options,
    )  # fmt: skip
