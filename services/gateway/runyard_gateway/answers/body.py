"""What all answers are made of: their base, and the values that occur in many."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

Id = Annotated[str, Meta(description="A UUIDv7", extra_json_schema={"format": "uuid"})]
Instant = Annotated[str, Meta(description="RFC 3339, UTC, milliseconds", extra_json_schema={"format": "date-time"})]
Position = Annotated[int, Meta(description="A position in the log")]
Json = Annotated[Any, Meta(description="Any JSON value")]
Item = Annotated[str | None, Meta(description="The iteration of a forEach, such as each[3]; null outside of one")]
Cursor = Annotated[str | None, Meta(description="Give it as `cursor` for the next page; null on the last one")]


class Body(msgspec.Struct, rename="camel", kw_only=True):
    """Base of all answers."""
