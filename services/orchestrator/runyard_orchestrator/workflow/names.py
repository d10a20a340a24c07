"""Which name was meant by one that does not exist, and how to say what there is instead."""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

SHOWN: Final = 20
_MOST_COMPARED: Final = 100
"""To compare letter by letter takes its time, and documents are of any size."""
LIKELY: Final = 0.6
CERTAIN: Final = 0.85
"""How alike two names must be for a question, and for going on as if the one were the other."""


def nearest(name: str, known: Iterable[str], alike: float = LIKELY) -> str | None:
    """The one that is meant, as far as that can be told; case, dashes and underscores do not count."""
    by_folded = {_folded(each): each for each in known}
    if _folded(name) in by_folded or len(by_folded) > _MOST_COMPARED:
        return by_folded.get(_folded(name))
    near = get_close_matches(_folded(name), by_folded, 1, alike)
    return by_folded[near[0]] if near else None


def _folded(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")


def instead(name: str, known: Iterable[str]) -> str:
    """Goes on after a semicolon from what does not exist: the nearest, or all that there are."""
    known = list(dict.fromkeys(known))
    near = nearest(name, known)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"there {'is' if len(known) == 1 else 'are'} {listed(known)}" if known else "there is none"


def listed(names: Iterable[str]) -> str:
    """At most `SHOWN` of them, in their order."""
    names = list(names)
    more = f", and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
