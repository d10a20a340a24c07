"""B9: the output of one running job, from the process that writes it through agent and gateway to a client of the execution's
event stream: how much gets through, and how late a line is.

What the client did not see live (a viewer that cannot keep up is spared some) is counted too, and the kept output is held
against its seal.
"""

import asyncio
import time

import msgspec

from runyard_bench.client import Client
from runyard_bench.connection import Frame
from runyard_bench.figures.plan import Plan
from runyard_bench.meter import Meter, until_quiet
from runyard_bench.quantities import Row, mebibytes, p50_p99
from runyard_bench.system import System
from runyard_bench.workflows import Wrong, publish, start_request, started

PATIENCE_SECONDS = 180.0
LINE_EVERY_SECONDS = 0.01
FLOOD = "yes 'a line of ordinary length, such as a build or a backup writes by the thousand, with 0123456789' | head -c {size}"
TICKS = "for i in $(seq {count}); do echo $EPOCHREALTIME; sleep {every}; done"


class _Output(msgspec.Struct):
    text: str
    offset: int


_decode = msgspec.json.Decoder(_Output).decode


class _Viewer:
    """Counts what it is shown; `lines` are the delays of lines that begin with the time they were written at."""

    def __init__(self, *, timed: bool) -> None:
        self.bytes = 0
        self.delays: list[float] = []
        self.first_at = self.last_at = 0.0
        self.ended = asyncio.Event()
        self._timed = timed
        self._rest = ""

    def hear(self, frame: Frame) -> None:
        if frame.event == "end":
            self.ended.set()
        if frame.event != "output":
            return
        output = _decode(frame.data)
        self.first_at = self.first_at or frame.received_at
        self.last_at = frame.received_at
        self.bytes += len(output.text.encode())
        if self._timed:
            *lines, self._rest = (self._rest + output.text).split("\n")
            self.delays += [frame.received_at - float(line) for line in lines if line]


async def live_output(system: System, plan: Plan) -> list[Row]:
    """B9."""
    client = Client(system.address, system.token)
    try:
        await until_quiet(system.parts)
        ticks = await _watch(client, TICKS.format(count=plan.lines, every=LINE_EVERY_SECONDS), timed=True)
        with Meter(system.parts) as meter:
            flood = await _watch(client, FLOOD.format(size=plan.output_bytes), timed=False)
    finally:
        client.close()
    if len(ticks.delays) < plan.lines * 0.9:
        raise Wrong(f"only {len(ticks.delays)} of {plan.lines} lines were seen live")
    seconds = flood.last_at - flood.first_at
    rate = flood.bytes / 2**20 / seconds if seconds else 0.0
    seen = f"{mebibytes(flood.bytes)} of {mebibytes(plan.output_bytes)} seen live in {seconds:.1f} s; {meter.usage.noise}"
    return [
        Row("B9", "live output of one job", f"{rate:.1f} MiB/s", seen),
        Row("B9", "  delay of a line, p50 / p99", p50_p99(ticks.delays), f"{len(ticks.delays)} lines, one each 10 ms"),
    ]


async def _watch(client: Client, script: str, *, timed: bool) -> _Viewer:
    viewer = _Viewer(timed=timed)
    job = {"id": "talk", "type": "action", "action": "script.bash", "params": {"script": f"sleep 0.5; {script}"}}
    document = {"name": f"Bench output {time.time()}", "nodes": [job], "edges": [{"from": "trigger", "to": "talk"}]}
    workflow_id = await publish(client, document)
    execution_id = started(await client.send(start_request(client, workflow_id))).execution_id
    async with asyncio.timeout(PATIENCE_SECONDS), client.stream(f"/executions/{execution_id}/events", viewer.hear):
        await viewer.ended.wait()
    return viewer
