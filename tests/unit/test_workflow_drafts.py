"""Drafts: two people who edit one at the same time, and documents that are brought in as a whole or not at all."""

from typing import Any

from runyard_shared.contracts import commands

from tests.engine import CATALOG, Json
from tests.world import World

ONE: Json = {
    "name": "One",
    "nodes": [{"id": "a", "type": "action", "action": "script.bash", "params": {"script": "true"}}],
    "edges": [{"from": "trigger", "to": "a"}],
}


def fields(document: Json) -> Json:
    return {"document": document, "source": "", "format": "json"}


def save(workflow_id: str, timeout: int, if_revision: int | None) -> commands.SaveDraft:
    return commands.SaveDraft(workflow_id=workflow_id, if_revision=if_revision, **fields(ONE | {"timeoutSeconds": timeout}))


def bring_in(workflow_id: str, document: Json, **wanted: Any) -> commands.ImportWorkflow:
    return commands.ImportWorkflow(workflow_id=workflow_id, catalog=CATALOG, **fields(document), **wanted)


async def test_of_two_who_edit_one_draft_one_wins_and_the_other_is_told_by_whom_and_when() -> None:
    world = World()
    workflow_id = world.new_id()
    created = await world.ask(commands.CreateWorkflow(workflow_id=workflow_id, **fields(ONE)))
    assert created.result is not None and created.result["revision"] == 1
    won = await world.ask(save(workflow_id, 1, if_revision=1), actor="bob")
    assert won.result is not None and (won.result["revision"], won.result["savedBy"]) == (2, "bob")
    lost = await world.ask(save(workflow_id, 2, if_revision=1))
    assert lost.problem is not None and (lost.problem.status, lost.problem.code) == (412, "draft_changed")
    assert lost.problem.extra == {"revision": 2, "savedBy": "bob", "savedAt": won.result["savedAt"]}
    assert world.topics(workflow_id) == ["workflow.created", "workflow.drafted"]


async def test_the_same_save_again_is_no_other_revision_and_no_conflict() -> None:
    world = World()
    workflow_id = world.new_id()
    await world.ask(commands.CreateWorkflow(workflow_id=workflow_id, **fields(ONE)))
    for _ in range(2):
        saved = await world.ask(save(workflow_id, 1, if_revision=1))
        assert saved.result is not None and saved.result["revision"] == 2


async def test_an_import_makes_publishes_and_activates_in_one_append() -> None:
    world = World()
    workflow_id = world.new_id()
    made = await world.ask(bring_in(workflow_id, ONE, publish=True, activate=True))
    assert made.result is not None and (made.result["active"], made.result["version"]) == (True, 1)
    topics = ["workflow.created", "workflow.published", "workflow.activated"]
    assert world.topics(workflow_id) == topics
    await world.ask(bring_in(workflow_id, ONE, publish=True, activate=True))
    assert world.topics(workflow_id) == topics, "what is already so makes no event"


async def test_a_refused_import_leaves_nothing_behind() -> None:
    world = World()
    broken = ONE | {"nodes": [{"id": "a", "type": "action", "action": "no.such"}]}
    fresh, known = world.new_id(), await world.publish(ONE)
    before = world.topics(known)
    for workflow_id, document in ((fresh, broken | {"name": "Other"}), (known, broken)):
        refused = await world.ask(bring_in(workflow_id, document, publish=True))
        assert refused.problem is not None and refused.problem.code == "invalid_workflow" and refused.problem.errors
    assert await world.log.load(fresh) == [] and world.topics(known) == before


async def test_an_archived_workflow_keeps_its_name_and_archiving_again_changes_nothing() -> None:
    world = World()
    workflow_id = await world.publish(ONE)
    for _ in range(2):
        archived = await world.ask(commands.ArchiveWorkflow(workflow_id=workflow_id))
        assert archived.result is not None and archived.result["archived"]
    assert world.topics(workflow_id).count("workflow.archived") == 1
    again = await world.ask(bring_in(world.new_id(), ONE))
    assert again.problem is not None and again.problem.code == "workflow_name_taken"
    assert again.problem.extra == {"workflowId": workflow_id, "archived": True}
