"""What there is to choose from: kinds of connections and types of actions, with the JSON Schemas that forms are made from."""

from collections.abc import Callable, Sequence
from functools import cache
from inspect import getdoc
from typing import Any

from runyard_shared.contracts.actions import ACTIONS
from runyard_shared.contracts.connections import CONNECTION_KINDS
from starlette.types import ASGIApp

from runyard_gateway import answers
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.catalog import CatalogQueries


class Kinds:
    def __init__(self, catalogs: CatalogQueries) -> None:
        self._catalogs = catalogs

    def operations(self) -> Sequence[Operation]:
        return (
            _operation("/api/v1/connection-types", self.connection_types, "listConnectionTypes", "connections",
                       "The kinds of connections, with what each is configured with", answers.ConnectionTypeList),
            _operation("/api/v1/action-types", self.action_types, "listActionTypes", "workflows",
                       "The types of actions, those that came with Runyard and those that agents announced",
                       answers.ActionTypeList),
        )  # fmt: skip

    async def connection_types(self, call: Call) -> ASGIApp:
        return json_answer(_connection_types())

    async def action_types(self, call: Call) -> ASGIApp:
        announced = [
            answers.ActionTypeRow(
                type=each.type,
                description=each.description,
                params=each.params,
                output=each.output,
                connections=each.connections,
                needs_connection=each.needs_connection,
                built_in=False,
            )
            for each in await self._catalogs.announced_actions(call.tenant_id)
            if each.type not in ACTIONS
        ]
        rows = sorted([*_built_in_actions(), *announced], key=lambda each: each.type)
        return json_answer(answers.ActionTypeList(items=rows))


@cache
def _connection_types() -> answers.ConnectionTypeList:
    items = [
        answers.ConnectionType(kind=kind, config=each.config.model_json_schema(), secrets=each.secrets.model_json_schema())
        for kind, each in sorted(CONNECTION_KINDS.items())
    ]
    return answers.ConnectionTypeList(items=items)


@cache
def _built_in_actions() -> Sequence[answers.ActionTypeRow]:
    return [
        answers.ActionTypeRow(
            type=action_type,
            description=getdoc(spec.params) or "",
            params=spec.params.model_json_schema(),
            output=spec.output.model_json_schema(mode="serialization"),
            connections=list(spec.connections),
            needs_connection=spec.needs_connection,
            built_in=True,
        )
        for action_type, spec in ACTIONS.items()
    ]


def _operation(path: str, handle: Callable[[Call], Any], name: str, tag: str, summary: str, answer: Any) -> Operation:
    return Operation(
        method="GET", path=path, handle=handle, name=name, summary=summary, tag=tag, answer=answer, permission=Permission.VIEW
    )
