"""Roles: the built-in ones, those that a tenant made for itself, and the names that are but labels for approvers."""

import re
from collections.abc import Sequence
from typing import Any

from runyard_shared.clock import Clock
from runyard_shared.errors import Conflict, NotFound
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.http.answer import json_answer, nothing_answer
from runyard_gateway.http.doorkeeper import Doorkeeper
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.permissions import ROLES, Permission
from runyard_gateway.queries.roles import RoleQueries

PATH = "/api/v1/roles"
_is_name = re.compile(requests.NAME).match


class Roles:
    def __init__(self, queries: RoleQueries, doorkeeper: Doorkeeper, clock: Clock) -> None:
        self._queries = queries
        self._doorkeeper = doorkeeper
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{roleName}}"
        return (
            _operation("GET", PATH, self.list, "listRoles", "Every role there is, and every name that somebody has as one",
                       answers.RoleList),
            _operation("PUT", one, self.put, "putRole", "Make a role, or replace what it permits", answers.RoleRow,
                       body=requests.PutRole, body_required=True, refusals={404: "role_not_found", 409: "built_in_role"}),
            _operation("DELETE", one, self.delete, "deleteRole", "Whoever has it keeps its name as a label", None, status=204,
                       answer_types=(), refusals={404: "role_not_found", 409: "built_in_role"}),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        found = {role.name: role for role in await self._queries.all(call.tenant_id)}
        items = [_built_in(name, found.pop(name, None)) for name in ROLES]
        items += sorted(found.values(), key=lambda role: role.name)
        return json_answer(answers.RoleList(items=items))

    async def put(self, call: Call) -> ASGIApp:
        body: requests.PutRole = call.body
        name = _name_of(call)
        role = await self._queries.put(call.tenant_id, name, sorted(set(body.permissions)), self._clock.now())
        self._doorkeeper.forget()
        return json_answer(role)

    async def delete(self, call: Call) -> ASGIApp:
        name = _name_of(call)
        if not await self._queries.delete(call.tenant_id, name):
            raise NotFound("role_not_found", f"There is no role {name!r} that was made here.")
        self._doorkeeper.forget()
        return nothing_answer()


def _built_in(name: str, used: answers.RoleRow | None) -> answers.RoleRow:
    users = 0 if used is None else used.users
    return answers.RoleRow(name=name, permissions=sorted(ROLES[name]), built_in=True, is_label=False, users=users)


def _name_of(call: Call) -> str:
    name = call.path["roleName"]
    if name in ROLES:
        raise Conflict("built_in_role", f"The role {name} is built in and stays as it is; make one of another name.")
    if not _is_name(name):
        raise NotFound("role_not_found", "A role has a name of 1 to 200 characters without space, colon or slash.")
    return name


def _operation(method: str, path: str, handle: Any, name: str, summary: str, answer: Any, **options: Any) -> Operation:
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="users", answer=answer,
        permission=Permission.ADMIN, **options,
    )  # fmt: skip
