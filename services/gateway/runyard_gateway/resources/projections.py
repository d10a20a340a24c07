"""The read models themselves: how far behind, rebuilt, compared with the log (R69)."""

from collections.abc import Sequence
from typing import Any

import msgspec
from runyard_shared.contracts import commands
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.commands import Commands
from runyard_gateway.database import Row
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.projection_health import UPKEEP_SILENT_SECONDS, status_of
from runyard_gateway.queries.columns import instant
from runyard_gateway.queries.projections import Lag, ProjectionQueries, is_under_way

PATH = "/api/v1/projections"
_REFUSALS = {409: "rebuild_under_way", 422: "unknown_projection"}
_decode_differences = msgspec.json.Decoder(list[answers.ReadModelDifference]).decode


class Projections:
    def __init__(self, commands: Commands, queries: ProjectionQueries) -> None:
        self._commands = commands
        self._queries = queries

    def operations(self) -> Sequence[Operation]:
        return (
            Operation(
                method="GET", path=PATH, handle=self.list, name="listProjections", tag="system", permission=Permission.VIEW,
                answer=answers.ProjectionList, summary="The read models: how far each is behind the log, and why",
            ),
            Operation(
                method="POST", path=f"{PATH}/rebuild", handle=self.rebuild, name="rebuildProjections", tag="system",
                permission=Permission.INSTALLATION, status=202, body=requests.ReadModels, answer=answers.ReadModelNames,
                refusals=_REFUSALS, summary="Make read models anew from the log while the system runs",
            ),
            Operation(
                method="POST", path=f"{PATH}/checksum", handle=self.check, name="checkProjections", tag="system",
                permission=Permission.INSTALLATION, status=202, body=requests.ReadModels, answer=answers.ReadModelNames,
                refusals=_REFUSALS, summary="Compare read models with a replay of the log while the system runs",
            ),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        upkeep = await self._queries.upkeep()
        items = [
            _projection(lag, upkeep.get(("rebuild", lag.name)), upkeep.get(("check", lag.name)))
            for lag in await self._queries.lags()
        ]
        return json_answer(answers.ProjectionList(items=items))

    async def rebuild(self, call: Call) -> ASGIApp:
        body: requests.ReadModels = call.body
        return await self._begin(call, commands.RebuildReadModels(names=body.names))

    async def check(self, call: Call) -> ASGIApp:
        body: requests.ReadModels = call.body
        return await self._begin(call, commands.CheckReadModels(names=body.names))

    async def _begin(self, call: Call, command: commands.RebuildReadModels | commands.CheckReadModels) -> ASGIApp:
        result: dict[str, Any] = await self._commands.send_to_projections(call, command)
        return json_answer(answers.ReadModelNames(names=result["names"]), 202)


def _projection(lag: Lag, rebuild: Row | None, check: Row | None) -> answers.Projection:
    status, reason = status_of(lag, rebuild)
    return answers.Projection(
        name=lag.name,
        status=status,
        reason=reason,
        position=lag.position,
        head=lag.head,
        lag_events=lag.events,
        lag_seconds=round(lag.seconds, 3),
        as_of=instant(lag.as_of),
        updated_at=instant(lag.updated_at) or "",
        rebuild=None if rebuild is None else answers.ReadModelRebuild(**_work(rebuild)),
        checksum=None if check is None else answers.ReadModelChecksum(**_work(check), differences=_differences(check)),
    )


def _work(row: Row) -> dict[str, Any]:
    failure = row["failure"]
    if failure is None and row["finished_at"] is None and not is_under_way(row, UPKEEP_SILENT_SECONDS):
        failure = "it was interrupted: its process is gone; start it again"
    return {
        "position": row["position"],
        "head": row["head"],
        "started_by": row["started_by"],
        "started_at": instant(row["started_at"]),
        "finished_at": instant(row["finished_at"]),
        "failure": failure,
    }


def _differences(row: Row) -> list[answers.ReadModelDifference] | None:
    return None if row["differences"] is None else _decode_differences(row["differences"])
