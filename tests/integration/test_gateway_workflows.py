"""Workflows over HTTP: from a draft with mistakes to versions that can be compared and rolled back."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from tests.gateway import CHAIN, House, house

YAML = """\
name: Über YAML   # kept as it is written
triggers: [{type: manual}]
nodes:
  - {id: only, type: action, action: script.bash, params: {script: "true"}}
edges:
  - {from: trigger, to: only}
"""
AS_YAML = {"Content-Type": "application/yaml; charset=utf-8"}


@pytest.fixture
async def home(pool: asyncpg.Pool) -> AsyncIterator[House]:
    async with house(pool) as made:
        yield made


async def test_a_yaml_document_is_kept_to_the_letter_and_becomes_a_version(home: House) -> None:
    created = await home.call("POST", "/workflows", status=201, content=YAML.encode(), headers=AS_YAML)
    path = f"/workflows/{created['workflowId']}"
    assert created["draft"]["source"] == YAML and created["draft"]["format"] == "yaml"
    assert created["draft"]["document"]["nodes"][0]["params"] == {"script": "true"}
    assert (await home.call("POST", f"{path}/validate")) == {"valid": True, "errors": [], "warnings": []}
    published = await home.call("POST", f"{path}/publish")
    assert published["version"] == 1
    activated = await home.call("POST", f"{path}/activate")
    assert activated["active"] and activated["publishedVersion"] == 1
    version = await home.call("GET", f"{path}/versions/1", params={"minPosition": activated["position"]})
    assert version["source"] == YAML and version["document"] == created["draft"]["document"] and version["running"]
    detail = await home.call("GET", path)
    assert (detail["name"], detail["active"], detail["draft"]["savedBy"]) == ("Über YAML", True, "admin")
    assert (detail["triggers"], detail["draftDiffers"], detail["draftedBy"]) == (["manual"], False, "admin")
    saved = await home.call("PUT", f"{path}/draft", content=YAML.encode() + b"# later\n", headers=AS_YAML)
    [row] = (await home.call("GET", "/workflows", params={"minPosition": saved["position"]}))["items"]
    assert row["draftDiffers"] and row["draftedAt"] == saved["draft"]["savedAt"]


async def test_an_invalid_draft_is_saved_and_all_its_problems_are_told_at_once(home: House) -> None:
    wrong = {
        "name": "Wrong",
        "nodes": [{"id": "a", "type": "action", "action": "no.such"}, {"id": "b", "type": "condition", "expression": "1 +"}],
        "edges": [{"from": "trigger", "to": "a"}, {"from": "a", "to": "nowhere"}],
    }
    created = await home.call("POST", "/workflows", status=201, json=wrong)
    path = f"/workflows/{created['workflowId']}"
    checked = await home.call("POST", f"{path}/validate")
    assert not checked["valid"] and len(checked["errors"]) > 1
    assert await home.call("POST", "/workflows/validate", json=wrong | {"name": "Saved nowhere"}) == checked
    assert [each["name"] for each in (await home.call("GET", "/workflows", params={"q": "nowhere"}))["items"]] == []
    refused = await home.call("POST", f"{path}/publish", status=422)
    assert refused["code"] == "invalid_workflow" and refused["errors"] == checked["errors"]
    await home.call("PUT", f"{path}/draft", json=CHAIN | {"name": "Wrong"})
    assert (await home.call("POST", f"{path}/publish"))["version"] == 1


async def test_a_document_that_cannot_be_a_draft_is_refused_with_the_place(home: House) -> None:
    broken = await home.call("POST", "/workflows", status=400, content=b"name: x\nnodes: [\n  - }", headers=AS_YAML)
    assert broken["code"] == "malformed_yaml" and "Line 3, column 3: here is '-'" in broken["detail"]
    broken = await home.call(
        "POST", "/workflows", status=400, content=b'{"name": }', headers={"Content-Type": "application/json"}
    )
    assert broken["code"] == "malformed_json" and "line 1, column 10: " in broken["detail"]
    nameless = await home.call("POST", "/workflows", status=422, json={"nodes": []})
    assert [error["path"] for error in nameless["errors"]] == ["name"]
    checked = await home.call("POST", "/workflows/validate", json={"nodes": []})
    assert [error["path"] for error in checked["errors"]] == ["name", "edges", "nodes"], "a missing name hides nothing"
    assert (await home.call("POST", "/workflows", status=422, json=[1]))["code"] == "invalid_document"
    assert (await home.call("POST", "/workflows", status=400, content=b""))["code"] == "empty_body"
    await home.call("POST", "/workflows", status=201, json=CHAIN)
    taken = await home.call("POST", "/workflows", status=409, json=CHAIN)
    assert taken["code"] == "workflow_name_taken" and taken["workflowId"]


async def test_versions_are_compared_rolled_back_and_archived(home: House) -> None:
    workflow_id = await home.publish()
    path = f"/workflows/{workflow_id}"
    nodes = [CHAIN["nodes"][0] | {"params": {"script": "false"}}, {**CHAIN["nodes"][1], "id": "third"}]
    changed = CHAIN | {"nodes": nodes, "edges": [{"from": "trigger", "to": "first"}, {"from": "first", "to": "third"}]}
    saved = await home.call("PUT", f"{path}/draft", json=changed)
    assert saved["draft"]["document"] == changed and saved["publishedVersion"] == 1
    second = await home.call("POST", f"{path}/publish")
    assert second["version"] == 2
    versions = await home.call("GET", f"{path}/versions", params={"minPosition": second["position"], "limit": 1})
    assert [(each["version"], each["running"]) for each in versions["items"]] == [(2, True)]
    older = await home.call("GET", f"{path}/versions", params={"cursor": versions["nextCursor"]})
    assert [(each["version"], each["running"]) for each in older["items"]] == [(1, False)] and older["nextCursor"] is None
    diff = await home.call("GET", f"{path}/versions/2/diff")
    assert {(each["kind"], each["path"]) for each in diff["differences"]} == {
        ("changed", "nodes[id=first].params.script"), ("removed", "nodes[id=second]"), ("added", "nodes[id=third]"),
        ("changed", "edges"),
    }  # fmt: skip
    assert (await home.call("POST", f"{path}/rollback", status=404, json={"version": 9}))["code"] == "version_not_found"
    back = await home.call("POST", f"{path}/rollback", json={"version": 1})
    detail = await home.call("GET", path, params={"minPosition": back["position"]})
    assert (detail["publishedVersion"], detail["latestVersion"]) == (1, 2)
    assert not (await home.call("POST", f"{path}/deactivate"))["active"]
    gone = await home.call("DELETE", path)
    assert gone["archived"]
    assert (await home.call("GET", "/workflows", params={"minPosition": gone["position"]}))["items"] == []
    assert (await home.call("GET", path))["archived"]
    assert (await home.call("POST", f"{path}/run", status=409, json={}))["code"] == "workflow_archived"


async def test_the_list_goes_by_name_page_by_page(home: House) -> None:
    for name in ("b", "c", "a"):
        last = await home.call("POST", "/workflows", status=201, json=CHAIN | {"name": name})
    first = await home.call("GET", "/workflows", params={"limit": 2, "minPosition": last["position"]})
    assert [row["name"] for row in first["items"]] == ["a", "b"]
    rest = await home.call("GET", "/workflows", params={"limit": 2, "cursor": first["nextCursor"]})
    assert [row["name"] for row in rest["items"]] == ["c"] and rest["nextCursor"] is None


async def test_of_two_editors_at_once_one_wins_and_the_other_loses_nothing(home: House) -> None:
    created = await home.http.post("/api/v1/workflows", json=CHAIN)
    assert created.headers["etag"] == '"1"'
    path = f"/api/v1/workflows/{created.json()['workflowId']}"
    drafts = [CHAIN | {"timeoutSeconds": seconds} for seconds in range(1, 9)]
    saved = await asyncio.gather(*(home.http.put(f"{path}/draft", json=draft, headers={"If-Match": '"1"'}) for draft in drafts))
    (won,) = [answer for answer in saved if answer.status_code == 200]
    assert won.headers["etag"] == '"2"' and won.json()["draft"]["revision"] == 2
    for lost in saved:
        if lost is not won:
            problem = lost.json()
            assert (lost.status_code, problem["code"]) == (412, "draft_changed")
            assert (problem["revision"], problem["savedBy"]) == (2, "admin")
            assert problem["savedAt"] == won.json()["draft"]["savedAt"]
    read = await home.http.get(path, params={"minPosition": won.json()["position"]})
    assert read.headers["etag"] == '"2"' and read.json()["draft"] == won.json()["draft"]


async def test_if_match_takes_a_list_of_tags_and_a_star_and_no_weak_tag(home: House) -> None:
    created = await home.call("POST", "/workflows", status=201, json=CHAIN)
    statuses = []
    for seconds, tags in enumerate(('"1"', '"9", "2" ,"1"', "*", 'W/"4"', '"other"', '"4", W/"4"', "4", '"5'), start=1):
        answer = await home.http.put(
            f"/api/v1/workflows/{created['workflowId']}/draft",
            json=CHAIN | {"timeoutSeconds": seconds},
            headers={"If-Match": tags},
        )
        statuses.append(answer.status_code)
    assert statuses == [200, 200, 200, 412, 412, 200, 400, 400]


async def test_the_list_has_filters_for_the_archived_the_active_and_part_of_a_name(home: House) -> None:
    active = await home.publish(CHAIN | {"name": "Disk cleanup"})
    await home.call("POST", "/workflows", status=201, json=CHAIN | {"name": "Disk check"})
    gone = await home.call("POST", "/workflows", status=201, json=CHAIN | {"name": "Old disk"})
    last = await home.call("DELETE", f"/workflows/{gone['workflowId']}")

    async def names(**filters: Any) -> list[str]:
        found = await home.call("GET", "/workflows", params={"minPosition": last["position"], **filters})
        return [row["name"] for row in found["items"]]

    assert await names() == ["Disk check", "Disk cleanup"]
    assert await names(q="DISK C", limit=200) == ["Disk check", "Disk cleanup"]
    assert await names(q="cleanup") == ["Disk cleanup"] == await names(active=True)
    assert await names(active=False) == ["Disk check"]
    assert await names(archived=True) == ["Old disk"]
    first = await home.call("GET", "/workflows", params={"q": "disk", "limit": 1})
    assert (await names(q="disk", cursor=first["nextCursor"])) == ["Disk cleanup"]
    assert (await home.call("GET", f"/workflows/{active}"))["active"]
    taken = await home.call("POST", "/workflows", status=409, json=CHAIN | {"name": "Old disk"})
    assert taken["archived"] and "choose another" in taken["detail"]


async def test_what_is_exported_is_imported_unchanged_and_nothing_is_half_done(home: House) -> None:
    as_yaml: dict[str, Any] = {"content": YAML.encode(), "headers": AS_YAML}
    done = await home.call("POST", "/workflows/import", params={"publish": True, "activate": True}, **as_yaml)
    (item,) = done["items"]
    assert (item["outcome"], item["publishedVersion"], item["active"], item["revision"]) == ("created", 1, True, 1)
    again = await home.call("POST", "/workflows/import", params={"publish": True, "activate": True}, **as_yaml)
    assert (again["unchanged"], again["items"][0]["workflowId"]) == (1, item["workflowId"])
    read = {"minPosition": done["position"]}
    one = f"/api/v1/workflows/{item['workflowId']}/export"
    exported = await home.http.get(one, params=read)
    assert exported.content == YAML.encode() and exported.headers["content-type"] == "application/yaml"
    assert (await home.http.get(one, params={"version": 1})).content == YAML.encode()
    as_json = await home.http.get(one, params={"format": "json"})
    assert as_json.json()["name"] == "Über YAML"
    updated = await home.call("POST", "/workflows/import", content=as_json.content)
    assert (updated["updated"], updated["items"][0]["revision"]) == (1, 2), "another text of the same meaning"
    assert (await home.http.get(f"{one}?version=2")).status_code == 404

    broken = CHAIN | {"name": "Broken", "nodes": [], "timeoutSeconds": -1}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.yaml", YAML.replace("only", "other"))
        archive.writestr("b.json", json.dumps(CHAIN))
        archive.writestr("c.json", json.dumps(broken))
        archive.writestr("d.yaml", "nodes: [")
        for twin in "ef":
            archive.writestr(f"{twin}.json", json.dumps(CHAIN | {"name": "Twin"}))
    headers = {"Content-Type": "application/zip", "Idempotency-Key": "zip"}
    sent: dict[str, Any] = {"content": made.getvalue(), "headers": headers}
    before = await home.pool.fetchval("select max(position) from read.event")
    dry: dict[str, Any] = {"content": sent["content"], "headers": {"Content-Type": "application/zip"}}
    tried = await home.call("POST", "/workflows/import", params={"publish": True, "dryRun": True}, **dry)
    assert await home.pool.fetchval("select max(position) from read.event") == before, "only tried"
    imported = await home.call("POST", "/workflows/import", params={"publish": True}, **sent)
    assert [(each["file"], each["outcome"], each["code"]) for each in imported["items"]] == [
        ("a.yaml", "updated", None), ("b.json", "created", None), ("c.json", "refused", "invalid_workflow"),
        ("d.yaml", "refused", "malformed_yaml"), ("e.json", "refused", "ambiguous_name"),
        ("f.json", "refused", "ambiguous_name"),
    ]  # fmt: skip
    assert len(imported["items"][2]["problems"]) > 1, "all at once"
    assert tried["items"] == [
        each | {"workflowId": None} if each["outcome"] == "created" else each for each in imported["items"]
    ]
    assert await home.call("POST", "/workflows/import", params={"publish": True}, **sent) == imported
    names = await home.call("GET", "/workflows", params={"minPosition": imported["position"]})
    assert [row["name"] for row in names["items"]] == ["Two steps", "Über YAML"]
    ids = [each["workflowId"] for each in imported["items"][:2]]
    told = [entry["target"] for entry in reversed(await home.audited(6, operation="importWorkflows"))]
    assert told[:2] == [f"created {ids[0]} Über YAML", f"unchanged {ids[0]} Über YAML"]
    assert told[3].startswith("tried: created Two steps, tried: updated ")
    refused = "refused Broken, refused d.yaml, refused Twin, refused Twin"
    assert told[4] == f"created {ids[1]} Two steps, updated {ids[0]} Über YAML, {refused}"

    whole = await home.http.get("/api/v1/workflows/export")
    with zipfile.ZipFile(io.BytesIO(whole.content)) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert files == {"Two steps.json": json.dumps(CHAIN), "Über YAML.yaml": YAML.replace("only", "other")}
    back = await home.call("POST", "/workflows/import", content=whole.content, headers={"Content-Type": "application/zip"})
    assert back["unchanged"] == 2
    published = await home.http.get("/api/v1/workflows/export", params={"published": True, "format": "yaml"})
    with zipfile.ZipFile(io.BytesIO(published.content)) as archive:
        assert sorted(archive.namelist()) == ["Two steps.yaml", "Über YAML.yaml"]


async def test_an_import_does_not_wake_an_archived_workflow(home: House) -> None:
    gone = await home.publish()
    await home.call("DELETE", f"/workflows/{gone}")
    await home.call("DELETE", f"/workflows/{gone}")
    refused = await home.call("POST", "/workflows/import", json=CHAIN)
    assert (refused["refused"], refused["items"][0]["code"]) == (1, "workflow_name_taken")


async def test_the_list_tells_how_the_last_executions_of_each_workflow_went(home: House) -> None:
    document = {
        "nodes": [{"id": "only", "type": "setVariables", "values": {"size": "{{ inputs.size }}"}}],
        "edges": [{"from": "trigger", "to": "only"}],
    }
    often, _never = await home.publish({"name": "Often", **document}), await home.publish({"name": "Never", **document})
    started = [await home.run(often) for _ in range(6)]
    for execution_id in started:
        await home.until(execution_id, "completed")
    rows = {each["name"]: each["lastExecutions"] for each in (await home.call("GET", "/workflows"))["items"]}
    assert rows["Never"] == []
    assert [each["executionId"] for each in rows["Often"]] == started[:0:-1]
    assert {each["status"] for each in rows["Often"]} == {"completed"} and all(each["finishedAt"] for each in rows["Often"])
