"""Incidents, schedules and the record of both over HTTP, with the real orchestrator behind it."""

import asyncio

import asyncpg

from tests.gateway import House, Json, house


def triggered(name: str, *triggers: Json) -> Json:
    return {
        "name": name,
        "triggers": list(triggers),
        "nodes": [{"id": "keep", "type": "setVariables", "values": {"host": "{{ incident.host }}"}}],
        "edges": [{"from": "trigger", "to": "keep"}],
    }


def on_incident(name: str, condition: str) -> Json:
    return triggered(name, {"type": "incident", "events": ["incident.created"], "condition": condition})


async def records(home: House, position: int, **filters: str | int) -> Json:
    found = await home.call("GET", "/trigger-records", params={"minPosition": position, **filters})
    return dict(found)


async def test_an_incident_starts_what_wants_it_once_and_the_record_says_why_the_others_did_not(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        web = await home.publish(on_incident("Web", 'incident.service == "web" && incident.team == ""'))
        db = await home.publish(on_incident("DB", 'incident.service == "db" && "linux" in incident.tags'))
        body = {"event": "incident.created", "incident": {"id": "INC-1", "service": "web", "host": "web-01"}}
        key = {"Idempotency-Key": "INC-1 created"}
        sent = [home.http.post("/api/v1/incidents", json=body, headers=key) for _ in range(5)]
        answers = await asyncio.gather(*sent, home.http.post("/api/v1/incidents", json=body, headers=key))
        assert {(each.status_code, each.content) for each in answers} == {(202, answers[0].content)}
        got = answers[0].json()
        ((execution_id, workflow_id),) = [(each["executionId"], each["workflowId"]) for each in got["executions"]]
        assert workflow_id == web and [each["workflowId"] for each in got["skipped"]] == [db]
        done = await home.until(execution_id, "completed")
        assert done["trigger"]["incidentId"] == "INC-1" and done["variables"]["host"] == "web-01"

        both = await records(home, got["position"])
        assert {(each["workflowName"], each["outcome"], each["executionId"]) for each in both["items"]} == {
            ("Web", "started", execution_id), ("DB", "skipped", None),
        }  # fmt: skip
        (skipped,) = (await records(home, 0, outcome="skipped", workflowId=db, type="incident"))["items"]
        assert skipped["reason"] and skipped["reads"]["incident.service"] == "web" and skipped["incident"]["host"] == "web-01"
        first = await records(home, 0, limit=1)
        second = await records(home, 0, limit=1, cursor=first["nextCursor"])
        assert [*first["items"], *second["items"]] == both["items"] and second["nextCursor"] is None
        assert (await records(home, 0, to="2020-01-01T00:00:00Z"))["items"] == []
        assert len((await records(home, 0, **{"from": "2020-01-01T00:00:00Z"}))["items"]) == 2

        reused = await home.http.post("/api/v1/incidents", json=body | {"event": "incident.resolved"}, headers=key)
        assert reused.status_code == 422
        wrong = await home.call("POST", "/incidents", status=422, json={"event": "x", "incident": {"tags": "a", "more": 1}})
        assert {each["path"] for each in wrong["errors"]} == {"event", "incident.id", "incident.tags", "incident.more"}


async def test_schedules_are_listed_with_the_time_they_come_next_and_previewed_before_they_exist(pool: asyncpg.Pool) -> None:
    async with house(pool) as home:
        for name in ("a", "b"):
            workflow_id = await home.publish(
                triggered(name, {"type": "schedule", "cron": "0 0 1 1 *", "timezone": "Asia/Tokyo"})
            )
        changed = await home.call("POST", f"/workflows/{workflow_id}/deactivate")
        listed = await home.call("GET", "/schedules", params={"minPosition": changed["position"], "limit": 1})
        (active,) = listed["items"]
        assert (active["workflowName"], active["next"]["local"][4:]) == ("a", "-01-01T00:00:00+09:00")
        rest = await home.call("GET", "/schedules", params={"cursor": listed["nextCursor"]})
        assert [(each["workflowName"], each["active"], each["next"]) for each in rest["items"]] == [("b", False, None)]
        asked = {"cron": "30 2 * * *", "timezone": "Europe/Berlin", "count": 2, "after": "2026-03-28T12:00:00Z"}
        found = (await home.call("POST", "/schedules/preview", json=asked))["items"]
        assert [each["at"] for each in found] == ["2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"]
        assert "skip" in found[0]["remark"] and found[1]["remark"] is None
        refused = await home.call("POST", "/schedules/preview", status=422, json={"cron": "* * *", "timezone": "Nowhere"})
        assert [each["path"] for each in refused["errors"]] == ["cron", "timezone"]
