"""given / when / then for the execution engine: a graph, reports as agents would send them, events as they come out."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, TypeVar

from runyard_orchestrator.execution.decide import Circumstances, decide, start
from runyard_orchestrator.execution.evolve import replay
from runyard_orchestrator.execution.state import ExecutionState
from runyard_orchestrator.workflow.graph import Graph, compile_graph
from runyard_orchestrator.workflow.validate import problems
from runyard_shared.contracts import commands, events, reports
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.commands import Catalog
from runyard_shared.contracts.values import ErrorInfo, JobStatus, Trigger
from runyard_shared.contracts.workflow import Workflow

EXECUTION = "019d0000-0000-7000-8000-000000000001"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
CATALOG = Catalog(
    pools=["default", "dmz"], agents=["a1"], connections={"web-hosts": "ssh", "ops-slack": "slack", "orders-db": "postgresql"}
)
"""What the workflows of tests may refer to."""
EventT = TypeVar("EventT", bound=Event)
Json = dict[str, Any]


def action(node_id: str, **fields: Any) -> Json:
    return {"id": node_id, "type": "action", "action": "script.bash", "params": {"script": "true"}} | fields


def edge(source: str, target: str, port: str | None = None) -> Json:
    return {"from": source, "to": target} | ({"port": port} if port else {})


def chain(*nodes: Json) -> Json:
    """A workflow of nodes one after the other, each left by its first port."""
    ids = ["trigger", *(node["id"] for node in nodes)]
    return {"name": "Test", "nodes": list(nodes), "edges": [edge(a, b) for a, b in pairwise(ids)]}


def graph_of(document: Json) -> Graph:
    found = problems(document, CATALOG)
    assert not found, found
    return compile_graph("019d0000-0000-7000-8000-0000000000ff", 1, Workflow.model_validate(document))


class Engine:
    """One execution under test. Every step checks that replaying the history gives the live state."""

    def __init__(self, document: Json, inputs: Json | None = None, trigger: Trigger | None = None) -> None:
        self.graph = graph_of(document)
        self.now = EPOCH
        self.chance = 0.5
        self.history: list[tuple[Event, datetime]] = []
        started = events.ExecutionStarted(
            workflow_id=self.graph.workflow_id,
            workflow_name="Test",
            version=1,
            trigger=trigger or Trigger(type="manual"),
            inputs=inputs or {},
            started_by="alice",
            timeout_seconds=self.graph.workflow.timeout_seconds,
        )
        decision = start(EXECUTION, "default", started, self.graph, Circumstances(self.now, self.chance))
        self.state: ExecutionState = decision.state
        self._keep(decision.events)

    @property
    def events(self) -> list[Event]:
        return [event for event, _ in self.history]

    @property
    def topics(self) -> list[str]:
        return [event.topic for event in self.events]

    def of(self, kind: type[EventT]) -> list[EventT]:
        return [event for event in self.events if isinstance(event, kind)]

    def job(self, node_id: str) -> str:
        """The newest job of a node."""
        return next(job_id for job_id, job in reversed(self.state.jobs.items()) if job.node_id == node_id)

    def when(self, stimulus: Any, actor: str = "alice") -> list[Event]:
        decision = decide(self.state, stimulus, self.graph, Circumstances(self.now, self.chance), actor)
        self.state = decision.state
        self._keep(decision.events)
        return list(decision.events)

    def dispatched(self, node_id: str, dispatch: int = 1, agent: str = "a1") -> list[Event]:
        return self.when(reports.JobDispatched(**self._report(node_id, dispatch) | {"agent": agent}))

    def started(self, node_id: str, dispatch: int = 1, agent: str = "a1") -> list[Event]:
        return self.when(reports.JobStarted(**self._report(node_id, dispatch) | {"agent": agent}))

    def finished(
        self,
        node_id: str,
        status: JobStatus = JobStatus.COMPLETED,
        output: Json | None = None,
        dispatch: int = 1,
        agent: str = "a1",
        **error: Any,
    ) -> list[Event]:
        return self.when(
            reports.JobFinished(
                **self._report(node_id, dispatch) | {"agent": agent},
                status=status,
                duration_ms=5,
                output=output or {},
                error=ErrorInfo(**error) if error else None,
            )
        )

    def failed(self, node_id: str, dispatch: int = 1, exit_code: int = 1, agent: str = "a1") -> list[Event]:
        return self.finished(
            node_id,
            JobStatus.FAILED,
            {"exitCode": exit_code},
            dispatch,
            agent,
            reason="exit_code",
            message=f"exit code {exit_code}",
            exit_code=exit_code,
        )

    def lost(self, node_id: str, dispatch: int = 1) -> list[Event]:
        return self.when(reports.JobLost(**self._report(node_id, dispatch), reason="no heartbeat for 30 s"))

    def withdrawn(self, node_id: str, dispatch: int = 0) -> list[Event]:
        report = self._report(node_id, dispatch)
        del report["agent"]
        return self.when(reports.JobWithdrawn(**report))

    def refused(self, node_id: str, reason: str = "connection_disabled", dispatch: int = 0) -> list[Event]:
        report = self._report(node_id, dispatch)
        del report["agent"]
        return self.when(reports.JobRefused(**report, reason=reason, message="the connection 'web-hosts' is disabled"))

    def cancel(self, *, force: bool = False) -> list[Event]:
        return self.when(commands.CancelExecution(execution_id=EXECUTION, reason="enough", force=force))

    def after(self, seconds: float, timer_id: str) -> list[Event]:
        self.now += timedelta(seconds=seconds)
        return self.when(commands.TimerDue(stream_id=EXECUTION, timer_id=timer_id))

    def run(self, answer: Callable[[str], Json] = lambda node_id: {}) -> None:
        """Complete every job as it comes, until nothing is left."""
        while live := [job.node_id for job in self.state.jobs.values() if job.status == JobStatus.PENDING]:
            self.finished(live[0], output=answer(live[0]))

    def _report(self, node_id: str, dispatch: int) -> Json:
        job_id = node_id if node_id in self.state.jobs else self.job(node_id)
        return {"tenant_id": "default", "execution_id": EXECUTION, "job_id": job_id, "dispatch": dispatch, "agent": "a1"}

    def _keep(self, new: tuple[Event, ...]) -> None:
        self.history += [(event, self.now) for event in new]
        assert replay(EXECUTION, "default", self.history, self.graph) == self.state
        assert self.state.version == len(self.history)
