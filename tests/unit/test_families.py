"""Executions with children: iterations, subworkflows, re-runs, approvals; through the real handlers and routes."""

from itertools import pairwise
from typing import Any

import pytest
from runyard_shared.contracts import commands, events
from runyard_shared.contracts.commands import Problem
from runyard_shared.contracts.values import ApprovalStatus, ExecutionStatus, JobStatus, NodeStatus

from tests.engine import CATALOG, Json, action, chain, edge
from tests.world import World


def for_each(node_id: str, items: Any, *body: Json, **fields: Any) -> Json:
    ids = ["item", *(node["id"] for node in body)]
    links = [edge(a, b) for a, b in pairwise(ids)]
    return {"id": node_id, "type": "forEach", "items": items, "body": {"nodes": list(body), "edges": links}} | fields


def say(node_id: str, text: str, **fields: Any) -> Json:
    return action(node_id, params={"script": text}, **fields)


def set_variable(name: str, value: str) -> Json:
    return {"id": "set", "type": "setVariables", "values": {name: value}}


async def finish_all(world: World, **outputs: Any) -> None:
    """Every job completes, `stdout` being its script, until nothing is left."""
    await world.settle()
    while world.jobs:
        for job_id, order in list(world.jobs.items()):
            if job_id in world.jobs:
                await world.finish(job_id, output={"stdout": order.params["script"], "exitCode": 0} | outputs)
        await world.settle()


async def test_an_iteration_runs_for_each_item_and_their_results_are_a_list_in_order() -> None:
    world = World()
    document = chain(
        for_each("each", "inputs.hosts", say("ping", "{{ index }}: {{ item }} of {{ inputs.team }}"), concurrency=2)
    )
    execution_id = await world.run(await world.publish(document), {"hosts": ["a", "b", "c"], "team": "db"})
    await world.settle()
    assert [order.params["script"] for order in world.jobs.values()] == ["0: a of db", "1: b of db"]
    await world.finish(world.job_of("ping"), output={"stdout": "first"})
    await world.settle()
    assert [order.params["script"] for order in world.jobs.values()] == ["1: b of db", "2: c of db"]
    await finish_all(world)
    state = world.state(execution_id)
    assert state.status == ExecutionStatus.COMPLETED
    assert [result["stdout"] for result in state.nodes["each"].output] == ["first", "1: b of db", "2: c of db"]


async def test_events_of_an_iteration_name_the_execution_that_users_see() -> None:
    world = World()
    inner = for_each("inner", "[10, 20]", say("leaf", "host {{ item }}"))
    execution_id = await world.run(await world.publish(chain(for_each("outer", "[1, 2]", inner))))
    await finish_all(world)
    started = [event for event in map(world.mapper.decode, world.log.events) if isinstance(event, events.IterationStarted)]
    assert {event.path for event in started} == {
        "outer[0]", "outer[1]", "outer[0].inner[0]", "outer[0].inner[1]", "outer[1].inner[0]", "outer[1].inner[1]"
    }  # fmt: skip
    in_iterations = [recorded for recorded in world.log.events if recorded.correlation_id is not None]
    assert {recorded.correlation_id for recorded in in_iterations} == {execution_id}
    assert (
        world.state(execution_id).nodes["outer"].output
        == [[{"stdout": "host 10", "exitCode": 0}, {"stdout": "host 20", "exitCode": 0}]] * 2
    )


async def test_an_empty_list_completes_at_once() -> None:
    world = World()
    execution_id = await world.run(await world.publish(chain(for_each("each", "[]", action("a")), action("after"))))
    assert world.state(execution_id).nodes["each"].output == []
    assert [order.node_id for order in world.jobs.values()] == ["after"]


@pytest.mark.parametrize(("items", "words"), [("inputs.word", "must be a list"), ("inputs.nope", "does not resolve")])
async def test_items_that_are_no_list_fail_the_node(items: str, words: str) -> None:
    world = World()
    execution_id = await world.run(await world.publish(chain(for_each("each", items, action("a")))), {"word": "x"})
    state = world.state(execution_id)
    assert state.status == ExecutionStatus.FAILED
    assert state.failing is not None
    assert words in state.failing.message


async def test_on_item_error_stop_begins_nothing_more_and_lets_the_others_end() -> None:
    world = World()
    document = chain(for_each("each", "[0, 1, 2, 3]", action("a"), concurrency=2))
    document["nodes"].append({"id": "handler", "type": "errorHandler"})
    document["edges"].append(edge("each", "handler", "error"))
    execution_id = await world.run(await world.publish(document))
    await world.settle()
    await world.finish(world.job_of("a"), JobStatus.FAILED)
    await world.settle()
    assert world.state(execution_id).nodes["each"].status == NodeStatus.RUNNING
    await finish_all(world)
    state = world.state(execution_id)
    assert state.status == ExecutionStatus.COMPLETED
    error = state.nodes["handler"].output
    assert (error["nodeId"], error["exitCode"]) == ("each", 1)
    assert "item 0 (0) failed in a" in error["message"]
    assert len([stream for stream in world.executions_and_iterations() if stream != execution_id]) == 2


async def test_on_item_error_continue_shows_the_error_among_the_results() -> None:
    world = World()
    document = chain(for_each("each", "[0, 1]", action("a"), onItemError="continue"))
    execution_id = await world.run(await world.publish(document))
    await world.settle()
    await world.finish(world.job_of("a"), JobStatus.FAILED)
    await finish_all(world)
    results = world.state(execution_id).nodes["each"].output
    assert results[0]["error"]["exitCode"] == 1
    assert results[1]["exitCode"] == 0


async def test_results_of_many_items_are_cut_and_say_so() -> None:
    world = World()
    document = chain(for_each("each", "inputs.items", say("a", "x"), concurrency=1000))
    execution_id = await world.run(await world.publish(document), {"items": list(range(200))})
    await finish_all(world, stdout="y" * 60_000)
    results = world.state(execution_id).nodes["each"].output
    assert all(result["truncated"] and len(result["stdout"]) == (1 << 20) // 200 for result in results)


async def test_cancelling_the_execution_cancels_its_iterations_and_starts_no_more() -> None:
    world = World()
    execution_id = await world.run(await world.publish(chain(for_each("each", "[0, 1, 2]", action("a")))))
    await world.settle()
    await world.cancel(execution_id)
    await world.settle()
    (iteration,) = [stream for stream in world.executions_and_iterations() if stream != execution_id]
    assert world.state(iteration).status == ExecutionStatus.CANCELLED
    (job_id,) = world.withdrawn
    await world.withdraw(job_id)
    await world.settle()
    state = world.state(execution_id)
    assert (state.status, state.nodes["each"].status) == (ExecutionStatus.CANCELLED, NodeStatus.CANCELLED)
    assert not world.jobs


async def test_an_iteration_cannot_be_cancelled_by_its_own_id() -> None:
    world = World()
    execution_id = await world.run(await world.publish(chain(for_each("each", "[0]", action("a")))))
    await world.settle()
    (iteration,) = [stream for stream in world.executions_and_iterations() if stream != execution_id]
    problem = (await world.cancel(iteration)).problem
    assert problem is not None
    assert problem.code == "execution_not_found"


async def test_a_variable_set_in_an_iteration_stays_there() -> None:
    world = World()
    setter: Json = {"id": "set", "type": "setVariables", "values": {"v": "{{ vars.v }}{{ item }}"}}
    before: Json = {"id": "before", "type": "setVariables", "values": {"v": "x"}}
    document = chain(before, for_each("each", "[1, 2]", setter, say("a", "{{ vars.v }}")), say("after", "{{ vars.v }}"))
    execution_id = await world.run(await world.publish(document))
    await finish_all(world)
    state = world.state(execution_id)
    assert [result["stdout"] for result in state.nodes["each"].output] == ["x1", "x2"]
    assert state.nodes["after"].output["stdout"] == "x"


async def test_a_subworkflow_gives_its_variables_and_knows_its_parent() -> None:
    world = World()
    child = chain(
        say("work", "{{ inputs.host }}"),
        set_variable("seen", "{{ nodes.work.output.stdout }}"),
    )
    await world.publish(child | {"name": "Child"})
    parent = chain(
        {"id": "sub", "type": "subworkflow", "workflow": "Child", "inputs": {"host": "{{ inputs.h }}"}},
        say("after", "{{ nodes.sub.output.variables.seen }}"),
    )
    execution_id = await world.run(await world.publish(parent), {"h": "web-01"})
    await finish_all(world)
    state = world.state(execution_id)
    assert state.nodes["after"].output["stdout"] == "web-01"
    child_id = state.nodes["sub"].output["executionId"]
    started = world.history(child_id)[0]
    assert isinstance(started, events.ExecutionStarted)
    assert (started.parent_execution_id, started.depth, started.started_by) == (execution_id, 1, "alice")


@pytest.mark.parametrize(
    ("workflow", "words"),
    [("Nobody", "there is no workflow called 'Nobody'"), ("Strict", "variables.host"), ("Draft", "no published version")],
)
async def test_a_subworkflow_that_cannot_start_fails_the_node_and_says_why(workflow: str, words: str) -> None:
    world = World()
    await world.publish(
        chain(action("a")) | {"name": "Strict", "inputs": {"type": "object", "properties": {"host": {"type": "integer"}}}}
    )
    draft = chain(action("a")) | {"name": "Draft"}
    await world.ask(commands.CreateWorkflow(workflow_id=world.new_id(), document=draft, source="", format="json"))
    node = {"id": "sub", "type": "subworkflow", "workflow": workflow, "inputs": {"host": "text"}}
    execution_id = await world.run(await world.publish(chain(node)))
    await world.settle()
    state = world.state(execution_id)
    assert state.failing is not None
    assert state.failing.reason == "child_not_started"
    assert words in state.failing.message


async def test_a_refused_subworkflow_does_not_start_later_when_its_message_comes_again() -> None:
    world = World()
    child_id = world.new_id()
    draft = chain(action("a")) | {"name": "Child"}
    await world.ask(commands.CreateWorkflow(workflow_id=child_id, document=draft, source="", format="json"))
    node = {"id": "sub", "type": "subworkflow", "workflow": "Child"}
    execution_id = await world.run(await world.publish(chain(node)))
    ((message,),) = world.inbox.values()
    await world.settle()
    await world.ask(commands.PublishWorkflow(workflow_id=child_id, catalog=CATALOG))
    await world.ask(commands.ActivateWorkflow(workflow_id=child_id))
    await world.deliver(message)
    assert world.executions_and_iterations() == [execution_id]


async def test_a_workflow_that_calls_itself_ends_at_the_depth_limit() -> None:
    world = World()
    node = {"id": "again", "type": "subworkflow", "workflow": "Self"}
    execution_id = await world.run(await world.publish(chain(node) | {"name": "Self"}))
    await world.settle()
    states = [world.state(stream) for stream in world.executions_and_iterations()]
    assert len(states) == 11
    assert all(state.status == ExecutionStatus.FAILED for state in states)
    failing = world.state(execution_id).failing
    assert failing is not None
    assert "at most 10" in failing.message


async def test_cancelling_passes_down_and_a_cancelled_child_fails_its_node() -> None:
    world = World()
    await world.publish(chain(action("work")) | {"name": "Child"})
    node = {"id": "sub", "type": "subworkflow", "workflow": "Child"}
    workflow_id = await world.publish(chain(node))
    first, second = await world.run(workflow_id), await world.run(workflow_id)
    await world.settle()
    await world.cancel(first)
    await world.settle()
    child = world.state(second).subworkflows["sub"]
    await world.cancel(child)
    for job_id in list(world.withdrawn):
        await world.withdraw(job_id)
    await world.settle()
    assert world.state(first).status == ExecutionStatus.CANCELLED
    failing = world.state(second).failing
    assert failing is not None
    assert failing.reason == "child_cancelled"


async def test_a_critical_failure_elsewhere_cancels_children_and_waits_for_them() -> None:
    world = World()
    document: Json = {
        "name": "Fork",
        "nodes": [for_each("each", "[0]", action("slow")), action("bad")],
        "edges": [edge("trigger", "each"), edge("trigger", "bad")],
    }
    execution_id = await world.run(await world.publish(document))
    await world.settle()
    await world.finish(world.job_of("bad"), JobStatus.FAILED)
    assert world.state(execution_id).status == ExecutionStatus.RUNNING
    await world.settle()
    for job_id in list(world.withdrawn):
        await world.withdraw(job_id)
    await world.settle()
    state = world.state(execution_id)
    assert (state.status, state.nodes["each"].status) == (ExecutionStatus.FAILED, NodeStatus.CANCELLED)


# --- approvals


def approval(node_id: str = "gate", **fields: Any) -> Json:
    return {"id": node_id, "type": "approval", "message": "Clean {{ inputs.host }}?"} | fields


def gated(**fields: Any) -> Json:
    nodes = [
        approval(**fields),
        say("yes", "{{ nodes.gate.output.respondedBy }}: {{ nodes.gate.output.responseNote }}"),
        say("no", "{{ nodes.gate.output.decision }}"),
    ]
    return {
        "name": "Gated",
        "nodes": nodes,
        "edges": [edge("trigger", "gate"), edge("gate", "yes", "approved"), edge("gate", "no", "rejected")],
    }


@pytest.mark.parametrize(
    ("status", "node_id", "text"),
    [
        (ApprovalStatus.APPROVED, "yes", "bob: noted"),
        (ApprovalStatus.REJECTED, "no", "rejected"),
        (ApprovalStatus.EXPIRED, "no", "expired"),
    ],
)
async def test_a_decision_is_followed_by_its_edge(status: ApprovalStatus, node_id: str, text: str) -> None:
    world = World()
    await world.run(await world.publish(gated(timeoutSeconds=60)), {"host": "web-01"})
    ((approval_id, order),) = world.asked.items()
    assert (order.message, order.started_by, order.timeout_seconds) == ("Clean web-01?", "alice", 60)
    await world.resolve(approval_id, status)
    await world.resolve(approval_id, ApprovalStatus.REJECTED)
    ((_, job),) = world.jobs.items()
    assert (job.node_id, job.params["script"]) == (node_id, text)


async def test_a_rejection_without_an_edge_fails_the_execution() -> None:
    world = World()
    execution_id = await world.run(await world.publish(chain(approval(), action("a"))))
    (approval_id,) = world.asked
    await world.resolve(approval_id, ApprovalStatus.REJECTED)
    failing = world.state(execution_id).failing
    assert failing is not None
    assert failing.reason == "approval_rejected"
    assert "bob rejected it: noted" in failing.message


async def test_a_cancelled_execution_takes_its_question_back_and_keeps_a_decision_that_came_first() -> None:
    world = World()
    execution_id = await world.run(await world.publish(gated()))
    await world.cancel(execution_id)
    (approval_id,) = world.cancelled
    await world.resolve(approval_id, ApprovalStatus.APPROVED)
    assert world.topics(execution_id)[-1] == "approval.resolved"
    assert not world.jobs
    assert world.state(execution_id).approvals[approval_id].status == ApprovalStatus.APPROVED


# --- waiting for an agent


async def test_a_job_that_no_agent_takes_in_time_is_withdrawn_and_times_out() -> None:
    world = World()
    execution_id = await world.run(await world.publish(chain(action("a", queueTimeoutSeconds=30, maxRetries=1))))
    job_id = world.job_of("a")
    await world.fire(execution_id, "queue:a")
    assert world.withdrawn == {job_id}
    await world.withdraw(job_id)
    assert "job.timed_out" in world.topics(execution_id)
    await world.fire(execution_id, "queue:a")
    await world.withdraw(world.job_of("a"))
    failing = world.state(execution_id).failing
    assert failing is not None
    assert (failing.reason, failing.message) == ("queue_timeout", "no agent started the job within 30 s")


async def test_a_job_that_started_before_it_could_be_withdrawn_goes_on() -> None:
    world = World()
    execution_id = await world.run(await world.publish(chain(action("a", queueTimeoutSeconds=30))))
    await world.fire(execution_id, "queue:a")
    await world.finish(world.job_of("a"))
    assert world.state(execution_id).status == ExecutionStatus.COMPLETED


# --- re-runs


async def test_a_rerun_from_a_node_takes_over_what_came_before_it() -> None:
    world = World()
    document = chain(
        say("first", "one"),
        {"id": "set", "type": "setVariables", "values": {"v": "{{ nodes.first.output.stdout }}"}},
        say("second", "{{ vars.v }} {{ inputs.n }}"),
    )
    execution_id = await world.run(await world.publish(document), {"n": 1})
    await world.finish(world.job_of("first"), output={"stdout": "result"})
    await world.finish(world.job_of("second"), JobStatus.FAILED)
    again = await world.rerun(execution_id, "second", n=2)
    assert isinstance(again, str)
    assert world.topics(again)[:3] == ["execution.started", "node.reused", "node.reused"]
    assert [order.params["script"] for order in world.jobs.values()] == ["result 2"]
    started = world.history(again)[0]
    assert isinstance(started, events.ExecutionStarted)
    assert (started.rerun_of, started.from_node, started.inputs) == (execution_id, "second", {"n": 2})
    await finish_all(world)
    assert world.state(again).status == ExecutionStatus.COMPLETED


async def test_a_rerun_runs_the_version_that_is_published_now_and_from_a_node_the_one_that_ran() -> None:
    world = World()
    workflow_id = await world.publish(chain(say("a", "old")))
    execution_id = await world.run(workflow_id)
    await finish_all(world)
    document = chain(say("a", "new"))
    await world.ask(commands.SaveDraft(workflow_id=workflow_id, document=document, source="", format="json"))
    await world.ask(commands.PublishWorkflow(workflow_id=workflow_id, catalog=CATALOG))
    await world.rerun(execution_id)
    await world.rerun(execution_id, "a")
    assert [order.params["script"] for order in world.jobs.values()] == ["new", "old"]


async def test_what_cannot_be_run_again_is_refused_with_the_reason() -> None:
    world = World()
    execution_id = await world.run(await world.publish(chain(action("a"))))
    active = await world.rerun(execution_id)
    await finish_all(world)
    unknown = await world.rerun(execution_id, "nope")
    missing = await world.rerun(world.new_id())
    assert isinstance(active, Problem)
    assert isinstance(unknown, Problem)
    assert isinstance(missing, Problem)
    assert (active.code, unknown.code, missing.code) == ("execution_active", "unknown_node", "execution_not_found")


async def test_a_failed_branch_is_run_again_and_a_finished_one_beside_it_is_not() -> None:
    world = World()
    document: Json = {
        "name": "Fork",
        "nodes": [action("good"), action("bad"), {"id": "join", "type": "join"}, action("last")],
        "edges": [
            edge("trigger", "good"),
            edge("trigger", "bad"),
            edge("good", "join"),
            edge("bad", "join"),
            edge("join", "last"),
        ],
    }
    execution_id = await world.run(await world.publish(document))
    await world.finish(world.job_of("good"))
    await world.finish(world.job_of("bad"), JobStatus.FAILED)
    again = await world.rerun(execution_id, "bad")
    assert isinstance(again, str)
    assert [order.node_id for order in world.jobs.values()] == ["bad"]
    await finish_all(world)
    assert world.state(again).status == ExecutionStatus.COMPLETED
