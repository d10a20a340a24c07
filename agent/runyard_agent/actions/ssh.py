"""`ssh.executeCommand`: one command on a remote host, as `ssh host command` runs it. `ssh.executeScript`: a script there."""

from typing import Any

import asyncssh
from runyard_shared.contracts.actions import SshCommandParams, SshParams, SshScriptParams
from runyard_shared.contracts.connections import OpenedConnection

from runyard_agent.actions.base import Action, Context, Outcome, P, ProbeFailed
from runyard_agent.actions.remote import run_remote
from runyard_agent.actions.script import command_outcome
from runyard_agent.actions.ssh_login import NoLogin, SshDoor, words_of
from runyard_agent.actions.ssh_script import remote_script
from runyard_agent.settings import Settings


class _OverSsh(Action[P]):
    """The job ends with the command; what that leaves in the background goes on. A timeout or a forced cancel ends the command
    and all of its process group."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._door = SshDoor(settings)

    async def _run(self, params: SshParams, context: Context, command: str, *, stdin: bytes = b"", what: str) -> Outcome:
        stdout, stderr = context.stream("stdout"), context.stream("stderr")
        try:
            async with self._door.open(params, context.connection) as (login, client):
                try:
                    code = await run_remote(
                        client,
                        command,
                        stdin=stdin,
                        stdout=stdout,
                        stderr=stderr,
                        kill_grace_seconds=self.settings.kill_grace_seconds,
                    )
                except (asyncssh.Error, OSError) as error:
                    return Outcome.failed("exception", f"{login.target}: {words_of(error)}", context.output_so_far())
        except NoLogin as error:
            return Outcome.failed(error.reason, str(error))
        if code is None:
            message = f"{login.target}: the connection was lost; whether {what} ended is not known"
            return Outcome.failed("exception", message, context.output_so_far())
        return command_outcome(stdout, stderr, code, what=what)


class ExecuteCommand(_OverSsh[SshCommandParams], built_in="ssh.executeCommand"):
    """The command runs under the login shell of the user there."""

    async def run(self, params: SshCommandParams, context: Context) -> Outcome:
        return await self._run(params, context, params.command, what="the command")


class ExecuteScript(_OverSsh[SshScriptParams], built_in="ssh.executeScript"):
    """The script runs only once it has arrived whole."""

    async def run(self, params: SshScriptParams, context: Context) -> Outcome:
        command, stdin = remote_script(params)
        return await self._run(params, context, command, stdin=stdin, what="the script")


async def probe_ssh(connection: OpenedConnection, settings: Settings) -> str:
    """Logs in and runs nothing."""
    config: dict[str, Any] = connection.config
    try:
        if not config.get("host"):
            raise ProbeFailed("the connection names no host, so there is nothing to log in to: its jobs name theirs")
        async with SshDoor(settings).open(None, connection) as (login, client):
            return f"logged in to {login.target} as {client.get_extra_info('username')}"
    except NoLogin as error:
        raise ProbeFailed(str(error)) from None
