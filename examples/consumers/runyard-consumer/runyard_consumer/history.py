"""What happened while nobody listened: the events of a tenant over HTTP, page by page, from a position on."""

import logging
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx

LOGS = {"/runyard/orchestrator": "orchestrator", "/runyard/dispatcher": "dispatcher"}
PAGE = 200
GONE = 410

log = logging.getLogger(__name__)


class Page(NamedTuple):
    """`position`: so far the log was looked through."""

    events: list[dict[str, Any]]
    position: int


class History:
    """Raises `httpx.HTTPError` while the gateway cannot be asked."""

    def __init__(self, client: httpx.AsyncClient, beginning: str = "") -> None:
        """`beginning`: of the topics that are wanted."""
        self._client = client
        self._chosen = {"type": beginning} if beginning else {}

    async def after(self, source: str, position: int) -> AsyncIterator[Page]:
        """Pages in order, until the end of the log."""
        more = True
        while more:
            params: dict[str, str | int] = {"log": LOGS[source], "after": position, "limit": PAGE, **self._chosen}
            answer = await self._client.get("/api/v1/events.json", params=params)
            if answer.status_code == GONE:
                whole = answer.json()["completeAfter"]
                log.error("events of %s from %d to %d were archived and are missing here", source, position + 1, whole)
                position = whole
                continue
            answer.raise_for_status()
            page = answer.json()
            position, more = page["position"], page["nextCursor"] is not None
            yield Page(page["items"], position)

    async def whole(self, event: dict[str, Any]) -> dict[str, Any]:
        """An event that was too large for a message, with its data."""
        if "dataref" not in event:
            return event
        answer = await self._client.get(event["dataref"])
        answer.raise_for_status()
        (found,) = answer.json()["items"]
        return dict(found)
