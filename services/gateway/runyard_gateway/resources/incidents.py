"""Incidents: an event of one, sent once, for every workflow of the tenant that has a trigger for it (R51)."""

from collections.abc import Sequence

from runyard_shared.contracts.commands import ReceiveIncident
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.idempotency import idempotency_key
from runyard_gateway.permissions import Permission


class Incidents:
    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="POST", path="/api/v1/incidents", handle=self.receive, name="receiveIncident", tag="triggers",
                status=202, summary="Start whatever has an incident trigger for this event and a condition that is true",
                permission=Permission.EXECUTE, answer=answers.IncidentReceived, body=requests.ReceiveIncident,
                body_required=True,
            ),
        )  # fmt: skip

    async def receive(self, call: Call) -> ASGIApp:
        """Every field is there for the conditions: what was not given is empty."""
        body: requests.ReceiveIncident = call.body
        receipt_id = call.new_id()
        command = ReceiveIncident(
            receipt_id=receipt_id,
            event=body.event,
            incident=body.incident.model_dump(by_alias=True),
            idempotency_key=idempotency_key(call),
        )
        outcome = await self._commands.send(call, receipt_id, command)
        result = outcome.result
        answer = answers.IncidentReceived(
            record_id=result["receiptId"],
            executions=[
                answers.IncidentExecution(execution_id=each["executionId"], workflow_id=each["workflowId"])
                for each in result["executions"]
            ],
            skipped=[
                answers.IncidentSkipped(
                    workflow_id=each["workflowId"], workflow_name=each["workflowName"], reason=each["reason"]
                )
                for each in result["skipped"]
            ],
            position=outcome.position,
        )
        return json_answer(answer, 202)
