"""Tenants: who shares this installation without seeing each other. For the admin token; others know but their own."""

import re
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any, NamedTuple

import msgspec
from runyard_shared.clock import Clock
from runyard_shared.errors import Conflict, FieldProblem, Invalid, NotFound
from runyard_shared.schedule import timezone_problem
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer
from runyard_gateway.http.api_keys import KEY_PREFIX
from runyard_gateway.http.doorkeeper import Doorkeeper
from runyard_gateway.http.identity import ADMIN
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import PageQuery
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.tenants import TenantQueries

PATH = "/api/v1/tenants"
_is_tenant_id = re.compile(r"^[^\0]{1,200}$").match
_NO_TENANT = {404: "tenant_not_found"}


class PageKey(NamedTuple):
    """The last tenant of a page."""

    tenant_id: Annotated[str, msgspec.Meta(pattern="^[^\0]*$")]


class Tenants:
    def __init__(self, queries: TenantQueries, doorkeeper: Doorkeeper, clock: Clock) -> None:
        self._queries = queries
        self._doorkeeper = doorkeeper
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        one = f"{PATH}/{{tenantId}}"
        return (
            _operation("GET", PATH, self.list, "listTenants", "All tenants of this installation, by id", answers.TenantList,
                       query=PageQuery),
            _operation("POST", PATH, self.create, "createTenant",
                       "A new tenant with a first administrator; this answer shows the key of that one, and no other will",
                       answers.TenantMade, status=201, body=requests.CreateTenant, body_required=True,
                       refusals={409: "tenant_exists"}),
            _operation("GET", one, self.detail, "getTenant", "A tenant", answers.TenantRow, refusals=_NO_TENANT),
            _operation("PATCH", one, self.change, "changeTenant",
                       "Change its name or time zone; keep everybody of it out, or let them in again", answers.TenantRow,
                       body=requests.ChangeTenant, body_required=True, refusals={**_NO_TENANT, 409: "own_tenant"}),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: PageQuery = call.query
        after = decode_cursor(query.cursor, PageKey) or PageKey("")
        rows = await self._queries.page(after.tenant_id, query.limit + 1)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        cursor = encode_cursor(PageKey(rows[-1].tenant_id)) if more else None
        return json_answer(answers.TenantList(items=rows, next_cursor=cursor))

    async def create(self, call: Call) -> ASGIApp:
        body: requests.CreateTenant = call.body
        _check_time_zone(body.time_zone)
        if body.user == ADMIN:
            problem = FieldProblem("user", f"must not be {ADMIN}, who is the administrator of the admin token")
            raise Invalid("invalid_body", "The first administrator needs another name.", (problem,))
        key, key_id = KEY_PREFIX.decode() + secrets.token_urlsafe(32), call.new_id()
        made = await self._queries.add(
            body.tenant_id, body.name, body.time_zone, self._clock.now(),
            user=body.user, key_id=key_id, key_sha256=sha256(key.encode()).digest(),
        )  # fmt: skip
        if made is None:
            raise Conflict("tenant_exists", f"There is a tenant {body.tenant_id} already.")
        answer = answers.TenantMade(**msgspec.structs.asdict(made), user=body.user, key_id=key_id, key=key)
        return json_answer(answer, 201)

    async def detail(self, call: Call) -> ASGIApp:
        tenant_id = _tenant_id_of(call)
        found = await self._queries.tenant(tenant_id)
        if found is None:
            raise _no_tenant(tenant_id)
        return json_answer(found)

    async def change(self, call: Call) -> ASGIApp:
        body: requests.ChangeTenant = call.body
        tenant_id = _tenant_id_of(call)
        if body.time_zone is not None:
            _check_time_zone(body.time_zone)
        if body.disabled and tenant_id == call.tenant_id:
            raise Conflict("own_tenant", f"{tenant_id} is the tenant of the admin token, and cannot be disabled.")
        changed = await self._queries.change(tenant_id, body.name, body.time_zone, body.disabled)
        if changed is None:
            raise _no_tenant(tenant_id)
        self._doorkeeper.forget()
        return json_answer(changed)


def _check_time_zone(name: str) -> None:
    trouble = timezone_problem(name)
    if trouble is not None:
        raise Invalid("invalid_body", "The tenant needs a time zone that exists.", (FieldProblem("timeZone", trouble),))


def _tenant_id_of(call: Call) -> str:
    tenant_id = call.path["tenantId"]
    if not _is_tenant_id(tenant_id):
        raise _no_tenant(tenant_id[:50])
    return tenant_id


def _no_tenant(tenant_id: str) -> NotFound:
    return NotFound("tenant_not_found", f"There is no tenant {tenant_id!r}.")


def _operation(method: str, path: str, handle: Any, name: str, summary: str, answer: Any, **options: Any) -> Operation:
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="tenants", answer=answer,
        permission=Permission.INSTALLATION, **options,
    )  # fmt: skip
