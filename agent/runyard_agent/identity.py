"""Who this agent is, kept in its state directory: the key pair that connections are sealed for, and what was enrolled last.

Files are replaced whole and can be read by this user alone. One process uses a state directory at a time: a second one would
be the same agent twice.
"""

import fcntl
import os
import tempfile
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

import msgspec
import structlog
from runyard_shared.contracts.link import Enrolment
from runyard_shared.errors import RunyardError
from runyard_shared.sealing import KEY_BYTES, OpeningKey

log = structlog.get_logger(__name__)

_KEY: Final = "key"
_ENROLMENT: Final = "enrolment.json"
_LOCK: Final = "lock"


class StateUnusable(RunyardError):
    """The state directory cannot be used; the text says what to do."""


class StateInUse(StateUnusable):
    """Another process of this agent uses it."""


class Identity:
    """The state directory of this process. `key`: made when there is none."""

    def __init__(self, directory: Path, key: OpeningKey, lock: int) -> None:
        self.directory = directory
        self.key = key
        self._lock = lock

    @classmethod
    def open(cls, directory: Path) -> "Identity":
        """Raises `StateUnusable`, `StateInUse`."""
        prepare(directory)
        lock = _lock(directory)
        try:
            return cls(directory, read_key(directory) or _new_key(directory), lock)
        except BaseException:
            os.close(lock)
            raise

    def remember(self, enrolment: Enrolment) -> None:
        _write(self.directory / _ENROLMENT, msgspec.json.encode(enrolment))

    def close(self) -> None:
        """Another process may use the directory from now on."""
        os.close(self._lock)


def prepare(directory: Path) -> None:
    """Make it, for this user alone, and try whether it can be written to. Raises `StateUnusable`."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_mode & 0o077:
            directory.chmod(0o700)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as problem:
        raise StateUnusable(
            f"the state directory {directory} cannot be used: {problem.strerror or problem}. Make it writable for this user "
            "alone, or choose another with RUNYARD_AGENT_STATE_DIR"
        ) from None


def is_in_use(directory: Path) -> bool:
    """Whether a process of the agent uses it now."""
    try:
        os.close(_lock(directory))
    except StateInUse:
        return True
    return False


def read_key(directory: Path) -> OpeningKey | None:
    """None if there is none yet. Raises `StateUnusable`."""
    path = directory / _KEY
    try:
        private = b64decode(path.read_bytes().strip(), validate=True)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as problem:
        raise StateUnusable(f"the agent's private key in {path} cannot be read: {problem}") from None
    if len(private) != KEY_BYTES:
        raise StateUnusable(f"the agent's private key in {path} is damaged: remove the file, and the agent makes a new one")
    return OpeningKey(private)


def read_enrolment(directory: Path) -> Enrolment | None:
    """What was enrolled last; None if nothing was."""
    path = directory / _ENROLMENT
    try:
        return msgspec.json.decode(path.read_bytes(), type=Enrolment)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, msgspec.DecodeError) as problem:
        log.warning("what was enrolled last cannot be read", path=str(path), reason=str(problem))
        return None


def _new_key(directory: Path) -> OpeningKey:
    key = OpeningKey.generate()
    _write(directory / _KEY, b64encode(key.private) + b"\n")
    return key


def _lock(directory: Path) -> int:
    """Held until it is closed, or the process ends in whatever way."""
    lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StateInUse(
            f"another process uses the state directory {directory}: each agent needs one of its own (RUNYARD_AGENT_STATE_DIR)"
        ) from None
    return lock


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, whenever the power fails. Temporary files can be read by this user alone."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)
