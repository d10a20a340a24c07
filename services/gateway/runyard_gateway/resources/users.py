"""Users and their API keys: for administrators; and for everybody the own keys, to be seen and revoked."""

import re
import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated, Any, NamedTuple

import msgspec
from runyard_shared.clock import Clock
from runyard_shared.errors import Conflict, FieldProblem, Invalid, NotFound
from starlette.types import ASGIApp

from runyard_gateway import answers, requests
from runyard_gateway.cursor import decode_cursor, encode_cursor
from runyard_gateway.http.answer import json_answer, nothing_answer
from runyard_gateway.http.api_keys import KEY_PREFIX
from runyard_gateway.http.doorkeeper import Doorkeeper
from runyard_gateway.http.identity import ADMIN, distinct
from runyard_gateway.http.operation import Call, Operation
from runyard_gateway.http.query import PageQuery
from runyard_gateway.permissions import Permission
from runyard_gateway.queries.api_keys import NEWEST, ApiKeyQueries, KeyKey
from runyard_gateway.queries.users import UNSET, About, UserChange, UserQueries
from runyard_gateway.resources.path_ids import key_id_of

USERS = "/api/v1/users"
API_KEYS = "/api/v1/api-keys"
OWN_KEYS = "/api/v1/me/api-keys"
_is_name = re.compile(requests.NAME).match
_NO_USER = {404: "user_not_found"}
_NO_KEY = {404: "api_key_not_found"}


class PageKey(NamedTuple):
    """The last user of a page."""

    name: Annotated[str, msgspec.Meta(pattern="^[^\0]*$")]


class Users:
    def __init__(self, users: UserQueries, api_keys: ApiKeyQueries, doorkeeper: Doorkeeper, clock: Clock) -> None:
        self._users = users
        self._api_keys = api_keys
        self._doorkeeper = doorkeeper
        self._clock = clock

    def operations(self) -> Sequence[Operation]:
        one = f"{USERS}/{{userName}}"
        return (
            _operation("GET", USERS, self.list, "listUsers", "Users, by name", answers.UserList, query=PageQuery),
            _operation("POST", USERS, self.create, "createUser", "A new user, who can do nothing before an API key is made",
                       answers.UserRow, status=201, body=requests.CreateUser, body_required=True,
                       refusals={409: "user_exists, subject_taken"}),
            _operation("GET", one, self.detail, "getUser", "A user", answers.UserRow, refusals=_NO_USER),
            _operation("PUT", one, self.replace, "replaceUser", "Replace the roles of a user; disable or enable it",
                       answers.UserRow, body=requests.ReplaceUser, body_required=True, refusals=_NO_USER),
            _operation("PATCH", one, self.change, "changeUser", "Change what is given, and nothing else", answers.UserRow,
                       body=requests.ChangeUser, body_required=True, refusals={**_NO_USER, 409: "subject_taken"}),
            _operation("DELETE", one, self.delete, "deleteUser", "Delete a user with all its API keys", None, status=204,
                       answer_types=(), refusals=_NO_USER),
            _operation("GET", API_KEYS, self.list_keys, "listApiKeys", "API keys, newest first; never the keys themselves",
                       answers.ApiKeyList, query=requests.ApiKeysQuery),
            _operation("POST", API_KEYS, self.create_key, "createApiKey", "A new key; this answer shows it, and no other will",
                       answers.ApiKeyMade, status=201, body=requests.CreateApiKey, body_required=True,
                       refusals={404: "user_not_found"}),
            _operation("DELETE", f"{API_KEYS}/{{keyId}}", self.revoke_key, "revokeApiKey",
                       "Revoke a key; within about a second no gateway takes it any more", answers.ApiKeyRow,
                       refusals=_NO_KEY),
            _operation("GET", OWN_KEYS, self.list_own_keys, "listOwnApiKeys", "One's own API keys, newest first",
                       answers.ApiKeyList, query=PageQuery, permission=None),
            _operation("DELETE", f"{OWN_KEYS}/{{keyId}}", self.revoke_own_key, "revokeOwnApiKey",
                       "Revoke an API key of one's own", answers.ApiKeyRow, refusals=_NO_KEY, permission=None),
        )  # fmt: skip

    async def list(self, call: Call) -> ASGIApp:
        query: PageQuery = call.query
        after = decode_cursor(query.cursor, PageKey) or PageKey("")
        rows = await self._users.page(call.tenant_id, after.name, query.limit + 1)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        return json_answer(answers.UserList(items=rows, next_cursor=encode_cursor(PageKey(rows[-1].name)) if more else None))

    async def create(self, call: Call) -> ASGIApp:
        body: requests.CreateUser = call.body
        made = None
        if body.name != ADMIN:
            about = About(body.email, body.display_name, body.oidc_subject)
            made = await self._users.add(
                call.tenant_id, body.name, distinct(body.roles), body.disabled, self._clock.now(), about, made_as=call.new_id()
            )
        if made is None:
            if body.name != ADMIN and await self._users.user(call.tenant_id, body.name) is None:
                raise Conflict("subject_taken", "Another user has this oidcSubject already.")
            raise Conflict("user_exists", f"There is a user {body.name} already; PUT /users/{body.name} changes its roles.")
        return json_answer(made, 201)

    async def detail(self, call: Call) -> ASGIApp:
        name = _name_of(call)
        found = await self._users.user(call.tenant_id, name)
        if found is None:
            raise _no_user(name)
        return json_answer(found)

    async def replace(self, call: Call) -> ASGIApp:
        body: requests.ReplaceUser = call.body
        return await self._change(call, UserChange(roles=distinct(body.roles), disabled=body.disabled))

    async def change(self, call: Call) -> ASGIApp:
        body: requests.ChangeUser = call.body
        given = body.model_fields_set
        change = UserChange(
            roles=distinct(body.roles) if "roles" in given else None,
            disabled=body.disabled if "disabled" in given else None,
            email=body.email if "email" in given else UNSET,
            display_name=body.display_name if "display_name" in given else UNSET,
            oidc_subject=body.oidc_subject if "oidc_subject" in given else UNSET,
        )
        return await self._change(call, change)

    async def _change(self, call: Call, change: UserChange) -> ASGIApp:
        name = _name_of(call)
        changed = await self._users.change(call.tenant_id, name, change)
        if changed is None:
            raise _no_user(name)
        self._doorkeeper.forget()
        return json_answer(changed)

    async def delete(self, call: Call) -> ASGIApp:
        name = _name_of(call)
        if not await self._users.delete(call.tenant_id, name):
            raise _no_user(name)
        self._doorkeeper.forget()
        return nothing_answer()

    # --- API keys

    async def list_keys(self, call: Call) -> ASGIApp:
        query: requests.ApiKeysQuery = call.query
        return await self._keys(call, query.user)

    async def list_own_keys(self, call: Call) -> ASGIApp:
        return await self._keys(call, call.identity.actor)

    async def _keys(self, call: Call, user: str | None) -> ASGIApp:
        query: PageQuery = call.query
        before = decode_cursor(query.cursor, KeyKey) or NEWEST
        rows = await self._api_keys.page(call.tenant_id, user, before, query.limit + 1)
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        cursor = encode_cursor([rows[-1].key_id]) if more else None
        return json_answer(answers.ApiKeyList(items=rows, next_cursor=cursor))

    async def create_key(self, call: Call) -> ASGIApp:
        body: requests.CreateApiKey = call.body
        now = self._clock.now()
        if body.expires_at is not None and body.expires_at <= now:
            problem = FieldProblem("expiresAt", "is in the past")
            raise Invalid("invalid_body", "The key would never open anything.", (problem,))
        key = KEY_PREFIX.decode() + secrets.token_urlsafe(32)
        made = await self._api_keys.add(
            call.tenant_id, call.new_id(), body.user, sha256(key.encode()).digest(), now, body.expires_at,
            name=body.name, scopes=body.scopes,
        )  # fmt: skip
        if made is None:
            raise _no_user(body.user)
        return json_answer(answers.ApiKeyMade(**msgspec.structs.asdict(made), key=key), 201)

    async def revoke_key(self, call: Call) -> ASGIApp:
        return await self._revoke(call, None)

    async def revoke_own_key(self, call: Call) -> ASGIApp:
        return await self._revoke(call, call.identity.actor)

    async def _revoke(self, call: Call, user: str | None) -> ASGIApp:
        key_id = key_id_of(call)
        revoked = await self._api_keys.revoke(call.tenant_id, key_id, self._clock.now(), user)
        if revoked is None:
            raise NotFound("api_key_not_found", f"There is no API key {key_id}.")
        self._doorkeeper.forget()
        return json_answer(revoked)


def _operation(method: str, path: str, handle: Any, name: str, summary: str, answer: Any, **options: Any) -> Operation:
    return Operation(
        method=method, path=path, handle=handle, name=name, summary=summary, tag="users", answer=answer,
        **{"permission": Permission.ADMIN, **options},
    )  # fmt: skip


def _name_of(call: Call) -> str:
    name = call.path["userName"]
    if not _is_name(name):
        raise _no_user(name[:50])
    return name


def _no_user(name: str) -> NotFound:
    if name == ADMIN:
        why = f"{ADMIN} is whoever holds the admin token, and no user: it is not changed and has no API keys. Make a user."
        return NotFound("user_not_found", why)
    return NotFound("user_not_found", f"There is no user {name!r}.")
