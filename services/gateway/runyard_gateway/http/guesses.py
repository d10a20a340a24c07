"""Attempts that failed, by the address they came from: a few are anybody's typing errors, more are somebody's guessing.

Keys, tokens, sessions and a long admin token cannot be found by trying, so what opens the gateway opens it always, whoever
else tries from the same address; only the answer to what does not open it changes (429). A short admin token, which is
accepted on loopback alone, is compared only while its address has attempts left.
"""

import time
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from runyard_shared.errors import Refusal

ATTEMPTS = 30
"""That an address may fail in a row."""
SECONDS_EACH = 2.0
"""After which it has one more."""
MAX_ADDRESSES = 10_000


class TooManyAttempts(Refusal):
    """Too much that opens nothing was tried from this address."""

    def __init__(self) -> None:
        seconds = int(SECONDS_EACH)
        super().__init__(
            "too_many_attempts",
            f"Too many unknown keys came from this address. Try again in {seconds} seconds, with a valid key.",
            429,
            extra={"retryAfterSeconds": seconds},
        )


class Guesses:
    def __init__(self) -> None:
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def may_try(self, source: str) -> bool:
        """Whether the address has an attempt left."""
        return self._now(_network(source)) >= 1

    def failed(self, source: str) -> None:
        """Counts one more. Raises `TooManyAttempts` if it was one too many."""
        network = _network(source)
        left = self._now(network)
        if left < 1:
            raise TooManyAttempts
        self._left[network] = (left - 1, time.monotonic())
        self._left.move_to_end(network)
        if len(self._left) > MAX_ADDRESSES:
            self._left.popitem(last=False)

    def _now(self, network: str) -> float:
        left, at = self._left.get(network, (float(ATTEMPTS), 0.0))
        return min(float(ATTEMPTS), left + (time.monotonic() - at) / SECONDS_EACH)


def _network(source: str) -> str:
    """An IPv6 host has 2^64 addresses to try from: they count as one."""
    try:
        address = ip_address(source)
    except ValueError:
        return source
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(int(address) >> 64)
    return source
