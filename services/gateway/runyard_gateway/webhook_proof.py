"""How a sender of a webhook proves that it has the secret: it shows it, or it signs the raw body with it.

Of a secret that is shown only a hash is stored. One that signs must be readable here: the gateway's secret encrypts it.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from hashlib import sha256
from secrets import token_urlsafe

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from runyard_shared.errors import Unavailable

from runyard_gateway.http.problems import Unauthorized
from runyard_gateway.secret import Secret
from runyard_gateway.webhook_presets import Auth, Headers, Preset

MAX_FUTURE_SECONDS = 60
PURPOSE = "webhook secrets"


def new_webhook_key() -> str:
    """The last part of the address."""
    return f"whk_{token_urlsafe(24)}"


def new_webhook_secret() -> str:
    return f"whs_{token_urlsafe(32)}"


class WebhookProofs:
    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    async def stored(self, auth: Auth, secret: str) -> bytes:
        """What the database may hold of it. Raises `Unavailable`."""
        return _digest(secret.encode()) if auth == "bearer" else (await self._fernet()).encrypt(secret.encode())

    async def is_current(self, stored: bytes) -> bool:
        """Whether the secret is encrypted under the newest key. Raises `Unavailable`."""
        return _opens(Fernet(urlsafe_b64encode((await self._secret.keys(PURPOSE))[0])), stored)

    async def renewed(self, stored: bytes) -> bytes | None:
        """The same secret under the newest key; None if no key opens it. Raises `Unavailable`."""
        fernet = await self._fernet()
        return fernet.rotate(stored) if _opens(fernet, stored) else None

    async def check(self, auth: Auth, preset: Preset, stored: Iterable[bytes], headers: Headers, content: bytes) -> None:
        """Raises `Unauthorized` unless it is one of these secrets, and `Unavailable`."""
        if auth == "bearer":
            scheme, _, given = headers.get(b"authorization", b"").partition(b" ")
            digest = _digest(given.strip())
            proven = scheme.lower() == b"bearer" and any(hmac.compare_digest(digest, each) for each in stored)
            expected = "the secret of this webhook as Authorization: Bearer <secret>"
        else:
            given = headers.get(preset.signature, b"").strip().removeprefix(b"sha256=").lower()
            timestamp = headers.get(preset.timestamp) if preset.timestamp else None
            signed = content if timestamp is None else timestamp + b"." + content
            proven = any(hmac.compare_digest(_signature(each, signed), given) for each in await self._opened(stored))
            expected = f"the HMAC-SHA256 of the raw body, in hex, as {preset.signature.decode()}: sha256=<hex>"
        if not proven:
            raise Unauthorized(f"Send {expected}.")

    async def _opened(self, stored: Iterable[bytes]) -> list[bytes]:
        fernet = await self._fernet()
        try:
            return [fernet.decrypt(each) for each in stored]
        except InvalidToken:
            raise Unavailable("the webhook was made under another RUNYARD_GATEWAY_SECRET: set that one, or rotate it") from None

    async def _fernet(self) -> MultiFernet:
        return MultiFernet([Fernet(urlsafe_b64encode(key)) for key in await self._secret.keys(PURPOSE)])


def require_recent(preset: Preset, headers: Headers, max_age_seconds: int, now: float) -> None:
    """Raises `Unauthorized` without a timestamp, or with one that is too old or of the future: that may be a replay."""
    given = headers.get(preset.timestamp, b"")
    age = now - int(given) if given.isdigit() and len(given) <= len("9999999999") else None
    if age is None or not -MAX_FUTURE_SECONDS <= age <= max_age_seconds:
        name = preset.timestamp.decode()
        raise Unauthorized(
            f"Send the time in Unix seconds as {name}, no older than {max_age_seconds} s, and sign <time>.<raw body>."
        )


def _opens(fernet: Fernet | MultiFernet, stored: bytes) -> bool:
    try:
        fernet.decrypt(stored)
    except InvalidToken:
        return False
    return True


def _digest(secret: bytes) -> bytes:
    return sha256(secret).digest()


def _signature(secret: bytes, signed: bytes) -> bytes:
    return hmac.digest(secret, signed, "sha256").hex().encode()
