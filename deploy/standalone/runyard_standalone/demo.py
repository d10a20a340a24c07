"""Shows a new user that it works: applies the examples, runs the first one, and shows its timeline as it happens.

A client like any other: all it does goes through the HTTP API.
"""

import asyncio
from pathlib import Path
from typing import Any

import httpx
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from runyard_standalone.client import ApiProblem, Client
from runyard_standalone.screen import Screen
from runyard_standalone.timeline import Timeline

FIRST = "hello.yaml"
OUTPUT_LINES = 8


async def run_demo(address: str, token: str, examples: Path, screen: Screen) -> None:
    """Applies every example and runs the first. What goes wrong is said, and is no reason to stop serving."""
    async with Client(address, token) as client:
        try:
            applied = await _apply(client, examples, screen)
            if FIRST in applied:
                await _run(client, *applied[FIRST], {"gateway": address}, screen)
        except (ApiProblem, httpx.HTTPError, TimeoutError) as problem:
            screen.say(f"the demonstration stopped: {problem or type(problem).__name__}", "red")


async def _apply(client: Client, examples: Path, screen: Screen) -> dict[str, tuple[str, str]]:
    """Name and id of every workflow that is there now, by its file's name."""
    applied = {}
    for path in await asyncio.to_thread(lambda: sorted(examples.glob("*.yaml"))):
        source = await asyncio.to_thread(path.read_text)
        try:
            name = YAML(typ="safe").load(source)["name"]
            applied[path.name] = (name, await client.apply(name, source))
        except (YAMLError, KeyError, TypeError, ApiProblem) as problem:
            screen.say(f"{path.name} was not applied: {problem}", "red")
    screen.say(f"Applied {len(applied)} workflows from {examples}", "bright_black")
    screen.say()
    return applied


async def _run(client: Client, name: str, workflow_id: str, variables: dict[str, Any], screen: Screen) -> None:
    execution_id = (await client.post(f"/workflows/{workflow_id}/run", {"variables": variables}))["executionId"]
    timeline = Timeline(name)
    if not screen.live:
        screen.say(f"{name}: execution {execution_id}")
    with screen.watch(timeline):
        async for event in client.events(execution_id):
            if event.name == "snapshot":
                timeline.begin(event.data)
                for row in timeline.rows:
                    screen.changed(row)
            elif event.name != "end" and "data" in event.data:
                screen.changed(timeline.apply(event.name, event.data["data"]))
            if timeline.finished:
                break
    screen.say()
    await _show_result(client, execution_id, timeline, screen)


async def _show_result(client: Client, execution_id: str, timeline: Timeline, screen: Screen) -> None:
    jobs = sum(1 for row in timeline.rows if row.attempt)
    outcome = f"{timeline.status} in {timeline.elapsed_ms / 1000:.1f} s, {jobs} jobs"
    screen.say(
        outcome + (f": {timeline.error}" if timeline.error else ""), "green" if timeline.status == "completed" else "red"
    )
    detail = await client.get(f"/executions/{execution_id}")
    output = next((job["output"] for job in reversed(detail["jobs"]) if job["output"]), None) or {}
    lines = str(output.get("stdout", "")).strip().splitlines()
    for line in lines[:OUTPUT_LINES]:
        screen.say(f"  {line}")
    if len(lines) > OUTPUT_LINES:
        screen.say(f"  … {len(lines) - OUTPUT_LINES} more lines", "bright_black")
    screen.say()
