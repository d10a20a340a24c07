"""How two workflow documents differ, place by place. Nodes are told apart by their id, not by their place in the list."""

from collections.abc import Iterator
from typing import Any

from runyard_gateway.answers import Difference


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """What to do to `before` to get `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _members(before, after, lambda key: f"{path}.{key}" if path else key)
    elif _has_ids(before) and _has_ids(after):
        old, new = ({item["id"]: item for item in items} for items in (before, after))
        yield from _members(old, new, lambda key: f"{path}[id={key}]")
        if old.keys() == new.keys() and list(old) != list(new):
            yield Difference(kind="changed", path=f"{path} (order)", before=list(old), after=list(new))
    elif before != after or type(before) is not type(after):
        yield Difference(kind="changed", path=path, before=before, after=after)


def _members(before: dict[str, Any], after: dict[str, Any], path_of: Any) -> Iterator[Difference]:
    for key in [*before, *(key for key in after if key not in before)]:
        if key not in after:
            yield Difference(kind="removed", path=path_of(key), before=before[key], after=None)
        elif key not in before:
            yield Difference(kind="added", path=path_of(key), before=None, after=after[key])
        else:
            yield from differences(before[key], after[key], path_of(key))


def _has_ids(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and "id" in item for item in value)
