"""The API key of the administrator: given, or made once and kept where only its owner reads it."""

import secrets
from pathlib import Path


def admin_token(data_dir: Path, given: str | None) -> str:
    if given:
        return given
    path = data_dir / "admin-token"
    if not path.exists():
        draft = path.with_name(f"{path.name}.draft")
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(f"ry_{secrets.token_urlsafe(24)}\n")
        draft.rename(path)
    return path.read_text().strip()
