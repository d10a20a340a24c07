"""Who may call what, as one table of every route; and what another tenant finds under the ids of this one: nothing."""

from typing import Any

import asyncpg
from runyard_gateway.http.operation import Operation
from runyard_gateway.permissions import Permission

from tests.gateway import House, Json, house

ACCESS = {
    "public": """
        receiveWebhook signIn getSignInMethods beginSignIn finishSignIn
        showApprovalLink answerApprovalLink getHealth getReadiness getMetrics getOpenapi getAsyncapi getDocs""",
    "any key": """getMe getSession signOut listApprovals streamApprovals getApproval approve reject
        listOwnApiKeys revokeOwnApiKey""",
    "automation:view": """
        exportWorkflows exportWorkflow listSchedules previewSchedule listTriggerRecords
        listWorkflows getWorkflow listVersions getVersion diffVersions listActionTypes
        getAnalyticsSummary getAnalyticsTrends getAnalyticsOfWorkflows getAnalyticsOfAgents getAnalyticsOfJobs
        streamExecutions countExecutions listJobs
        listExecutions countExecutions getExecution getExecutionGraph listJobs getJob getExecutionLog getJobOutput
        streamExecutionEvents streamEvents listEvents
        listAgents getAgent listJobsOfAgent listPools listJobsOfPool listConnections getConnection listConnectionTypes
        listProjections getRetention""",
    "automation:execute": """receiveIncident runWorkflow cancelExecution rerunExecution bulkCancel bulkRerun""",
    "automation:manage": """
        importWorkflows listWebhooks createWebhook rotateWebhook disableWebhook enableWebhook deleteWebhook
        createWorkflow archiveWorkflow saveDraft checkWorkflow validateDraft publishDraft activateWorkflow
        deactivateWorkflow rollBackWorkflow
        listChannels createChannel replaceChannel deleteChannel testChannel
        drainAgent resumeAgent createPool deletePool pausePool resumePool
        createConnection replaceConnection deleteConnection enableConnection disableConnection testConnection""",
    "automation:admin": """
        createAgent changeAgent revokeAgent rotateAgentKey
        listUsers createUser getUser replaceUser changeUser deleteUser listApiKeys createApiKey revokeApiKey
        listRoles putRole deleteRole listAudit setRetention""",
    "automation:installation": """listTenants createTenant getTenant changeTenant rebuildProjections checkProjections
        listParkedMessages getParkedMessage retryParkedMessage dropParkedMessage rotateSecrets""",
    "agent key": """getOwnAgent enrolAgent streamAgentOrders postAgentMessages""",
}
"""That each route refuses whoever the table does not name is tested with every role beside the roles themselves."""

WORKFLOW: Json = {
    "name": "Asks and acts",
    "triggers": [{"type": "manual"}],
    "nodes": [
        {"id": "act", "type": "action", "action": "script.bash", "params": {"script": "true"}},
        {"id": "ask", "type": "approval", "message": "Go on?"},
    ],
    "edges": [{"from": "trigger", "to": "act"}, {"from": "trigger", "to": "ask"}],
}
BODIES: dict[str, Any] = {
    "saveDraft": WORKFLOW,
    "createWebhook": {"webhookId": "monitoring"},
    "rollBackWorkflow": {"version": 1},
    "replaceChannel": {"name": "ops", "url": "json://127.0.0.1:1/"},
    "changeAgent": {"tags": []},
    "replaceConnection": {"name": "bag"},
    "replaceUser": {"roles": []},
    "changeUser": {},
    "putRole": {"permissions": []},
}
"""For operations that are refused without one before anything is looked for."""


def access_of(operation: Operation) -> str:
    if operation.public:
        return "public"
    if operation.for_agents:
        return "agent key"
    return "any key" if operation.permission is None else str(operation.permission)


async def test_every_route_is_in_the_table_and_asks_for_what_the_table_says(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        declared = {operation.name: access_of(operation) for operation in home.gateway.operations}
        assert declared == {name: access for access, names in ACCESS.items() for name in names.split()}


async def test_another_tenants_administrator_finds_nothing_under_any_id_of_this_one(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        ids = await things(home)
        made = await home.call("POST", "/tenants", status=201, json={"tenantId": "other", "name": "Other", "user": "eve"})
        key = made["key"]
        headers = {"Authorization": f"Bearer {key}"}
        for operation in home.gateway.operations:
            if operation.public or operation.for_agents or "{" not in operation.path:
                continue
            path = operation.path.format_map(ids)
            own = BODIES.get(operation.name)
            if operation.name == "putRole":  # makes one of that name for the tenant that asks
                continue
            answer = await home.http.request(operation.method, path, headers=headers, json=own)
            expected = 403 if operation.permission == Permission.INSTALLATION else 404
            assert answer.status_code == expected, (operation.name, answer.status_code, answer.text)
        for path in ("workflows", "executions", "approvals", "events.json", "agents", "pools", "connections", "api-keys"):
            found = (await home.http.get(f"/api/v1/{path}", headers=headers)).json()["items"]
            assert [each for each in found if each.get("user") != "eve"] == [], path
        for path in ("agents", "connections", "executions", "workflows"):  # and all of it is still there
            assert (await home.call("GET", f"/{path}"))["items"], path
        assert (await home.call("GET", f"/agents/{ids['agentId']}"))["status"] == "new"


async def things(home: House) -> dict[str, str]:
    """One of each, by the name that it has in paths."""
    execution_id = await home.run(workflow_id := await home.publish(WORKFLOW))
    detail = await home.detail_when(execution_id, lambda each: each["jobs"] and each["approvals"])
    agent = await home.agent()
    channel = await home.call("POST", "/notification-channels", status=201, json=BODIES["replaceChannel"])
    connection = await home.call("POST", "/connections", status=201, json={"name": "bag", "kind": "secrets"})
    hook = await home.call("POST", f"/workflows/{workflow_id}/webhooks", status=201, json=BODIES["createWebhook"])
    await home.call("POST", "/pools", status=201, json={"name": "dmz"})
    await home.call("POST", "/users", status=201, json={"name": "alice"})
    await home.call("PUT", "/roles/deployer", json=BODIES["putRole"])
    return {
        "workflowId": workflow_id,
        "hookId": hook["hookId"],
        "executionId": execution_id,
        "jobId": detail["jobs"][0]["jobId"],
        "approvalId": detail["approvals"][0]["approvalId"],
        "channelId": channel["channelId"],
        "agentId": agent.agent_id,
        "connectionId": connection["connectionId"],
        "keyId": (await home.call("POST", "/api-keys", status=201, json={"user": "alice"}))["keyId"],
        "poolName": "dmz",
        "userName": "alice",
        "roleName": "deployer",
        "tenantId": "default",
        "version": "1",
        "messageId": 64 * "0",
    }
