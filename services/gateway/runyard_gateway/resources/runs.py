"""Starting, re-running and cancelling executions.

Starting one is the hottest route: nothing is looked up, the orchestrator refuses.
"""

from collections.abc import Sequence

from runyard_shared.contracts.commands import CancelExecution, RerunExecution, StartExecution
from runyard_shared.contracts.values import ExecutionStatus, Trigger
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.idempotency import idempotency_key
from runyard_gateway.permissions import Permission
from runyard_gateway.resources.path_ids import execution_id_of, workflow_id_of


class Runs:
    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="POST",
                path="/api/v1/workflows/{workflowId}/run",
                handle=self.run,
                name="runWorkflow",
                summary="Start an execution of the published version",
                tag="executions",
                permission=Permission.EXECUTE,
                status=202,
                answer=answers.RunStarted,
                body=requests.RunWorkflow,
                refusals={
                    404: "workflow_not_found",
                    409: "not_published, not_active, workflow_archived",
                    422: "invalid_variables",
                },
            ),
            Operation(
                method="POST",
                path="/api/v1/executions/{executionId}/cancel",
                handle=self.cancel,
                name="cancelExecution",
                summary="Cancel: nothing new starts, running jobs run to their end or, with force, are stopped",
                tag="executions",
                permission=Permission.EXECUTE,
                status=202,
                answer=answers.Cancelled,
                body=requests.CancelExecution,
                refusals={404: "execution_not_found", 409: "execution_finished"},
            ),
            Operation(
                method="POST",
                path="/api/v1/executions/{executionId}/rerun",
                handle=self.rerun,
                name="rerunExecution",
                summary="Start it again, also from a node on, reusing what is not downstream of that",
                tag="executions",
                permission=Permission.EXECUTE,
                status=202,
                answer=answers.RunStarted,
                body=requests.RerunExecution,
                refusals={
                    404: "execution_not_found",
                    409: "not_published, not_active, workflow_archived, execution_active",
                    422: "invalid_variables, unknown_node",
                },
            ),
        )

    async def run(self, call: Call) -> ASGIApp:
        body: requests.RunWorkflow = call.body
        execution_id = call.new_id()
        command = StartExecution(
            execution_id=execution_id,
            workflow_id=workflow_id_of(call),
            variables=body.variables,
            trigger=Trigger(type="manual", user=call.identity.actor),
            idempotency_key=idempotency_key(call),
        )
        outcome = await self._commands.begin(call, command, "runWorkflow")
        # With an Idempotency-Key the id is that of the first execution, which need not be the one proposed here.
        return json_answer(answers.RunStarted(execution_id=outcome.result["executionId"], position=outcome.position), 202)

    async def rerun(self, call: Call) -> ASGIApp:
        body: requests.RerunExecution = call.body
        execution_id = call.new_id()
        command = RerunExecution(
            execution_id=execution_id,
            rerun_of=execution_id_of(call),
            from_node=body.from_node,
            variables=body.variables,
            idempotency_key=idempotency_key(call),
        )
        outcome = await self._commands.begin(call, command, "rerunExecution")
        return json_answer(answers.RunStarted(execution_id=outcome.result["executionId"], position=outcome.position), 202)

    async def cancel(self, call: Call) -> ASGIApp:
        body: requests.CancelExecution = call.body
        execution_id = execution_id_of(call)
        command = CancelExecution(execution_id=execution_id, reason=body.reason, force=body.force)
        outcome = await self._commands.send(call, execution_id, command)
        status = ExecutionStatus(outcome.result.get("status", ExecutionStatus.CANCELLED))
        return json_answer(answers.Cancelled(execution_id=execution_id, status=status, position=outcome.position), 202)
