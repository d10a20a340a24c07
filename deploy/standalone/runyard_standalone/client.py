"""As much of the HTTP API as the demonstration needs, spoken from outside like any other client."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx

YAML = {"content-type": "application/yaml"}
PATIENCE_SECONDS = 10.0


class ApiProblem(Exception):
    """The API refused; the message is the problem's `detail`, with every error it lists."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        errors = [f"{error['path']}: {error['message']}" for error in body.get("errors") or []]
        super().__init__("; ".join([str(body.get("detail") or body.get("title") or f"HTTP {status}"), *errors]))
        self.status = status


@dataclass(frozen=True)
class StreamEvent:
    """One Server-Sent Event; `data` is decoded."""

    id: str | None
    name: str
    data: dict[str, Any]


class Client:
    """One administrator at one address."""

    def __init__(self, address: str, token: str) -> None:
        # the machine's proxy settings are not for loopback
        self._http = httpx.AsyncClient(
            base_url=f"{address}/api/v1",
            headers={"authorization": f"Bearer {token}"},
            timeout=httpx.Timeout(30.0),
            trust_env=False,
        )

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        return await self._answer(await self._http.get(path, params=query))

    async def post(self, path: str, body: Any = None) -> dict[str, Any]:
        return await self._answer(await self._http.post(path, json={} if body is None else body))

    async def apply(self, name: str, source: str) -> str:
        """Makes the workflow `name` exist, published and active, as this YAML text says; idempotent."""
        row = await self._workflow_named(name)
        if row is None:
            try:
                row = await self._answer(await self._http.post("/workflows", content=source, headers=YAML))
            except ApiProblem as problem:
                if problem.status != 409:
                    raise
                # it exists, and the list does not know it yet
                row = await self._until_listed(name)
        workflow = f"/workflows/{row['workflowId']}"
        known = await self.get(workflow, minPosition=row.get("position", 0))
        if known["draft"]["source"] != source:
            await self._answer(await self._http.put(f"{workflow}/draft", content=source, headers=YAML))
        if known["draft"]["source"] != source or known["publishedVersion"] is None:
            await self.post(f"{workflow}/publish")
        if not known["active"]:
            await self.post(f"{workflow}/activate")
        return str(row["workflowId"])

    async def events(self, execution_id: str) -> AsyncIterator[StreamEvent]:
        """The execution's stream to its end; a lost connection is resumed where it broke."""
        last: str | None = None
        while True:
            headers = {"last-event-id": last} if last else {}
            try:
                async with self._http.stream(
                    "GET", f"/executions/{execution_id}/events", headers=headers, timeout=None
                ) as answer:
                    if answer.status_code != 200:
                        await answer.aread()
                        raise ApiProblem(answer.status_code, _body(answer))
                    async for event in _parse(answer.aiter_lines()):
                        last = event.id or last
                        yield event
                        if event.name == "end":
                            return
            except httpx.TransportError:
                await asyncio.sleep(0.5)

    async def _workflow_named(self, name: str) -> dict[str, Any] | None:
        cursor: dict[str, str] = {}
        while True:
            page = await self.get("/workflows", limit=200, **cursor)
            for row in page["items"]:
                if row["name"] == name:
                    return dict(row)
            if not page["nextCursor"]:
                return None
            cursor = {"cursor": page["nextCursor"]}

    async def _until_listed(self, name: str) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                if row := await self._workflow_named(name):
                    return row
                await asyncio.sleep(0.1)

    async def _answer(self, response: httpx.Response) -> dict[str, Any]:
        body = _body(response)
        if response.is_error:
            raise ApiProblem(response.status_code, body)
        return body


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except json.JSONDecodeError:
        return {"detail": response.text[:200] or response.reason_phrase}
    return body if isinstance(body, dict) else {}


async def _parse(lines: AsyncIterator[str]) -> AsyncIterator[StreamEvent]:
    fields: dict[str, str] = {}
    async for line in lines:
        if line.startswith(":"):
            continue
        if line:
            name, _, value = line.partition(":")
            fields[name] = fields.get(name, "") + value.removeprefix(" ")
        elif fields:
            yield StreamEvent(fields.get("id"), fields.get("event", "message"), json.loads(fields.get("data") or "{}"))
            fields = {}
