"""Secrets that a local system makes for itself: each in a file of its own that only its owner reads, made once."""

import secrets
from collections.abc import Callable
from pathlib import Path


def admin_token(data_dir: Path, given: str | None) -> str:
    """The API key of the first administrator: the one that is given, or one that is made."""
    return given or kept(data_dir / "admin-token", lambda: f"ry_{secrets.token_urlsafe(24)}")


def master_key(data_dir: Path) -> str:
    """What the secrets of connections are sealed under; beside the database and not in it."""
    return kept(data_dir / "master-key", lambda: secrets.token_urlsafe(32))


def kept(path: Path, make: Callable[[], str]) -> str:
    """What is in the file; made now if it is not there."""
    if not path.exists():
        write(path, make())
    return path.read_text().strip()


def write(path: Path, secret: str) -> None:
    """Whole or not at all, and never readable for others."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(f"{secret}\n")
    draft.replace(path)
