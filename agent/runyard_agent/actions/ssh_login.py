"""Opens ssh connections: where to, as whom, with what, and which host keys are trusted.

No host is trusted because it is there: its key must be in the `known_hosts` lines of the connection, or, if that has none, in
the agent's own file. Nothing is sent to a host before its key is checked. A key that is not known and a key that is not the
one known are different things and are said in different words: the second may be an attack.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from weakref import WeakValueDictionary

import asyncssh
from runyard_shared.contracts.actions import SshParams
from runyard_shared.contracts.connections import OpenedConnection, SshConfig, SshSecrets
from runyard_shared.errors import RunyardError

from runyard_agent.actions.base import InvalidParams
from runyard_agent.actions.causes import cause_of
from runyard_agent.actions.opened import opened
from runyard_agent.settings import Settings

_KEEPALIVE_SECONDS: Final = 15
_SSH_PORT: Final = 22
_HOST_KEYS: Final = "+ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256,ssh-rsa"
"""Of the kinds that are known for the host, else of any: a host that shows another kind than it did has changed its key."""
_LOGINS_AT_ONCE: Final = 4
"""To one host. An OpenSSH server drops connections when 10 of them have not yet logged in (`MaxStartups`)."""


class NoLogin(RunyardError):
    """There is no connection to the host. The text says why and what to do; `reason` is one of `ErrorInfo`."""

    def __init__(self, message: str, reason: str = "exception") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, repr=False)
class Login:
    """`port` and `username`: None for what ssh's own configuration says. `options`: for asyncssh, with secrets in it.

    `known_in` and `with_what` name where the host keys and the credentials come from.
    """

    host: str
    port: int | None
    username: str | None
    known_hosts: asyncssh.SSHKnownHosts
    known_in: str
    with_what: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def target(self) -> str:
        return f"{self.host}:{self.port or _SSH_PORT}"


class SshDoor:
    """Logs in, to each host a few at once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def open(
        self, params: SshParams | None, connection: OpenedConnection | None
    ) -> AsyncIterator[tuple[Login, asyncssh.SSHClientConnection]]:
        """A connection that is logged in, closed at the end. What `params` do not say is said by `connection`, and what that
        does not say by the settings. Raises `InvalidParams` and `NoLogin`."""
        # Deriving a key from a passphrase takes a while of pure computing.
        login = await asyncio.to_thread(login_for, params, connection, self._settings)
        turn = self._turns.setdefault(login.target, asyncio.Semaphore(_LOGINS_AT_ONCE))
        async with turn:
            client = await _connect(login, self._settings.ssh_connect_timeout_seconds)
        async with client:
            yield login, client


def login_for(params: SshParams | None, connection: OpenedConnection | None, settings: Settings) -> Login:
    """How to log in. Reads files. Raises `InvalidParams`, and `NoLogin` for what is wrong on this agent's host."""
    config, secrets = opened(connection, SshConfig, SshSecrets) if connection is not None else (SshConfig(), SshSecrets())
    host = (params and params.host) or config.host
    if host is None:
        where = "and neither does its connection" if connection is not None else "and there is no connection that does"
        raise InvalidParams(f"host: the job names none, {where}")
    port = (params and params.port) or (config.port if connection is not None else None)
    username = (params and params.username) or config.username or settings.ssh_username
    options, with_what = _credentials(connection, secrets, settings)
    known_hosts, known_in = _known_hosts(connection, config, settings)
    return Login(host, port, username, known_hosts, known_in, with_what, options)


def _credentials(connection: OpenedConnection | None, secrets: SshSecrets, settings: Settings) -> tuple[dict[str, Any], str]:
    """Those of the connection if it has any, and then no others; else the agent's own."""
    if connection is None or (secrets.private_key is None and secrets.password is None):
        own = {"client_keys": [str(path) for path in settings.ssh_identity_files]} if settings.ssh_identity_files else {}
        return own, "this agent's own ssh keys"
    options: dict[str, Any] = {"client_keys": None, "agent_path": None, "password": secrets.password}
    named = []
    if secrets.private_key is not None:
        options["client_keys"] = [_private_key(connection, secrets.private_key, secrets.passphrase)]
        named.append("private key")
    if secrets.password is not None:
        named.append("password")
    return options, f"the {' and the '.join(named)} of the connection {connection.name!r}"


def _private_key(connection: OpenedConnection, private_key: str, passphrase: str | None) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(private_key.strip() + "\n", passphrase)
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as error:
        hint = "" if passphrase is None else " (is the passphrase right?)"
        raise InvalidParams(f"connection {connection.name!r}: secrets.privateKey: {error}{hint}") from None


def _known_hosts(
    connection: OpenedConnection | None, config: SshConfig, settings: Settings
) -> tuple[asyncssh.SSHKnownHosts, str]:
    if connection is not None and config.known_hosts is not None and config.known_hosts.strip():
        try:
            return asyncssh.import_known_hosts(config.known_hosts), f"the known hosts of the connection {connection.name!r}"
        except ValueError as error:
            raise InvalidParams(f"connection {connection.name!r}: config.knownHosts: {error}") from None
    path = settings.ssh_known_hosts or Path("~/.ssh/known_hosts").expanduser()
    known_in = f"{path} on this agent's host"
    try:
        return asyncssh.read_known_hosts(str(path)), known_in
    except FileNotFoundError:
        return asyncssh.SSHKnownHosts(), known_in
    except (OSError, ValueError) as error:
        raise NoLogin(f"the known hosts cannot be read: {path}: {cause_of(error)}") from None


class _Watcher(asyncssh.SSHClient):
    """Keeps the host key that was refused."""

    def __init__(self) -> None:
        self.refused: tuple[str, str, int, asyncssh.SSHKey] | None = None

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.refused = (host, addr, port, key)
        return False


async def _connect(login: Login, timeout_seconds: float) -> asyncssh.SSHClientConnection:
    watcher = _Watcher()
    options = dict(login.options)
    if login.username is not None:
        options["username"] = login.username
    if login.port is not None:
        options["port"] = login.port
    try:
        # known_hosts is always given: without it ssh's configuration could say that every host is trusted.
        return await asyncssh.connect(
            login.host,
            known_hosts=login.known_hosts,
            server_host_key_algs=_HOST_KEYS,
            client_factory=lambda: watcher,
            connect_timeout=timeout_seconds,
            login_timeout=0,  # the one before covers it
            keepalive_interval=_KEEPALIVE_SECONDS,
            **options,
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise _refused_key(login, watcher, error) from None
    except asyncssh.PermissionDenied:
        user = f"the user {login.username!r}" if login.username is not None else "this agent's user"
        raise NoLogin(
            f"{login.target}: the host does not let {user} in with {login.with_what}: check the user's name there, and that "
            "what it logs in with is allowed there",
            "refused",
        ) from None
    except TimeoutError:
        raise NoLogin(f"{login.target}: no connection within {timeout_seconds:g} s") from None
    except (asyncssh.Error, OSError) as error:
        raise NoLogin(f"{login.target}: {words_of(error)}") from None
    except ValueError as error:  # a key that needs a passphrase, a line of ~/.ssh/config
        raise NoLogin(f"{login.target}: the ssh keys or settings of this agent's host cannot be used: {error}") from None


def words_of(error: asyncssh.Error | OSError) -> str:
    if isinstance(error, asyncssh.Error):
        return error.reason
    return f"{error.filename} on this agent's host: {cause_of(error)}" if error.filename else cause_of(error)


def _refused_key(login: Login, watcher: _Watcher, error: asyncssh.HostKeyNotVerifiable) -> NoLogin:
    if watcher.refused is None:
        words = f"{login.target}: the host's key or certificate is not trusted: {error.reason} (see {login.known_in})"
        return NoLogin(words, "host_key_unknown")
    host, addr, port, key = watcher.refused
    known = login.known_hosts.match(host, addr, _unless_default(port))[0]
    if known:
        instead = " or ".join(sorted({each.get_fingerprint() for each in known}))
        return NoLogin(
            f"ALARM: the host key of {login.target} has CHANGED: it shows {_named(key)}, known is {instead}. Somebody may be "
            "between this agent and the host; nothing was sent to it. Only if you know that the host got a new key: compare "
            f"the fingerprint on the host itself (ssh-keygen -lf), and replace the line in {login.known_in}",
            "host_key_changed",
        )
    pattern = host if port == _SSH_PORT else f"[{host}]:{port}"
    line = f"{pattern} {' '.join(key.export_public_key().decode().split()[:2])}"
    return NoLogin(
        f"{login.target}: the host is not known: {_named(key)} is not in {login.known_in}. Compare the fingerprint with "
        f"that on the host itself (ssh-keygen -lf), then add the line: {line}",
        "host_key_unknown",
    )


def _named(key: asyncssh.SSHKey) -> str:
    return f"its {key.get_algorithm()} key {key.get_fingerprint()}"


def _unless_default(port: int | None) -> int | None:
    return port if port != _SSH_PORT else None
