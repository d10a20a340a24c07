"""The dispatcher's master keys, and the one place where secrets are open: between the box they rest in and the agent's.

The first key is the one that secrets are sealed for; the others open what was sealed before the last rotation.
"""

import msgspec
from runyard_shared.contracts.connections import OpenedConnection
from runyard_shared.sealing import CannotOpen, OpeningKey, seal

from runyard_dispatcher.connections import Connection


class Vault:
    """`master_keys`: comma-separated, the newest first; empty for none."""

    def __init__(self, master_keys: str = "") -> None:
        self._keys = [OpeningKey.derived(key) for part in master_keys.split(",") if (key := part.strip())]

    @property
    def public_key(self) -> bytes | None:
        """Whom secrets are sealed for on their way here; None without a master key."""
        return self._keys[0].public if self._keys else None

    def is_current(self, box: bytes) -> bool:
        """Whether the box was sealed for the first key."""
        return bool(self._keys) and _opened(self._keys[0], box) is not None

    def is_readable(self, connection: Connection) -> bool:
        return all(any(_opened(key, box) is not None for key in self._keys) for box in connection.boxes.values())

    def seal_for(self, public_key: bytes, connection: Connection) -> bytes:
        """The connection with its secrets, for the holder of that key alone. Raises `CannotOpen`."""
        opened = OpenedConnection(
            name=connection.name,
            kind=connection.kind,
            config=connection.config,
            secrets={name: self._open(box) for name, box in connection.boxes.items()},
        )
        return seal(public_key, msgspec.json.encode(opened))

    def resealed(self, box: bytes) -> bytes:
        """The same secret for the first key. Raises `CannotOpen`."""
        return seal(self._keys[0].public, self._open(box).encode())

    def _open(self, box: bytes) -> str:
        for key in self._keys:
            if (secret := _opened(key, box)) is not None:
                return secret
        raise CannotOpen("the sealed box was made for a master key that is not there, or is damaged")


def _opened(key: OpeningKey, box: bytes) -> str | None:
    """None if it is not for this key, or holds no text."""
    try:
        return key.open(box).decode()
    except (CannotOpen, UnicodeDecodeError):
        return None
