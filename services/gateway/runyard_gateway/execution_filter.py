"""From what a client filters by, in a query or in a body, to what the list understands."""

from runyard_gateway.queries.execution_list import Filter
from runyard_gateway.requests import ExecutionFilter, ExecutionFilters


def filter_of(given: ExecutionFilters | ExecutionFilter) -> Filter:
    return Filter(
        workflow_id=given.workflow_id,
        statuses=frozenset(given.status),
        trigger_type=given.trigger,
        started_from=given.from_,
        started_until=given.to,
        text=given.q,
    )
