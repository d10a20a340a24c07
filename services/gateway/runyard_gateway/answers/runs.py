"""What became of a start, a cancellation and a re-run, of one execution or many."""

from typing import Annotated, Literal

from msgspec import Meta
from runyard_shared.contracts.values import ExecutionStatus

from runyard_gateway.answers.body import Body, Id, Position


class RunStarted(Body):
    execution_id: Id
    position: Position


class BulkProblem(Body):
    code: str
    detail: str


class BulkCancelResult(Body):
    execution_id: Id
    outcome: Annotated[Literal["cancelled"] | None, Meta(description="Null: see `problem`")]
    problem: BulkProblem | None


class BulkRerunResult(Body):
    execution_id: Id
    new_execution_id: Annotated[Id | None, Meta(description="Null: see `problem`")]
    problem: BulkProblem | None


class Bulk(Body):
    """`more`: the filter finds executions beyond the limit; the same call again takes them."""

    matched: int
    accepted: int
    more: bool
    position: Position


class BulkCancelled(Bulk):
    results: list[BulkCancelResult]


class BulkRerunDone(Bulk):
    results: list[BulkRerunResult]


class Cancelled(Body):
    execution_id: Id
    status: ExecutionStatus
    position: Position
