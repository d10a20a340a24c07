"""What people do with connections: save, enable, disable, delete. Pure, but for the vault that tells whose box a box is."""

from typing import Any

from runyard_shared.contracts.commands import DeleteConnection, DisableConnection, EnableConnection, SaveConnection
from runyard_shared.contracts.connections import CONNECTION_KINDS
from runyard_shared.contracts.events import (
    ConnectionChanged,
    ConnectionCreated,
    ConnectionDeleted,
    ConnectionDisabled,
    ConnectionEnabled,
)
from runyard_shared.errors import Conflict, FieldProblem, Invalid, NotFound, Refusal

from runyard_dispatcher.board import Board
from runyard_dispatcher.connections import Connection
from runyard_dispatcher.happening import Asked, Decision, Happening
from runyard_dispatcher.names import in_words, name_problems, pool_problems
from runyard_dispatcher.vault import Vault


def save_connection(board: Board, asked: Asked, command: SaveConnection, vault: Vault) -> Decision:
    connection = None if command.new else known_connection(board, asked.tenant_id, command.connection_id)
    _check(board, asked, command, connection)
    given = {name: box for name, box in command.sealed_secrets.items() if box is not None}
    _check_boxes(given, vault)
    if connection is None:
        connection = Connection(
            connection_id=command.connection_id,
            tenant_id=asked.tenant_id,
            name=command.name,
            kind=command.kind,
            config=command.config,
            pools=command.pools,
            created_at=asked.at,
            updated_at=asked.at,
        )
    else:
        del board.connections[connection.tenant_id, connection.name]
    connection.name = command.name
    connection.config = command.config
    connection.pools = command.pools
    connection.description = command.description
    connection.updated_at = asked.at
    connection.tested = None
    for name, box in command.sealed_secrets.items():
        if box is not None:
            connection.boxes[name] = box
        elif connection.boxes.pop(name, None) is None:
            continue
        board.changes.boxes[connection.connection_id, name] = box
    connection.readable = vault.is_readable(connection)
    board.connections[connection.tenant_id, connection.name] = connection
    board.changes.connections[connection.connection_id] = connection
    secrets = sorted(connection.boxes)
    if command.new:
        return Decision(
            _shown(connection),
            Happening(
                connection,
                ConnectionCreated(
                    name=connection.name,
                    kind=connection.kind,
                    config=connection.config,
                    secrets=secrets,
                    pools=connection.pools,
                    by=asked.actor,
                ),
            ),
        )
    event = ConnectionChanged(
        name=connection.name,
        config=connection.config,
        secrets=secrets,
        changed=sorted(given),
        pools=connection.pools,
        by=asked.actor,
    )
    return Decision(_shown(connection), Happening(connection, event))


def enable_connection(board: Board, asked: Asked, command: EnableConnection) -> Decision:
    connection = known_connection(board, asked.tenant_id, command.connection_id)
    if connection.enabled:
        return Decision(_shown(connection))
    connection.enabled = True
    board.changes.connections[connection.connection_id] = connection
    event = ConnectionEnabled(name=connection.name, by=asked.actor)
    return Decision(_shown(connection), Happening(connection, event))


def disable_connection(board: Board, asked: Asked, command: DisableConnection) -> Decision:
    connection = known_connection(board, asked.tenant_id, command.connection_id)
    if not connection.enabled:
        return Decision(_shown(connection))
    connection.enabled = False
    board.changes.connections[connection.connection_id] = connection
    event = ConnectionDisabled(name=connection.name, by=asked.actor)
    return Decision(_shown(connection), Happening(connection, event))


def delete_connection(board: Board, asked: Asked, command: DeleteConnection) -> Decision:
    connection = known_connection(board, asked.tenant_id, command.connection_id)
    del board.connections[connection.tenant_id, connection.name]
    board.changes.connections[connection.connection_id] = None
    for name in connection.boxes:
        board.changes.boxes.pop((connection.connection_id, name), None)
    event = ConnectionDeleted(name=connection.name, by=asked.actor)
    return Decision(_shown(connection), Happening(connection, event))


def known_connection(board: Board, tenant_id: str, connection_id: str) -> Connection:
    for connection in board.connections.values():
        if connection.connection_id == connection_id and connection.tenant_id == tenant_id:
            return connection
    raise NotFound("connection_not_found", f"there is no connection {connection_id}")


def _check(board: Board, asked: Asked, command: SaveConnection, connection: Connection | None) -> None:
    other = board.connections.get((asked.tenant_id, command.name))
    if other is not None and other is not connection:
        raise Conflict(
            "connection_exists",
            f"there is a connection {command.name} already: choose another name, or change that one",
            connectionId=other.connection_id,
        )
    problems = name_problems("name", command.name)
    if connection is not None and connection.kind != command.kind:
        words = f"connection {connection.name} is of kind {connection.kind} for good: make a new one for another kind"
        problems.append(FieldProblem("kind", words))
    elif command.kind not in CONNECTION_KINDS:
        problems.append(FieldProblem("kind", f"must be one of {', '.join(CONNECTION_KINDS)}"))
    else:
        problems += _secret_problems(command, connection)
    unknown_pools = [
        problem
        for number, pool in enumerate(command.pools)
        for problem in pool_problems(board, asked.tenant_id, f"pools[{number}]", pool)
    ]
    problems += unknown_pools
    if problems:
        raise Invalid("unknown_pool" if unknown_pools else "invalid_connection", in_words(problems), tuple(problems))


def _secret_problems(command: SaveConnection, connection: Connection | None) -> list[FieldProblem]:
    """Of the names alone: the values are sealed, and were checked before."""
    kind = CONNECTION_KINDS[command.kind].secrets
    fields = {field.alias or name: field for name, field in kind.model_fields.items()}
    names = set(connection.boxes) if connection is not None else set()
    for name, box in command.sealed_secrets.items():
        names.discard(name) if box is None else names.add(name)
    problems = [
        FieldProblem(f"secrets.{name}", f"a connection of kind {command.kind} cannot do without it")
        for name, field in fields.items()
        if field.is_required() and name not in names
    ]
    if kind.model_config.get("extra") != "allow":
        problems += [
            FieldProblem(f"secrets.{name}", f"a connection of kind {command.kind} has no such secret")
            for name in sorted(names - set(fields))
        ]
    return problems


def _check_boxes(given: dict[str, bytes], vault: Vault) -> None:
    if not given:
        return
    if vault.public_key is None:
        raise Refusal(
            "no_master_key",
            "secrets cannot be kept without a master key: set RUNYARD_MASTER_KEYS for the dispatcher and restart it",
            503,
        )
    if not all(vault.is_current(box) for box in given.values()):
        raise Conflict(
            "stale_sealing_key",
            "the secrets were sealed for a key that is not the dispatcher's first one (any more): try again",
        )


def _shown(connection: Connection) -> dict[str, Any]:
    return {
        "connectionId": connection.connection_id,
        "name": connection.name,
        "kind": connection.kind,
        "config": connection.config,
        "secrets": sorted(connection.boxes),
        "pools": connection.pools,
        "enabled": connection.enabled,
    }
