"""Schedules and incidents in the orchestrator, on a log in memory: every message comes twice, clocks step, workflows change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from runyard_shared.contracts import commands, events, reports
from runyard_shared.contracts.commands import Problem, Request, TimerDue
from runyard_shared.contracts.values import Trigger
from runyard_shared.errors import Unavailable

from tests.engine import CATALOG, EPOCH, Json, action, chain
from tests.world import TENANT, World

HOURLY: Json = {"type": "schedule", "cron": "0 * * * *"}
CREATED: Json = {"type": "incident", "events": ["incident.created"]}


def workflow(*triggers: Json, name: str = "Test", **fields: Any) -> Json:
    return chain(action("a")) | {"name": name, "triggers": list(triggers)} | fields


class Triggers(World):
    """A world whose timers fall due when its clock is set on."""

    async def sleep(self, **duration: float) -> None:
        """Time passes; then everything that is due comes, each twice, until nothing is."""
        self.clock.advance(timedelta(**duration).total_seconds())
        while due := [(key, timer) for key, timer in self.log.timers.items() if timer.due_at <= self.clock.now()]:
            for (stream_id, timer_id), timer in sorted(due, key=lambda item: item[1].due_at):
                item = TimerDue(stream_id=stream_id, timer_id=timer_id, payload=timer.payload)
                await self.deliver(item, item)
                self.clock.advance(5)
                await self.deliver(item)
                self.clock.advance(-5)
            await self.settle()

    def timer(self, place: int = 0) -> str | None:
        """When the schedule comes next."""
        timers = [timer for (_, timer_id), timer in self.log.timers.items() if timer_id == f"cron:{place}"]
        return timers[0].due_at.strftime("%d %H:%M") if timers else None

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in map(self.mapper.decode, self.log.events) if isinstance(event, kind)]

    def fires(self) -> list[tuple[str, str]]:
        """(instant, what became of it) of every record, in order."""
        return [(fire.scheduled_at[8:16].replace("T", " "), fire.reason or "started") for fire in self.of(events.ScheduleFired)]

    def started(self) -> list[events.ExecutionStarted]:
        return self.of(events.ExecutionStarted)

    async def change(self, workflow_id: str, document: Json) -> None:
        await self.ask(commands.SaveDraft(workflow_id=workflow_id, document=document, source="", format="json"))
        reply = await self.ask(commands.PublishWorkflow(workflow_id=workflow_id, catalog=CATALOG))
        assert reply.problem is None, reply.problem

    async def report(self, event: str = "incident.created", *, key: str | None = None, **incident: Any) -> Json:
        command = commands.ReceiveIncident(
            receipt_id=self.new_id(), event=event, incident={"id": "INC-1"} | incident, idempotency_key=key
        )
        reply = await self.ask(command, actor="monitoring")
        assert reply.result is not None, reply.problem
        assert (await self.ask(command, actor="monitoring")).result == reply.result, "redelivered"
        return reply.result

    async def with_one_death_at(self, moment: int, *, written: bool) -> bool:
        """Three hours and an incident; at the append number `moment` the process dies, and begins anew. Whether it survived."""
        submit, appends, died = self.log.submit, 0, False

        def mortal(*arguments: Any, **options: Any) -> Any:
            nonlocal appends, died
            appends += 1
            if appends == moment + 1:
                died = True
                if written:
                    submit(*arguments, **options)
                raise Death("now")
            return submit(*arguments, **options)

        self.log.submit = mortal  # type: ignore[method-assign]
        command = commands.ReceiveIncident(receipt_id=self.new_id(), event="incident.created", incident={"id": "INC-1"})
        request = Request(request_id="r", tenant_id=TENANT, actor="monitoring", command=command)
        self.clock.advance(3 * 3600)
        unheard: list[Any] = [request]
        while True:
            due = [(key, timer) for key, timer in self.log.timers.items() if timer.due_at <= self.clock.now()]
            items = [TimerDue(stream_id=key[0], timer_id=key[1], payload=timer.payload) for key, timer in due]
            items += unheard
            items += [item for waiting in self.inbox.values() for item in waiting]
            if not items:
                return not died
            for item in items:
                try:
                    await self.deliver(item)
                except Death:
                    self.restart()
                    self.route()
                    break
                if item in unheard:
                    unheard.remove(item)
                for waiting in self.inbox.values():
                    if item in waiting:
                        waiting.remove(item)

    async def end(self, execution_id: str) -> None:
        await self.finish(next(job_id for job_id, job in self.jobs.items() if job.execution_id == execution_id))


@pytest.fixture
def world() -> Triggers:
    return Triggers()


# --- schedules


async def test_each_instant_starts_one_execution_of_the_version_that_runs(world: Triggers) -> None:
    workflow_id = await world.publish(workflow(HOURLY))
    assert world.timer() == "01 01:00"
    await world.sleep(minutes=59)
    assert world.fires() == []
    await world.sleep(minutes=1)
    await world.sleep(hours=1)
    assert world.fires() == [("01 01:00", "started"), ("01 02:00", "started")]
    first, second = world.started()
    assert first.trigger == Trigger(type="cron", scheduled_at="2026-01-01T01:00:00.000Z")
    assert (first.workflow_id, first.version, first.started_by, first.inputs) == (workflow_id, 1, "schedule", {})
    assert second.trigger.scheduled_at == "2026-01-01T02:00:00.000Z"
    assert world.timer() == "01 03:00"


async def test_only_a_workflow_that_runs_has_timers(world: Triggers) -> None:
    workflow_id = await world.publish(workflow(HOURLY, {"type": "manual"}, HOURLY | {"cron": "30 * * * *"}))
    assert (world.timer(0), world.timer(2)) == ("01 01:00", "01 00:30")
    await world.ask(commands.DeactivateWorkflow(workflow_id=workflow_id))
    assert world.log.timers == {}
    await world.sleep(hours=5)
    assert world.fires() == []
    await world.ask(commands.ActivateWorkflow(workflow_id=workflow_id))
    assert (world.timer(0), world.timer(2)) == ("01 06:00", "01 05:30"), "what passed while it was inactive is not made up for"
    await world.change(workflow_id, workflow(HOURLY | {"cron": "15 * * * *"}))
    assert (world.timer(0), world.timer(2)) == ("01 05:15", None)
    await world.ask(commands.RollBackWorkflow(workflow_id=workflow_id, version=1))
    assert (world.timer(0), world.timer(2)) == ("01 06:00", "01 05:30")
    await world.ask(commands.ArchiveWorkflow(workflow_id=workflow_id))
    assert world.log.timers == {}


async def test_a_timer_that_comes_after_its_schedule_was_stopped_or_changed_starts_nothing(world: Triggers) -> None:
    workflow_id = await world.publish(workflow(HOURLY))
    late = TimerDue(stream_id=workflow_id, timer_id="cron:0", payload=world.log.timers[workflow_id, "cron:0"].payload)
    world.clock.advance(3600)
    await world.ask(commands.DeactivateWorkflow(workflow_id=workflow_id))
    await world.deliver(late, late)
    assert world.fires() == []
    await world.ask(commands.ActivateWorkflow(workflow_id=workflow_id))
    await world.change(workflow_id, workflow(HOURLY | {"cron": "30 * * * *"}))
    world.clock.advance(5)
    await world.deliver(late, late)
    assert world.fires() == [("01 01:00", "superseded")]
    assert world.timer() == "01 01:30"
    await world.sleep(minutes=30)
    assert world.fires()[1:] == [("01 01:30", "started")]


async def test_a_publish_at_the_very_instant_loses_nothing_and_repeats_nothing(world: Triggers) -> None:
    workflow_id = await world.publish(workflow(HOURLY))
    world.clock.advance(3600)
    await world.change(workflow_id, workflow(HOURLY | {"overlap": "skip"}, description="better"))
    await world.sleep(seconds=1)
    assert world.fires() == [("01 01:00", "started")]
    assert world.started()[0].version == 2
    await world.change(workflow_id, workflow(HOURLY | {"overlap": "skip"}, description="even better"))
    await world.sleep(seconds=1)
    assert world.fires() == [("01 01:00", "started")]


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        ("none", ["missed", "missed", "missed"]),
        ("latest", ["missed", "missed", "started"]),
        ("all", ["started", "started", "started"]),
    ],
)
async def test_what_was_missed_is_made_up_for_as_the_schedule_says(world: Triggers, catch_up: str, expected: list[str]) -> None:
    await world.publish(workflow(HOURLY | {"catchUp": catch_up}))
    await world.sleep(hours=3, minutes=30)
    assert world.fires() == list(zip(("01 01:00", "01 02:00", "01 03:00"), expected, strict=True))
    assert len(world.started()) == expected.count("started")
    assert world.timer() == "01 04:00"
    await world.sleep(minutes=30)
    assert world.fires()[-1] == ("01 04:00", "started")


async def test_a_long_absence_leaves_a_bounded_number_of_records(world: Triggers) -> None:
    await world.publish(workflow(HOURLY | {"cron": "* * * * *"}))
    await world.sleep(days=30)
    assert len(world.fires()) == 100
    assert world.fires()[-1] == ("31 00:00", "started")
    assert world.timer() == "31 00:01"


@pytest.mark.parametrize("overlap", ["allow", "skip", "cancelPrevious"])
async def test_while_the_execution_before_goes_on_overlap_decides(world: Triggers, overlap: str) -> None:
    await world.publish(workflow(HOURLY | {"overlap": overlap}))
    await world.sleep(hours=1)
    await world.sleep(hours=1)
    await world.sleep(hours=1)
    fires = world.of(events.ScheduleFired)
    ids = [fire.execution_id for fire in fires]
    cancelled = ["execution.cancelled" in world.topics(execution_id) for execution_id in ids if execution_id]
    match overlap:
        case "allow":
            assert [fire.reason for fire in fires] == ["", "", ""]
            assert cancelled == [False, False, False]
        case "skip":
            assert [fire.reason for fire in fires] == ["", "overlap", "overlap"]
            await world.end(ids[0])
            await world.sleep(hours=1)
            assert world.fires()[-1] == ("01 04:00", "started")
        case _:
            assert [fire.cancels for fire in fires] == [[], ids[:1], ids[1:2]]
            assert cancelled == [True, True, False]
            (cancel,) = [event for event in world.history(ids[0]) if isinstance(event, events.ExecutionCancelled)]
            assert (cancel.by, cancel.reason) == ("schedule", "its schedule came again at 2026-01-01T02:00:00.000Z")


async def test_overlap_is_remembered_over_absences_and_while_the_workflow_was_inactive(world: Triggers) -> None:
    workflow_id = await world.publish(workflow(HOURLY | {"overlap": "skip"}))
    await world.sleep(hours=1)
    await world.sleep(hours=5)
    await world.ask(commands.DeactivateWorkflow(workflow_id=workflow_id))
    await world.ask(commands.ActivateWorkflow(workflow_id=workflow_id))
    await world.sleep(hours=1)
    assert [reason for _, reason in world.fires()] == ["started", "missed", "missed", "missed", "missed", "overlap", "overlap"]
    assert len(world.started()) == 1


async def test_catching_up_with_all_never_runs_two_at_once_if_they_must_not_overlap(world: Triggers) -> None:
    await world.publish(workflow(HOURLY | {"overlap": "skip", "catchUp": "all"}))
    await world.sleep(hours=3)
    assert [reason for _, reason in world.fires()] == ["started", "overlap", "overlap"]


async def test_a_clock_that_steps_back_repeats_no_instant(world: Triggers) -> None:
    workflow_id = await world.publish(workflow(HOURLY))
    await world.sleep(hours=2)
    world.clock.advance(-7200)
    await world.sleep(hours=1)
    assert world.fires() == [("01 01:00", "missed"), ("01 02:00", "started")]
    await world.ask(commands.DeactivateWorkflow(workflow_id=workflow_id))
    await world.ask(commands.ActivateWorkflow(workflow_id=workflow_id))
    assert world.timer() == "01 02:00", "an instant that has been, as the clock of then says"
    await world.sleep(hours=1)
    assert len(world.fires()) == 2
    assert world.timer() == "01 03:00"
    await world.sleep(hours=1)
    assert world.fires()[2:] == [("01 03:00", "started")]


async def test_daylight_saving_passes_through_the_timers(world: Triggers) -> None:
    """A time of the day once in the night of the change, a rhythm twice in its hour."""
    world.clock.advance((datetime(2026, 10, 24, 23, 30, tzinfo=UTC) - EPOCH).total_seconds())
    zone = {"timezone": "Europe/Berlin"}
    await world.publish(workflow(HOURLY | zone | {"cron": "30 2 * * *"}, name="Once"))
    await world.publish(workflow(HOURLY | zone | {"cron": "30 * * * *"}, name="Twice"))
    for _ in range(4):
        await world.sleep(hours=0.5)
    fires = [(fire.workflow_name, fire.scheduled_at[11:16]) for fire in world.of(events.ScheduleFired)]
    assert sorted(fires) == [("Once", "00:30"), ("Twice", "00:30"), ("Twice", "01:30")]


async def test_an_execution_that_cannot_begin_any_more_is_told_to_its_record_once(world: Triggers) -> None:
    workflow_id = await world.publish(workflow(HOURLY))
    world.clock.advance(3600)
    payload = world.log.timers[workflow_id, "cron:0"].payload
    await world.deliver(TimerDue(stream_id=workflow_id, timer_id="cron:0", payload=payload))
    await world.ask(commands.DeactivateWorkflow(workflow_id=workflow_id))
    ((execution_id, (start,)),) = world.inbox.items()
    assert isinstance(start, reports.StartTriggered)
    await world.deliver(start, start)
    await world.deliver(start)
    await world.ask(commands.ActivateWorkflow(workflow_id=workflow_id))
    await world.deliver(start)
    assert world.topics(start.record_id) == ["schedule.fired", "trigger.refused"]
    (refused,) = world.of(events.TriggerRefused)
    assert (refused.execution_id, refused.code) == (execution_id, "not_active")
    assert "activate it first" in refused.reason
    assert world.started() == [], "what was refused stays refused"


class Death(Unavailable):
    """The process dies in the middle of an append."""


@pytest.mark.parametrize("written", [False, True], ids=["before it is written", "after it is written"])
async def test_a_process_that_dies_at_any_append_leaves_nothing_out_and_does_nothing_twice(*, written: bool) -> None:
    deaths = 0
    for moment in range(100):
        world = Triggers()
        await world.publish(workflow(HOURLY | {"catchUp": "all", "overlap": "cancelPrevious"}, CREATED, name="A"))
        await world.publish(workflow(HOURLY, CREATED, name="B"))
        survived = await world.with_one_death_at(moment, written=written)
        deaths += not survived
        fires = [(fire.workflow_name, fire.scheduled_at) for fire in world.of(events.ScheduleFired)]
        assert len(fires) == len(set(fires)) == 6, moment
        (received,) = world.of(events.IncidentReceived)
        announced = [match.execution_id for match in received.matches]
        announced += [fire.execution_id for fire in world.of(events.ScheduleFired) if fire.execution_id]
        assert sorted(announced) == sorted(world.executions_and_iterations()), moment
        assert len(announced) == len(set(announced)) == 2 + 3 + 1
        if survived:
            break
    assert deaths > 10


# --- incidents


async def test_an_incident_starts_the_workflows_whose_conditions_it_meets_and_says_why_not_the_others(world: Triggers) -> None:
    condition = 'incident.severity in ["critical", "high"] && incident.service == "web"'
    web = await world.publish(workflow(CREATED | {"condition": condition}, name="A web"))
    low = await world.publish(workflow(CREATED | {"condition": 'incident.severity == "low"'}, name="B low"))
    team = await world.publish(workflow(CREATED | {"condition": 'incident.team == "db"'}, name="C team"))
    text = await world.publish(
        workflow(CREATED | {"condition": "size(incident.tags) == 1 ? true : incident.severity"}, name="D text")
    )
    tags = await world.publish(workflow(CREATED | {"condition": '"prod" in incident.tags'}, name="E tags"))
    await world.publish(workflow(CREATED | {"events": ["incident.resolved"]}, name="F resolved"))
    answer = await world.report(severity="high", service="web", tags=["prod", "eu"])
    await world.settle()
    assert [started["workflowId"] for started in answer["executions"]] == [web, tags]
    reasons = {skipped["workflowId"]: skipped["reason"] for skipped in answer["skipped"]}
    assert set(reasons) == {low, team, text}
    assert reasons[low] == 'the condition is false: incident.severity == "low"'
    assert "incident.team does not resolve: incident has no 'team'" in reasons[team]
    assert 'gives "high", not true or false' in reasons[text]
    (received,) = world.of(events.IncidentReceived)
    assert received.matches[0].reads == {"incident.severity": "high", "incident.service": "web"}
    first, _ = world.started()
    assert first.trigger.incident_id == "INC-1"
    assert (first.trigger.event, first.started_by) == ("incident.created", "monitoring")
    assert first.trigger.payload == received.incident


async def test_templates_see_the_incident_and_the_webhook_that_started_them(world: Triggers) -> None:
    script = "{{ incident.host }} {{ trigger.event }} {{ webhook.branch }} {{ trigger.webhookId }}"
    document = chain(action("a", params={"script": script})) | {"triggers": [CREATED, {"type": "webhook", "id": "ci"}]}
    workflow_id = await world.publish(document)
    await world.report(host="db-01")
    await world.settle()
    await world.ask(
        commands.StartExecution(
            execution_id=world.new_id(),
            workflow_id=workflow_id,
            variables={},
            trigger=Trigger(type="webhook", webhook_id="ci", payload={"branch": "main"}),
        )
    )
    assert [job.params for job in world.jobs.values()] == [
        {"script": "db-01 incident.created  "},
        {"script": "  main ci"},
    ]


async def test_what_does_not_run_leaves_no_record_of_an_incident(world: Triggers) -> None:
    inactive = await world.publish(workflow(CREATED, name="Inactive"))
    await world.ask(commands.DeactivateWorkflow(workflow_id=inactive))
    archived = await world.publish(workflow(CREATED, name="Archived"))
    await world.ask(commands.ArchiveWorkflow(workflow_id=archived))
    changed = await world.publish(workflow(CREATED, name="Changed"))
    await world.change(changed, workflow(name="Changed"))
    later = await world.publish(workflow(name="Later"))
    await world.change(later, workflow(CREATED, name="Later"))
    answer = await world.report()
    assert ([started["workflowId"] for started in answer["executions"]], answer["skipped"]) == ([later], [])


async def test_one_event_starts_a_workflow_once_however_many_of_its_triggers_match(world: Triggers) -> None:
    await world.publish(workflow(CREATED | {"condition": "false"}, CREATED, {"type": "manual"}, CREATED))
    answer = await world.report()
    assert len(answer["executions"]) == 1
    reasons = [skipped["reason"] for skipped in answer["skipped"]]
    assert reasons == ["the condition is false: false", "trigger 1 of this workflow has started an execution for the event"]


async def test_the_same_event_within_five_minutes_gives_the_first_answer_and_later_a_new_one(world: Triggers) -> None:
    await world.publish(workflow(CREATED))
    first = await world.report(severity="high")
    world.clock.advance(299)
    assert await world.report(severity="high") == first
    assert await world.report(severity="low") != first
    world.clock.advance(1)
    second = await world.report(severity="high")
    assert second != first
    world.clock.advance(-200)
    assert await world.report(severity="high") == second, "a clock that steps back"
    await world.settle()
    assert len(world.started()) == 3


async def test_an_idempotency_key_makes_an_event_one_for_ever_and_belongs_to_it_alone(world: Triggers) -> None:
    await world.publish(workflow(CREATED))
    first = await world.report(key="alert-7")
    world.clock.advance(86_400)
    assert await world.report(key="alert-7") == first
    assert await world.report(key="alert-8") != first
    command = commands.ReceiveIncident(
        receipt_id=world.new_id(), event="incident.resolved", incident={}, idempotency_key="alert-7"
    )
    problem = (await world.ask(command)).problem
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code) == (422, "idempotency_key_reused")


async def test_an_incident_whose_execution_is_refused_says_so_in_its_record(world: Triggers) -> None:
    both = [await world.publish(workflow(CREATED, name=name)) for name in ("A", "B")]
    answer = await world.report()
    for workflow_id in both:
        await world.ask(commands.ArchiveWorkflow(workflow_id=workflow_id))
    await world.settle()
    assert world.topics(answer["receiptId"]) == ["incident.received", "trigger.refused", "trigger.refused"]
    assert {refused.code for refused in world.of(events.TriggerRefused)} == {"workflow_archived"}


# --- webhooks


async def test_a_webhook_is_not_there_unless_the_version_that_runs_has_it(world: Triggers) -> None:
    workflow_id = await world.publish(workflow({"type": "webhook", "id": "ci"}))

    async def call(webhook_id: str, target: str = workflow_id) -> str | None:
        trigger = Trigger(type="webhook", webhook_id=webhook_id, payload={})
        command = commands.StartExecution(execution_id=world.new_id(), workflow_id=target, variables={}, trigger=trigger)
        problem = (await world.ask(command)).problem
        assert problem is None or problem.status == 404
        return None if problem is None else problem.code

    assert await call("ci") is None
    assert await call("other") == "webhook_not_found"
    assert await call("ci", world.new_id()) == "webhook_not_found"
    await world.ask(commands.DeactivateWorkflow(workflow_id=workflow_id))
    assert await call("ci") == "webhook_not_found"
    await world.ask(commands.ActivateWorkflow(workflow_id=workflow_id))
    await world.change(workflow_id, workflow())
    assert await call("ci") == "webhook_not_found"
