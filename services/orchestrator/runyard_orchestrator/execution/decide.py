"""What happens next in an execution: state, report or command, and circumstances in; events out. No clock, no I/O, no chance.

Three parts: what a command or report means (`start`, `decide`), how the graph is walked (`_Walk`: enter, complete, skip,
fail), and how an execution ends. The meaning of each node type is one method of `_Walk`.
"""

from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from runyard_shared.clock import rfc3339
from runyard_shared.contracts import commands, events, reports
from runyard_shared.contracts.base import Event
from runyard_shared.contracts.values import FINISHED_JOBS, ErrorInfo, ExecutionStatus, JobStatus, NodeStatus
from runyard_shared.contracts.workflow import ActionNode, DelayNode, JoinNode
from runyard_shared.errors import Conflict
from runyard_shared.ids import derived_id

from runyard_orchestrator.execution.evolve import AGENT_LOST, EXECUTION_TIMEOUT, begin, delay_timer, evolve, retry_timer
from runyard_orchestrator.execution.lifecycle import Verdict, verdict
from runyard_orchestrator.execution.retry import next_retry_delay_seconds
from runyard_orchestrator.execution.scope import error_value, scope_for
from runyard_orchestrator.execution.state import TAKEN, UNSETTLED, ExecutionState, JobState
from runyard_orchestrator.workflow.expressions import Expression, ExpressionError, Template, as_text
from runyard_orchestrator.workflow.graph import Graph, GraphNode


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What the engine may not find out by itself: the time, and a random number in [0, 1)."""

    now: datetime
    chance: float = 0.5


@dataclass(frozen=True, slots=True)
class Decision:
    """The new events, and the state with them applied."""

    events: tuple[Event, ...]
    state: ExecutionState


Stimulus = reports.Report | commands.CancelExecution | commands.TimerDue


def start(
    execution_id: str, tenant_id: str, started: events.ExecutionStarted, graph: Graph, circumstances: Circumstances
) -> Decision:
    """Begin an execution: enter whatever the trigger leads to."""
    state = begin(execution_id, tenant_id, started, circumstances.now, graph)
    walk = _Walk(state, graph, circumstances)
    walk.new.append(started)
    walk.arrive([edge.target for edge in graph.entry])
    walk.conclude()
    return Decision(tuple(walk.new), state)


def decide(state: ExecutionState, stimulus: Stimulus, graph: Graph, circumstances: Circumstances, actor: str = "") -> Decision:
    """What a report, a cancel or a due timer changes. Raises `Conflict` for a cancel that comes too late."""
    walk = _Walk(state.copy(), graph, circumstances)
    match stimulus:
        case commands.CancelExecution():
            walk.cancel(stimulus, actor)
        case commands.TimerDue():
            walk.timer_due(stimulus.timer_id)
        case _:
            walk.report(stimulus)
    walk.conclude()
    return Decision(tuple(walk.new), walk.state) if walk.new else Decision((), state)


class _Walk:
    """One decision under way: a state of its own that evolves with each event it emits."""

    def __init__(self, state: ExecutionState, graph: Graph, circumstances: Circumstances) -> None:
        self.state = state
        self.graph = graph
        self.now = circumstances.now
        self.chance = circumstances.chance
        self.new: list[Event] = []
        self._arrivals: deque[str] = deque()
        self._walking = False

    def emit(self, event: Event) -> None:
        evolve(self.state, event, self.graph)
        self.new.append(event)

    # --- commands and timers

    def cancel(self, command: commands.CancelExecution, actor: str) -> None:
        running = [job_id for job_id, job in self.state.jobs.items() if job.status not in FINISHED_JOBS]
        if self.state.status == ExecutionStatus.CANCELLED and command.force and running:
            self._stop_jobs(force=True)
            return
        if self.state.is_finished:
            raise Conflict(
                "execution_finished",
                f"the execution is already {self.state.status}; there is nothing to cancel",
                executionStatus=self.state.status.value,
            )
        self.emit(events.ExecutionCancelled(by=actor, reason=command.reason, force=command.force))
        self._cancel_waiting_nodes()
        self._stop_jobs(force=command.force)

    def timer_due(self, timer_id: str) -> None:
        if timer_id not in self.state.timers:
            return
        kind, _, node_id = timer_id.partition(":")
        if timer_id == EXECUTION_TIMEOUT:
            seconds = self.graph.workflow.timeout_seconds
            message = f"the execution did not end within its {seconds:g} s"
            self._fail_execution(ErrorInfo(reason="execution_timeout", message=message), force=True)
        elif timer_id == delay_timer(node_id):
            self._complete(node_id, "out", output={})
        elif timer_id == retry_timer(node_id):
            self._schedule(node_id, self.state.nodes[node_id].attempt)
        else:
            raise TypeError(f"an execution has no {kind} timers")

    # --- reports

    def report(self, report: reports.Report) -> None:
        job = self.state.jobs.get(report.job_id)
        if job is None:
            raise TypeError(f"execution {self.state.execution_id} has no job {report.job_id}")
        match verdict(job.status, job.lease, job.voided, job.ended_by_report, report):
            case Verdict.DISPATCH if isinstance(report, reports.JobDispatched):
                self.emit(events.JobDispatched(job_id=report.job_id, dispatch=report.dispatch, agent=report.agent))
            case Verdict.START if isinstance(report, reports.JobStarted):
                self.emit(
                    events.JobStarted(
                        job_id=report.job_id, dispatch=report.dispatch, agent=report.agent, dispatched_at=report.dispatched_at
                    )
                )
            case Verdict.FINISH if isinstance(report, reports.JobFinished):
                self._finish(job, report)
            case Verdict.LOSE if isinstance(report, reports.JobLost):
                error = self._job_error(job, AGENT_LOST, f"agent {report.agent} was lost while the job ran: {report.reason}")
                self.emit(events.JobFailed(job_id=report.job_id, dispatch=report.dispatch, error=error))
                self._after_failure(job, error)
            case Verdict.REQUEUE if isinstance(report, reports.JobLost):
                self._requeue(job, report)
            case Verdict.WITHDRAW:
                self._withdraw(job, report)
            case Verdict.LATE:
                self._ignore(job, report)
            case _:
                pass

    def _finish(self, job: JobState, report: reports.JobFinished) -> None:
        fields: dict[str, Any] = {
            "job_id": report.job_id,
            "dispatch": report.dispatch,
            "output": report.output,
            "duration_ms": report.duration_ms,
            "seals": report.seals,
        }
        if report.status == JobStatus.COMPLETED:
            self.emit(events.JobCompleted(**fields))
            self._complete(job.node_id, "success")
        elif report.status == JobStatus.CANCELLED:
            self.emit(events.JobCancelled(reason=report.error.message if report.error else "stopped on its agent", **fields))
            self._after_cancelled(job)
        else:
            error = self._reported_error(job, report)
            failed = events.JobTimedOut if report.status == JobStatus.TIMEOUT else events.JobFailed
            self.emit(failed(error=error, **fields))
            self._after_failure(job, error)

    def _requeue(self, job: JobState, report: reports.JobLost) -> None:
        if job.cancel_requested:
            self.emit(
                events.JobCancelled(job_id=report.job_id, reason=f"its agent was lost before it started: {report.reason}")
            )
            self._after_cancelled(job)
        else:
            self.emit(events.JobRequeued(job_id=report.job_id, dispatch=report.dispatch, reason=report.reason))

    def _withdraw(self, job: JobState, report: reports.Report) -> None:
        if job.cancel_requested:
            self.emit(events.JobCancelled(job_id=report.job_id, reason="withdrawn before it was sent to an agent"))
            self._after_cancelled(job)

    def _ignore(self, job: JobState, report: reports.Report) -> None:
        name = type(report).__name__
        if (name, report.dispatch) not in job.ignored:
            outcome = f" ({report.status})" if isinstance(report, reports.JobFinished) else ""
            detail = f"{name}{outcome} of dispatch {report.dispatch} came after the job was {job.status}, dispatch {job.lease}"
            self.emit(events.JobReportIgnored(job_id=report.job_id, dispatch=report.dispatch, report=name, detail=detail))

    def _reported_error(self, job: JobState, report: reports.JobFinished) -> ErrorInfo:
        error = report.error or ErrorInfo(reason="exception", message=f"the agent reported {report.status} without a reason")
        return ErrorInfo(
            reason=error.reason,
            message=error.message,
            node_id=job.node_id,
            action_type=job.action,
            exit_code=error.exit_code,
            status_code=error.status_code,
        )

    def _job_error(self, job: JobState, reason: str, message: str) -> ErrorInfo:
        return ErrorInfo(reason=reason, message=message, node_id=job.node_id, action_type=job.action)

    # --- how jobs end for their node

    def _after_failure(self, job: JobState, error: ErrorInfo) -> None:
        spec = self.graph.nodes[job.node_id].spec
        delay = None
        if self.state.may_schedule and not job.cancel_requested and isinstance(spec, ActionNode):
            delay = next_retry_delay_seconds(spec, job.attempt, self.chance)
        if delay is None or not isinstance(spec, ActionNode):
            self._fail(job.node_id, error)
            return
        attempt = job.attempt + 1
        due_at = rfc3339(self.now + timedelta(seconds=delay))
        self.emit(
            events.RetryScheduled(
                node_id=job.node_id, attempt=attempt, max_attempts=spec.max_retries + 1, due_at=due_at, delay_seconds=delay
            )
        )
        if delay == 0:
            self._schedule(job.node_id, attempt)

    def _after_cancelled(self, job: JobState) -> None:
        self.emit(events.NodeCancelled(node_id=job.node_id))
        if self.state.may_schedule:
            message = "the job was cancelled on its agent"
            self._fail_execution(self._job_error(job, "cancelled", message))

    # --- walking the graph

    def arrive(self, targets: list[str]) -> None:
        """Some edges into these nodes were settled: enter or skip those that are decided, and go on from there."""
        self._arrivals.extend(targets)
        if self._walking:  # a node entered below completed at once; the loop that entered it goes on
            return
        self._walking = True
        while self._arrivals:
            node_id = self._arrivals.popleft()
            if node_id not in self.state.nodes and self.state.may_schedule:
                ready = self._readiness(self.graph.nodes[node_id])
                if ready:
                    self._enter(node_id)
                elif ready is False:
                    self.emit(events.NodeSkipped(node_id=node_id))
                    self._arrivals.extend(edge.target for edge in self.graph.nodes[node_id].outgoing)
        self._walking = False

    def _readiness(self, node: GraphNode) -> bool | None:
        """True: enter; False: skip; None: some edge must settle first."""
        settled = [self.state.edges[edge.index] for edge in node.incoming]
        taken = settled.count(TAKEN)
        needed = None
        if isinstance(node.spec, JoinNode) and node.spec.mode != "all":
            needed = node.spec.count if node.spec.mode == "count" else 1
        if needed is not None and taken >= needed:
            return True
        if UNSETTLED in settled:
            return None
        return needed is None and taken > 0

    def _enter(self, node_id: str) -> None:
        node = self.graph.nodes[node_id]
        match node.spec.type:
            case "action":
                self._schedule(node_id, 1)
            case "condition":
                self._enter_condition(node_id, node)
            case "switch":
                self._enter_switch(node_id, node)
            case "delay":
                self._enter_delay(node_id, node)
            case "parallel":
                self._complete(node_id, None)
            case "join":
                self._complete(node_id, "out")
            case "setVariables":
                self._enter_set_variables(node_id, node)
            case "errorHandler":
                self._enter_error_handler(node_id, node)

    def _enter_condition(self, node_id: str, node: GraphNode) -> None:
        value = self._evaluate(node_id, node.expression)
        if isinstance(value, ErrorInfo):
            self._fail(node_id, value)
        elif not isinstance(value, bool):
            message = f"a condition must be true or false; {_source(node)!r} gave {as_text(value)[:80]!r}"
            self._fail(node_id, ErrorInfo(reason="expression", message=message, node_id=node_id))
        else:
            self._complete(node_id, "true" if value else "false", output=value)

    def _enter_switch(self, node_id: str, node: GraphNode) -> None:
        value = self._evaluate(node_id, node.expression)
        if isinstance(value, ErrorInfo):
            self._fail(node_id, value)
            return
        cases = getattr(node.spec, "cases", ())
        chosen = next((case for case in cases if case == value and isinstance(case, bool) == isinstance(value, bool)), None)
        self._complete(node_id, "default" if chosen is None else as_text(chosen), output=value)

    def _enter_delay(self, node_id: str, node: GraphNode) -> None:
        spec = node.spec
        if not isinstance(spec, DelayNode):
            raise TypeError(f"{node_id} is not a delay")
        until = self.now + timedelta(seconds=spec.seconds or 0)
        if node.expression is not None:
            value = self._evaluate(node_id, node.expression)
            instant = value if isinstance(value, ErrorInfo) else _instant(node_id, value)
            if isinstance(instant, ErrorInfo):
                self._fail(node_id, instant)
                return
            until = instant
        self.emit(events.NodeWaiting(node_id=node_id, until=rfc3339(until)))
        if until <= self.now:
            self._complete(node_id, "out", output={})

    def _enter_set_variables(self, node_id: str, node: GraphNode) -> None:
        warnings: list[str] = []
        values = self._render(node_id, node.template, warnings)
        if isinstance(values, ErrorInfo):
            self._fail(node_id, values)
        else:
            self._complete(node_id, "out", output=values, warnings=warnings)

    def _enter_error_handler(self, node_id: str, node: GraphNode) -> None:
        sources = (self.state.nodes.get(edge.source) for edge in node.incoming if self.state.edges[edge.index] == TAKEN)
        error = next((source.error for source in sources if source is not None and source.error is not None), None)
        self._complete(node_id, "out", output=error_value(error) if error else {})

    def _schedule(self, node_id: str, attempt: int) -> None:
        node = self.graph.nodes[node_id]
        spec = node.spec
        if not isinstance(spec, ActionNode):
            raise TypeError(f"{node_id} is not an action")
        warnings: list[str] = []
        params = self._render(node_id, node.template, warnings)
        if isinstance(params, ErrorInfo):
            self._fail(node_id, params)
            return
        self.emit(
            events.JobScheduled(
                job_id=derived_id(self.now, self.state.execution_id, node_id, attempt),
                node_id=node_id,
                attempt=attempt,
                action=spec.action,
                params=params,
                pool=spec.pool,
                agent=spec.agent,
                tags=spec.tags,
                connection=spec.connection,
                timeout_seconds=spec.timeout_seconds,
                warnings=warnings,
            )
        )

    def _complete(self, node_id: str, port: str | None, output: Any = None, warnings: list[str] | None = None) -> None:
        self.emit(events.NodeCompleted(node_id=node_id, port=port, output=output, warnings=warnings or []))
        self.arrive([edge.target for edge in self.graph.nodes[node_id].outgoing])

    def _fail(self, node_id: str, error: ErrorInfo) -> None:
        node = self.graph.nodes[node_id]
        port = None
        if self.state.may_schedule:
            if node.has_port("error"):
                port = "error"
            elif isinstance(node.spec, ActionNode) and not node.spec.critical:
                port = "success"
        self.emit(events.NodeFailed(node_id=node_id, error=error, port=port))
        if port is not None:
            self.arrive([edge.target for edge in node.outgoing])
        elif self.state.may_schedule:
            self._fail_execution(error)

    # --- how an execution ends

    def conclude(self) -> None:
        """End the execution if nothing is outstanding."""
        state = self.state
        if not self.new or state.is_finished:
            return
        for node in state.nodes.values():
            if node.status is NodeStatus.RUNNING or node.status is NodeStatus.WAITING:
                return
        if state.failing is not None:
            self.emit(events.ExecutionFailed(error=state.failing))
        else:
            self.emit(events.ExecutionCompleted())

    def _fail_execution(self, error: ErrorInfo, *, force: bool = False) -> None:
        if self.state.failing is not None:
            return
        self.emit(events.ExecutionFailing(error=error))
        self._cancel_waiting_nodes()
        self._stop_jobs(force=force)

    def _cancel_waiting_nodes(self) -> None:
        for node_id, node in list(self.state.nodes.items()):
            if node.status == NodeStatus.WAITING:
                self.emit(events.NodeCancelled(node_id=node_id))

    def _stop_jobs(self, *, force: bool) -> None:
        """Withdraw what has not started; running jobs run to their end unless forced."""
        for job_id, job in list(self.state.jobs.items()):
            if job.status not in FINISHED_JOBS and (force or job.status != JobStatus.RUNNING):
                self.emit(events.JobCancelRequested(job_id=job_id, force=force))

    # --- evaluating

    def _evaluate(self, node_id: str, expression: Expression | None) -> Any:
        if expression is None:
            raise TypeError(f"{node_id} has no expression")
        try:
            return expression.evaluate(scope_for(self.state, (expression,)))
        except ExpressionError as error:
            return ErrorInfo(reason="expression", message=str(error), node_id=node_id)

    def _render(self, node_id: str, template: Template | None, warnings: list[str]) -> Any:
        if template is None:
            raise TypeError(f"{node_id} has no template")
        scope = scope_for(self.state, template.expressions) if template.expressions else {}
        try:
            return template.render(scope, warnings)
        except ExpressionError as error:
            return ErrorInfo(reason="template", message=str(error), node_id=node_id)


def _source(node: GraphNode) -> str:
    return node.expression.source if node.expression else ""


def _instant(node_id: str, value: Any) -> datetime | ErrorInfo:
    """The instant an `until` gives: a CEL timestamp or an RFC 3339 text with a zone."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = datetime.fromisoformat(value)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    message = f"until must give an RFC 3339 instant with a time zone; it gave {as_text(value)[:80]!r}"
    return ErrorInfo(reason="expression", message=message, node_id=node_id)
