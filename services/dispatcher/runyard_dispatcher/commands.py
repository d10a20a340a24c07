"""Which function carries out which command of people. Each decides on the board alone, or refuses with words."""

from collections.abc import Callable
from functools import partial
from typing import Any

from runyard_shared.contracts import commands
from runyard_shared.contracts.commands import Command

from runyard_dispatcher import agent_commands, connection_commands, pool_commands
from runyard_dispatcher.board import Board
from runyard_dispatcher.happening import Asked, Decision
from runyard_dispatcher.vault import Vault

Decide = Callable[[Board, Asked, Any], Decision]


class Commands:
    def __init__(self, vault: Vault) -> None:
        self._decide: dict[type[Command], Decide] = {
            commands.CreateAgent: agent_commands.create_agent,
            commands.ChangeAgent: agent_commands.change_agent,
            commands.RotateAgentKey: agent_commands.rotate_agent_key,
            commands.RevokeAgent: agent_commands.revoke_agent,
            commands.DrainAgent: agent_commands.drain_agent,
            commands.ResumeAgent: agent_commands.resume_agent,
            commands.CreatePool: pool_commands.create_pool,
            commands.DeletePool: pool_commands.delete_pool,
            commands.PausePool: pool_commands.pause_pool,
            commands.ResumePool: pool_commands.resume_pool,
            commands.SaveConnection: partial(connection_commands.save_connection, vault=vault),
            commands.EnableConnection: connection_commands.enable_connection,
            commands.DisableConnection: connection_commands.disable_connection,
            commands.DeleteConnection: connection_commands.delete_connection,
        }

    def carry_out(self, board: Board, asked: Asked, command: Command) -> Decision:
        """Raises `Refusal`, and then the board is as it was; `TypeError` for a command that is not for the dispatcher."""
        decide = self._decide.get(type(command))
        if decide is None:
            raise TypeError(f"{type(command).__name__} is not for the dispatcher")
        decision = decide(board, asked, command)
        if decision.happening is not None:
            board.review_due = True
        return decision
