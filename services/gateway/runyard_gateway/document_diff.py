"""How two workflow documents differ, place by place. Nodes are told apart by their id, not by their place in the list."""

from collections.abc import Iterator
from typing import Any

import msgspec

from runyard_gateway.answers import Difference


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """What to do to `before` to get `after`."""
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _members(before, after, lambda key: f"{path}.{key}" if path else key)
    elif _has_ids(before) and _has_ids(after):
        old, new = ({item["id"]: item for item in items} for items in (before, after))
        yield from _members(old, new, lambda key: f"{path}[id={key}]")
        stayed = [[key for key in keys if key in old and key in new] for keys in (old, new)]
        if stayed[0] != stayed[1]:
            yield Difference(kind="changed", path=f"{path} (order)", before=stayed[0], after=stayed[1])
    elif _as_text(before) != _as_text(after):
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
    """Whether the items of a list can be told apart by their ids."""
    if not isinstance(value, list) or not value:
        return False
    ids = [item.get("id") if isinstance(item, dict) else None for item in value]
    return all(isinstance(each, str) for each in ids) and len(set(ids)) == len(ids)


def _as_text(value: Any) -> bytes:
    """In which true is not 1, as it is in Python."""
    return msgspec.json.encode(value, order="sorted")
