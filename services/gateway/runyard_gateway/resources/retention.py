"""How long a tenant's history and audit log are kept before they are archived, and output before it is dropped (R66)."""

from collections.abc import Sequence

from runyard_shared.contracts import commands
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.columns import instant
from runyard_gateway.queries.projections import RetentionQueries, month_text

PATH = "/api/v1/retention"


class Retention:
    def __init__(self, commands: Commands, queries: RetentionQueries) -> None:
        self._commands = commands
        self._queries = queries

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path=PATH, handle=self.show, name="getRetention", tag="system", permission=Permission.VIEW,
                answer=answers.Retention, summary="How long data is kept, and what was archived",
            ),
            Operation(
                method="PUT", path=PATH, handle=self.set, name="setRetention", tag="system", permission=Permission.ADMIN,
                body=requests.SetRetention, body_required=True, answer=answers.Retention,
                refusals={409: "no_archive_directory"}, summary="Set how long history, output and audit log are kept",
            ),
        )  # fmt: skip

    async def show(self, call: Call) -> ASGIApp:
        return await self._answer(call.tenant_id)

    async def set(self, call: Call) -> ASGIApp:
        body: requests.SetRetention = call.body
        command = commands.SetRetention(
            history_months=body.history_months, output_days=body.output_days, audit_months=body.audit_months
        )
        await self._commands.send_to_projections(call, command)
        return await self._answer(call.tenant_id)

    async def _answer(self, tenant_id: str) -> ASGIApp:
        row = await self._queries.of(tenant_id)
        retention = answers.Retention(
            history_months=row["history_months"] if row else None,
            output_days=row["output_days"] if row else None,
            default_output_days=row["default_output_days"] if row else None,
            audit_months=row["audit_months"] if row else None,
            changed_at=instant(row["changed_at"]) if row else None,
            changed_by=row["changed_by"] if row else None,
            archived=[
                answers.ArchivedMonth(
                    month=month_text(each["month"]),
                    events=each["events"],
                    first_position=each["first_position"],
                    last_position=each["last_position"],
                    archived_at=instant(each["archived_at"]) or "",
                )
                for each in await self._queries.archived(tenant_id)
            ],
            archived_audit=[
                answers.ArchivedAudit(
                    month=month_text(each["month"]), entries=each["entries"], archived_at=instant(each["archived_at"]) or ""
                )
                for each in await self._queries.archived_audit(tenant_id)
            ],
            waiting=[
                answers.ExpiredMonth(
                    month=month_text(each["month"]), reason=each["reason"], looked_at=instant(each["looked_at"]) or ""
                )
                for each in await self._queries.expired(tenant_id)
            ],
        )
        return json_answer(retention)
