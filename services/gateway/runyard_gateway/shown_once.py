"""Secrets in answers: shown once, marked by their type, so that nothing that passes answers on or keeps them has to be told."""

from typing import Annotated, Any

from msgspec import Meta

_MARK = "shown_once"
ShownOnce = Annotated[str, Meta(description="A secret, shown here and never again", extra={_MARK: True})]


def is_shown_once(hint: Any) -> bool:
    """Whether a field of an answer is such a secret."""
    marks = (mark.extra for mark in getattr(hint, "__metadata__", ()) if isinstance(mark, Meta))
    return any(extra is not None and extra.get(_MARK) for extra in marks)
