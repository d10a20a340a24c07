"""What projections of few events have in common: people and clocks make these, and each is one or two statements of its own, in
order."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from runyard_shared.contracts.feed import Recorded
from runyard_shared.eventstore.mapper import EventMapper, UnknownTopic

Statement = tuple[str, tuple[Any, ...]]
"""SQL with `{schema}` for the schema, and its arguments."""

Apply = Callable[[Recorded, Any], Iterable[Statement]]


def statements_of(
    name: str, recorded: Iterable[Recorded], mapper: EventMapper, apply: Mapping[str, Apply], foreign: tuple[str, ...]
) -> list[Statement]:
    """By topic, what each event does in the projection `name`. Topics that begin with one of `foreign` are passed over; any
    other that has no entry raises `UnknownTopic`."""
    statements: list[Statement] = []
    for row in recorded:
        if row.topic.startswith(foreign):
            continue
        of_topic = apply.get(row.topic)
        if of_topic is None:
            raise UnknownTopic(f"the projection {name} does not know {row.topic!r} (position {row.position})")
        statements.extend(of_topic(row, mapper.decode(row)))
    return statements
