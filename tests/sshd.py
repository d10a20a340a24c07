"""A real sshd for tests: OpenSSH on an unprivileged port, with generated keys, for the user who runs the tests."""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
