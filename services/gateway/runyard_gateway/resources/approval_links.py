"""Signed links (R33): a page to confirm on. Opening it changes nothing, so that no mail scanner decides; only its form does.

The token is the key: whoever has it answers for the person it was made for, once, until it expires. So nobody else may learn
the address: no referrer, no cache, nothing loaded from elsewhere.
"""

from collections.abc import Callable, Sequence
from urllib.parse import parse_qsl

from pydantic import ValidationError
from runyard_shared.contracts import commands
from runyard_shared.contracts.values import ApprovalStatus
from runyard_shared.errors import Invalid, NotFound, Refusal, Unavailable
from starlette.types import ASGIApp

from runyard_gateway import link_page
from runyard_gateway.commands import Commands
from runyard_gateway.http.answer import Answer, bytes_answer
from runyard_gateway.http.identity import Identity
from runyard_gateway.http.operation import Call, Operation, RawBody
from runyard_gateway.requests import MAX_NOTE, AnswerLink
from runyard_gateway.resources.approvals import Approvals, answered_approval
from runyard_gateway.resources.path_ids import approval_id_of

PATH = "/approvals/{approvalId}/link/{token}"
MAX_TOKEN = 1000
_HEADERS = [
    (b"content-security-policy", link_page.CSP),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"x-robots-tag", b"noindex, nofollow"),
]
_OF_A_LINK_OF_OURS = frozenset({"already_resolved", "already_answered", "link_expired", "link_revoked", "link_used"})
"""Refusals that only somebody with a link we made gets."""
_REFUSALS = {
    403: "A page: the link is not valid",
    404: "A page: there is no such approval",
    409: "A page: who decided, and when",
    410: "A page: the link has expired or is used up",
}


class ApprovalLinks:
    def __init__(self, commands: Commands, approvals: Approvals, tenant_id: str) -> None:
        self._commands = commands
        self._approvals = approvals
        self._nobody = Identity(tenant_id, "link")

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(method="GET", path=PATH, handle=self.show, name="showApprovalLink", tag="approvals", public=True,
                      permission=None, answer_types=("text/html",), refusals=_REFUSALS,
                      summary="A page to confirm a decision on; opening it changes nothing"),
            Operation(method="POST", path=PATH, handle=self.decide, name="answerApprovalLink", tag="approvals", public=True,
                      permission=None, answer_types=("text/html",), refusals=_REFUSALS, body=RawBody, body_schema=AnswerLink,
                      body_types=("application/x-www-form-urlencoded",), body_required=True,
                      summary="Decide, as the form of the page does"),
        )  # fmt: skip

    async def show(self, call: Call) -> ASGIApp:
        try:
            approval_id, token = _link_of(call)
            command = commands.ShowApprovalLink(approval_id=approval_id, token=token)
            result = await self._commands.send_to_approvals(call.on_behalf_of(self._nobody), approval_id, command)
        except (Refusal, Unavailable) as trouble:
            return _refused(trouble)
        if result["status"] != ApprovalStatus.PENDING:
            return _page(link_page.decided(result["status"], result.get("respondedBy"), result.get("respondedAt")), 409)
        asked = link_page.Asked(
            workflow_name=result["workflowName"],
            message=result["message"],
            approver=result.get("approver") or "",
            expires_at=result.get("expiresAt"),
        )
        return _page(link_page.confirm(asked, MAX_NOTE))

    async def decide(self, call: Call) -> ASGIApp:
        try:
            approval_id, token = _link_of(call)
            form = _form(call.body)
            command = commands.AnswerApprovalLink(approval_id=approval_id, token=token, decision=form.decision, note=form.note)
            result = await self._commands.send_to_approvals(call.on_behalf_of(self._nobody), approval_id, command)
        except (Refusal, Unavailable) as trouble:
            if isinstance(trouble, Refusal) and trouble.code in _OF_A_LINK_OF_OURS:
                call.record.claim(self._nobody.tenant_id, self._nobody.actor)
            return _refused(trouble)
        # Only now it is known that the link is one of ours: nobody fills the audit log with made-up ones.
        call.record.claim(self._nobody.tenant_id, self._nobody.actor)
        answered = answered_approval(result)
        await self._approvals.until_shown(self._nobody.tenant_id, answered)
        more = answered.min_approvals - answered.approvals if answered.status == ApprovalStatus.PENDING else 0
        return _page(link_page.thanks(form.decision, more))


def _link_of(call: Call) -> tuple[str, str]:
    token = call.path["token"]
    if "\0" in token or len(token) > MAX_TOKEN:
        raise NotFound("link_invalid", "This link is not valid.")
    return approval_id_of(call), token


def _form(body: RawBody) -> AnswerLink:
    try:
        fields = dict(parse_qsl(body.content.decode("ascii"), keep_blank_values=True, max_num_fields=10, errors="strict"))
    except ValueError as error:
        raise Refusal("malformed_form", "What was sent is not a form.") from error
    note = fields.get("note", "").replace("\r\n", "\n").replace("\0", "").strip()
    try:
        return AnswerLink.model_validate({**fields, "note": note})
    except ValidationError as error:
        detail = f"Choose to approve or to reject; a note has at most {MAX_NOTE} characters."
        raise Invalid("invalid_form", detail) from error


def _refused(trouble: Refusal | Unavailable) -> Answer:
    if isinstance(trouble, Unavailable):
        return _page(link_page.unavailable(), 503)
    if trouble.code == "already_resolved":
        extra = trouble.extra
        return _page(link_page.decided(*(_text(extra.get(name)) for name in ("decision", "respondedBy", "respondedAt"))), 409)
    known: Callable[[], str] | None = link_page.REFUSALS.get(trouble.code)
    return _page(known() if known else link_page.refused(trouble.detail), trouble.status)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _page(content: str, status: int = 200) -> Answer:
    return bytes_answer(content.encode(), status, content_type=b"text/html; charset=utf-8", headers=_HEADERS)
