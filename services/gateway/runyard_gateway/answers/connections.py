"""Connections and the types of actions that use them."""

from typing import Any

from runyard_gateway.answers.body import Body, Cursor, Id, Instant, Json


class ConnectionTest(Body):
    """The last one."""

    ok: bool
    message: str
    agent: str
    at: Instant


class Connection(Body):
    """`secrets`: the names of those it has. `pools`: which may use it; empty for all."""

    connection_id: Id
    name: str
    kind: str
    config: Json
    secrets: list[str]
    pools: list[str]
    enabled: bool


class ConnectionRow(Connection):
    description: str
    created_at: Instant
    updated_at: Instant
    tested: ConnectionTest | None


class ConnectionList(Body):
    items: list[ConnectionRow]
    next_cursor: Cursor


class ConnectionTested(Body):
    """`message` is for people."""

    ok: bool
    message: str
    agent: str
    duration_ms: int


class ConnectionType(Body):
    """`config` and `secrets`: JSON Schemas of what a connection of this kind has."""

    kind: str
    config: dict[str, Any]
    secrets: dict[str, Any]


class ConnectionTypeList(Body):
    items: list[ConnectionType]


class ActionTypeRow(Body):
    """`params` and `output`: JSON Schemas. `connections`: the kinds it can use. `builtIn`: it came with Runyard; others are
    announced by agents."""

    type: str
    description: str
    params: dict[str, Any]
    output: dict[str, Any]
    connections: list[str]
    needs_connection: bool
    built_in: bool


class ActionTypeList(Body):
    items: list[ActionTypeRow]
