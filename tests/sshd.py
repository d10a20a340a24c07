"""Real ssh servers for tests: OpenSSH on an unprivileged port, with generated keys, for the user who runs the tests; and one of
asyncssh for passwords, which an OpenSSH server checks against those of the machine."""

import asyncio
import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh


class SshdMissing(Exception):
    """Why there is no sshd, and how to get one."""


@dataclass(frozen=True)
class Sshd:
    """A running server, and what a client needs to trust it and to be let in."""

    port: int
    username: str
    known_hosts: Path
    identity: Path
    process_id: int


@dataclass
class PasswordServer:
    """`tried`: how each login was tried, as (user, password)."""

    username: str
    password: str
    port: int = 0
    known_hosts: str = ""
    tried: list[tuple[str, str]] = field(default_factory=list)


def find_sshd() -> str:
    """The program. Under CI, as root, it is installed if it is missing."""
    found = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    if found is None and os.environ.get("CI") == "true" and os.geteuid() == 0 and shutil.which("apt-get"):
        install = ["apt-get", "install", "-y", "--no-install-recommends", "openssh-server"]
        subprocess.run(install, check=True, env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"})
        found = shutil.which("sshd", path="/usr/sbin")
    if found is None:
        raise SshdMissing("no sshd: install openssh-server")
    return found


@contextmanager
def running_sshd(directory: Path) -> Iterator[Sshd]:
    """An sshd with all its files in `directory`."""
    program = find_sshd()
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    host_key, identity = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    host_key.write_private_key(directory / "host_key")
    identity.write_private_key(directory / "identity")
    identity.write_public_key(directory / "authorized_keys")
    for name in ("host_key", "identity", "authorized_keys"):
        (directory / name).chmod(0o600)
    port = _free_port()
    public = host_key.export_public_key().decode().strip()
    (directory / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}\n")
    (directory / "config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {directory}/host_key\nAuthorizedKeysFile {directory}/authorized_keys\n"
        f"PidFile {directory}/pid\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
        f"SetEnv HOME={directory}\n"  # bash would run the start file of whoever runs the tests, which may take a second
    )
    with (directory / "log").open("wb") as log:
        command = [program, "-D", "-e", "-f", str(directory / "config")]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            _wait_for(port, process, directory / "log")
            yield Sshd(port, getpass.getuser(), directory / "known_hosts", directory / "identity", process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


@asynccontextmanager
async def password_server(*, keyboard_interactive: bool) -> AsyncIterator[PasswordServer]:
    """Lets one user in, who gives the password in one way only, and runs what it is told to."""
    described = PasswordServer("deploy", "correct horse battery")
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    listening = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=lambda: _PasswordChecks(described),
        server_host_keys=[host_key],
        password_auth=not keyboard_interactive,
        kbdint_auth=keyboard_interactive,
        public_key_auth=False,
        process_factory=_run_process,
        encoding=None,
    )
    async with listening:
        described.port = listening.get_port()
        described.known_hosts = f"[127.0.0.1]:{described.port} {host_key.export_public_key().decode()}"
        yield described


class _PasswordChecks(asyncssh.SSHServer):
    def __init__(self, server: PasswordServer) -> None:
        self._server = server
        self._username = ""

    def begin_auth(self, username: str) -> bool:
        self._username = username
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        self._server.tried.append((username, password))
        return (username, password) == (self._server.username, self._server.password)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> tuple[str, str, str, list[tuple[str, bool]]]:
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        return self.validate_password(username, responses[0])


async def _run_process(process: asyncssh.SSHServerProcess[bytes]) -> None:
    command, pipe = ["/bin/sh", "-c", process.command or ""], asyncio.subprocess.PIPE
    running = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe)
    output, errors = await running.communicate()
    process.stdout.write(output)
    process.stderr.write(errors)
    process.exit(running.returncode or 0)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"sshd did not start: {log.read_text()}")
