"""The keys of agents: what one looks like, and how it is known without being kept."""

import secrets
from hashlib import sha256
from typing import Final

PREFIX: Final = "rya_"
"""Tells people, and those who look for leaked secrets, what it is."""


def new_agent_key() -> str:
    """A fresh key with 256 bits of chance in it; whoever makes it shows it once."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(agent_key: str) -> str:
    """SHA-256 in hex: all that is stored, or sent to other services, of a key."""
    return sha256(agent_key.encode()).hexdigest()
