"""Sealing: what only one reader may see travels and rests in boxes that nobody else can open, their maker included.

A box is a libsodium sealed box (X25519, XSalsa20-Poly1305). Agents make a key pair each; the dispatcher's is derived from its
master key, so a secret is sealed by the gateway, kept as it is, and opened only where a job needs it.
"""

import hashlib

from nacl.bindings import crypto_box_SEALBYTES
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, PublicKey, SealedBox

from runyard_shared.errors import RunyardError

KEY_BYTES = 32


class CannotOpen(RunyardError):
    """The box was sealed for somebody else, or is damaged."""


class CannotSeal(RunyardError):
    """Nobody can have the private half of this public key."""


def seal(public_key: bytes, content: bytes) -> bytes:
    """A box that only the holder of the private key opens; 48 bytes longer than `content`, different each time. Raises
    `CannotSeal` for bytes that are no public key, as are a few of the right length."""
    try:
        return bytes(SealedBox(PublicKey(public_key)).encrypt(content))
    except CryptoError:
        raise CannotSeal("these bytes are no X25519 public key") from None


class OpeningKey:
    """A private key, and its public half for those who seal."""

    def __init__(self, private: bytes) -> None:
        self._private = PrivateKey(private)

    @classmethod
    def generate(cls) -> "OpeningKey":
        return cls(bytes(PrivateKey.generate()))

    @classmethod
    def derived(cls, master: str) -> "OpeningKey":
        """The same master key gives the same pair. `master` is a secret with at least 128 bits of chance in it, no password."""
        return cls(hashlib.blake2b(master.encode(), digest_size=KEY_BYTES, person=b"runyard sealing").digest())

    @property
    def private(self) -> bytes:
        return bytes(self._private)

    @property
    def public(self) -> bytes:
        return bytes(self._private.public_key)

    def open(self, box: bytes) -> bytes:
        """Raises `CannotOpen`."""
        if len(box) < crypto_box_SEALBYTES:
            raise CannotOpen("the sealed box is damaged: it is too short")
        try:
            return bytes(SealedBox(self._private).decrypt(box))
        except CryptoError:
            raise CannotOpen("the sealed box was made for another key, or is damaged") from None


def fingerprint(public_key: bytes) -> str:
    """What people compare, and what an event may hold: 16 hex digits."""
    return hashlib.sha256(public_key).hexdigest()[:16]
