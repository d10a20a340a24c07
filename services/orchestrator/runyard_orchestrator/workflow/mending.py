"""A document that does not fit the model, made to fit so far that all the rest of it can be judged in the same go.

Where it is clear what was meant (a field misspelt, a text without quotes), that takes the place of what is written, and is
judged. Where it is not, something takes the place that nothing is said of: what is known to be wrong must neither hide other
problems nor bring about more of them.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import pydantic
from pydantic_core import ErrorDetails
from runyard_shared.contracts.actions import ACTIONS
from runyard_shared.contracts.workflow import Workflow
from runyard_shared.errors import FieldProblem

from runyard_orchestrator.workflow.misfits import (
    Steps,
    choices,
    is_parameter,
    meant_field,
    meant_type,
    path_of,
    steps_of,
    value_at,
    words_for,
)
from runyard_orchestrator.workflow.names import nearest

MAX_TOLD: Final = 200
"""Problems; whoever has more begins with these."""
_ROUNDS: Final = 8
"""A type that is guessed brings its fields, and these bring their values: each round sees what the one before brought."""
_NODE: Final = {"id": "_", "type": "parallel"}
"""Its edges may have any ports, and it reads nothing."""
_STAND_INS: Final[dict[str, Any]] = {
    "name": "_",
    "nodes": [_NODE],
    "edges": [],
    "id": "_",
    "action": "_",
    "expression": "true",
    "until": "''",
    "seconds": 0,
    "cases": ["_"],
    "message": "_",
    "items": [],
    "body": {"nodes": [_NODE], "edges": []},
    "workflow": "_",
    "values": {},
    "from": "_",
    "to": "_",
    "cron": "* * * * *",
    "events": ["incident.created"],
}
"""For fields that others need. What else does not fit is left out, and has its default."""
_ENTRIES: Final[dict[str, Any]] = {"nodes": _NODE, "edges": {"from": "_", "to": "_"}, "triggers": {"type": "manual"}}
"""For whole entries of these lists; of other lists all of it goes."""


@dataclass
class Mended:
    """`workflow` is None if nothing could be made of the document. Paths are those of the workflow; `written` leads back."""

    workflow: Workflow | None = None
    misfits: list[FieldProblem] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)
    """Of nodes whose id does not fit, as they are written: edges name them by it."""
    void: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)

    def is_void(self, path: str) -> bool:
        """Whether what is there, or around it, is not what the author wrote."""
        return any(part in self.void for part in _ways_to(path))

    def told(self, found: Iterable[tuple[str, str]]) -> Iterator[FieldProblem]:
        """Without what is said of places that are known not to fit."""
        for path, message in found:
            if not self.is_void(path):
                yield FieldProblem(self.written(path), message)

    def written(self, path: str) -> str:
        """The path as the author wrote it."""
        for right in reversed([*_ways_to(path)]):
            if right in self.renamed:
                path = self.renamed[right] + path[len(right) :]
        return path


def mended(document: dict[str, Any]) -> Mended:
    """Raises nothing: whatever pydantic finds has words here."""
    try:
        return Mended(Workflow.model_validate(document))
    except pydantic.ValidationError as error:
        found = error.errors()
    mending = _Mending(copy.deepcopy(document))
    for _ in range(_ROUNDS):
        mending.mend(found)
        try:
            mending.result.workflow = Workflow.model_validate(mending.document)
            break
        except pydantic.ValidationError as error:
            found = error.errors()
    return mending.result


class _Mending:
    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.result = Mended()
        self._tried: set[Steps] = set()

    def mend(self, found: list[ErrorDetails]) -> None:
        """One round. Misspelt fields come first: what seems to be missing may be one of them."""
        unknown = [each for each in found if each["type"] == "extra_forbidden"]
        for each in unknown:
            steps = steps_of(self.document, each)
            if self._is_full():
                del value_at(self.document, steps[:-1])[steps[-1]]
                continue
            self._say(steps, [each])
            self._rename(steps)
        others: dict[Steps, list[ErrorDetails]] = {}
        for each in found:
            if each["type"] != "extra_forbidden":
                others.setdefault(steps_of(self.document, each), []).append(each)
        for steps, here in [*others.items()]:
            if here[0]["type"] == "missing" and steps[-1] in value_at(self.document, steps[:-1]):
                del others[steps]  # a misspelt one is this
            elif steps not in self._tried and not self._is_full() and not self.result.is_void(path_of(steps)):
                self._say(steps, here)
        for steps, here in others.items():
            if self.result.is_void(path_of(steps[:-1])):
                continue  # something around it was replaced just now
            if steps in self._tried or not self._is_clear(steps, here[0]):
                self._stand_in(steps)
            self._tried.add(steps)

    def _is_full(self) -> bool:
        """One more than are told shows that there are more."""
        return len(self.result.misfits) > MAX_TOLD

    def _say(self, steps: Steps, here: list[ErrorDetails]) -> None:
        words = words_for(self.document, steps, here)
        path = path_of((*steps, "type") if here[0]["type"].startswith("union_tag") else steps)
        self.result.misfits.append(FieldProblem(self.result.written(path), words))

    def _is_clear(self, steps: Steps, found: ErrorDetails) -> bool:
        """If it is clear what was meant: from now on, that is there."""
        value = value_at(self.document, steps)
        meant: Any = None
        match found["type"]:
            case "union_tag_not_found" | "union_tag_invalid":
                self._retype(steps, value)
                return True
            case "literal_error" if isinstance(value, str):
                meant = nearest(value, choices(found))
            case "string_type" if isinstance(value, bool | int | float):
                meant = str(value).lower() if isinstance(value, bool) else str(value)
            case _:
                pass
        if meant is not None:
            value_at(self.document, steps[:-1])[steps[-1]] = meant
            if steps[-1] == "id":
                self.result.ids[path_of(steps)] = meant
            self.result.void.add(path_of(steps))
        return meant is not None

    def _rename(self, steps: Steps) -> None:
        around, name = steps[:-1], str(steps[-1])
        parent = value_at(self.document, around)
        into_params = is_parameter(self.document, steps)
        meant = meant_field(self.document, steps)
        value = parent.pop(name)
        if into_params:
            params = parent.setdefault("params", {})
            if isinstance(params, dict):
                params.setdefault(name, value)
                self.result.renamed[path_of((*around, "params", name))] = path_of(steps)
        elif meant is None or meant in parent:
            self.result.void.add(path_of(steps))
        else:
            parent[meant] = value
            self.result.renamed[path_of((*around, meant))] = path_of(steps)

    def _retype(self, steps: Steps, value: dict[str, Any]) -> None:
        """The type that is nearest, by its name or by its fields; else one of which little can be said."""
        kind = meant_type(steps, value)
        if kind is None and "triggers" in steps:
            kind, kept = "manual", {}
        elif kind is None:
            kind, kept = _NODE["type"], {"id": value["id"]} if "id" in value else {}
        else:
            kept = value.copy()
            if str(value.get("type")) in ACTIONS:
                kept.setdefault("action", value["type"])
        value.clear()
        value.update(kept | {"type": kind})
        self.result.void.add(path_of((*steps, "type")))

    def _stand_in(self, steps: Steps) -> None:
        if not steps:
            return
        around, name = value_at(self.document, steps[:-1]), steps[-1]
        if isinstance(name, int):
            entry = _ENTRIES.get(str(steps[-2]))
            if entry is None or not isinstance(around, list):
                self._stand_in(steps[:-1])
                return
            around[name] = dict(entry)
        elif name in _STAND_INS:
            if name == "id" and isinstance(around.get("id"), str):
                self.result.ids[path_of(steps)] = around["id"]
            around[name] = copy.deepcopy(_STAND_INS[name])
        else:
            around.pop(name, None)
        self.result.void.add(path_of(steps))


def _ways_to(path: str) -> Iterator[str]:
    """Of everything around the place, from the outside in, and of the place itself."""
    for at, char in enumerate(path):
        if char in ".[" and at:
            yield path[:at]
    yield path
