"""`ssh.executeCommand`: one command on a remote host, as `ssh host command` runs it."""

from typing import Any, Final

import asyncssh
from runyard_shared.contracts.actions import SshCommandParams

from runyard_agent.actions.base import Action, Context, Outcome
from runyard_agent.actions.causes import cause_of
from runyard_agent.actions.remote import run_remote
from runyard_agent.actions.script import command_outcome

_KEEPALIVE_SECONDS: Final = 15


class ExecuteCommand(Action[SshCommandParams], built_in="ssh.executeCommand"):
    """The host's key must be known (`ssh_known_hosts`). The job ends with the command; what that leaves in the background goes
    on. A timeout or a forced cancel ends the command and all of its process group."""

    async def run(self, params: SshCommandParams, context: Context) -> Outcome:
        target = f"{params.host}:{params.port}"
        stdout, stderr = context.stream("stdout"), context.stream("stderr")
        try:
            async with await self._connect(params) as connection:
                code = await run_remote(
                    connection,
                    params.command,
                    stdout=stdout,
                    stderr=stderr,
                    kill_grace_seconds=self.settings.kill_grace_seconds,
                )
        except asyncssh.HostKeyNotVerifiable as error:
            return Outcome.failed("exception", f"{target}: the host's key is not trusted by this agent: {error.reason}")
        except asyncssh.PermissionDenied as error:
            return Outcome.failed("exception", f"{target}: the host does not let this agent in: {error.reason}")
        except TimeoutError:
            return Outcome.failed(
                "exception", f"{target}: no connection within {self.settings.ssh_connect_timeout_seconds:g} s"
            )
        except (asyncssh.Error, OSError) as error:
            words = error.reason if isinstance(error, asyncssh.Error) else cause_of(error)
            return Outcome.failed("exception", f"{target}: {words}", context.output_so_far())
        if code is None:
            message = f"{target}: the connection was lost; whether the command ended is not known"
            return Outcome.failed("exception", message, context.output_so_far())
        return command_outcome(stdout, stderr, code, what="the command")

    async def _connect(self, params: SshCommandParams) -> asyncssh.SSHClientConnection:
        settings = self.settings
        # What is not given comes from ssh's own configuration. known_hosts must never be None: that would trust every host.
        options: dict[str, Any] = {}
        if settings.ssh_known_hosts is not None:
            options["known_hosts"] = str(settings.ssh_known_hosts)
        if settings.ssh_identity_files:
            options["client_keys"] = [str(path) for path in settings.ssh_identity_files]
        username = params.username or settings.ssh_username
        if username is not None:
            options["username"] = username
        return await asyncssh.connect(
            params.host,
            params.port,
            connect_timeout=settings.ssh_connect_timeout_seconds,
            login_timeout=settings.ssh_connect_timeout_seconds,
            keepalive_interval=_KEEPALIVE_SECONDS,
            **options,
        )
