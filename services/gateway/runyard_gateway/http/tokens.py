"""Bearer tokens of the identity provider: verified with its keys, and remembered for a moment."""

import time
from collections import OrderedDict
from hashlib import sha256

from runyard_gateway.http.identity import MAX_REMEMBERED, REMEMBER_SECONDS, Identity
from runyard_gateway.oidc.issuer import LEEWAY_SECONDS, Issuer
from runyard_gateway.oidc.people import People


class Tokens:
    """Those that were made for `audience`."""

    def __init__(self, issuer: Issuer, people: People, audience: str) -> None:
        self._issuer = issuer
        self._people = people
        self._audience = audience
        self._remembered: OrderedDict[bytes, tuple[float, Identity]] = OrderedDict()

    async def identify(self, token: bytes) -> Identity | None:
        """None for what is no token at all. Raises `Unauthorized` and `Forbidden`, which say what is wrong with it, and
        `Unavailable`."""
        if not self._audience or token.count(b".") != 2 or not token.startswith(b"ey"):
            return None
        digest = sha256(token).digest()
        remembered = self._remembered.get(digest)
        if remembered is not None and remembered[0] > time.monotonic():
            return remembered[1]
        asked_at = time.monotonic()
        claims = await self._issuer.verify(token.decode("latin-1"), self._audience)
        identity = await self._people.identity(claims, digest)
        self._remembered[digest] = (asked_at + REMEMBER_SECONDS, identity)
        self._remembered.move_to_end(digest)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return identity

    async def still(self, identity: Identity) -> Identity | None:
        """The same person again, as long as the token has not expired."""
        until = identity.credential.until
        if until is not None and until + LEEWAY_SECONDS < time.time():
            return None
        return await self._people.again(identity)

    def forget(self) -> None:
        self._remembered.clear()
