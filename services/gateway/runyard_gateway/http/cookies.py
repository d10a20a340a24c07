"""Cookies of the web app, and what tells a command of our own page from one that another site had the browser send.

The cookie of a session is `__Host-runyard_session` (HttpOnly, Secure, SameSite=Lax); only where the gateway is reached by plain
HTTP on loopback it is `runyard_session` without Secure. A page of another site can neither read it nor the CSRF token that is
derived from it, so a command that comes with both was sent by our own page.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit

from runyard_shared.errors import Forbidden

from runyard_gateway.addresses import is_loopback

MAX_COOKIE = 8192


class CookieJar:
    """How the cookies of this gateway are named and written. `public_url`: where browsers reach it, empty for `host`."""

    def __init__(self, public_url: str, host: str) -> None:
        address = urlsplit(public_url or f"http://{f'[{host}]' if ':' in host else host}")
        self._secure = address.scheme != "http" or not is_loopback(address.hostname or "")
        self._origin = f"{address.scheme}://{address.netloc}".lower() if public_url else None
        self.session = self._named("runyard_session")
        self.sign_in = self._named("runyard_sign_in")

    def _named(self, name: str) -> str:
        return f"__Host-{name}" if self._secure else name

    def header(self, name: str, value: str, seconds: float) -> tuple[bytes, bytes]:
        """Sets a cookie; `seconds` of 0 removes it."""
        secure = "; Secure" if self._secure else ""
        return (b"set-cookie", f"{name}={value}; Path=/; Max-Age={int(seconds)}; HttpOnly; SameSite=Lax{secure}".encode())

    def read(self, headers: Mapping[bytes, bytes], name: str) -> str | None:
        given = headers.get(b"cookie")
        if given is None or len(given) > MAX_COOKIE:
            return None
        for each in given.decode("latin-1").split(";"):
            found, _, value = each.strip().partition("=")
            if found == name:
                return value
        return None

    def require_own_origin(self, headers: Mapping[bytes, bytes]) -> None:
        """Raises `Forbidden` (`csrf`) for what a browser says was sent by the page of another site."""
        origin = headers.get(b"origin")
        if origin is not None:
            given = origin.decode("latin-1").lower()
            host = headers.get(b"host", b"").decode("latin-1").lower()
            if given != self._origin and urlsplit(given).netloc != host:
                raise Forbidden("csrf", "This was sent by a page of another site. Use the one at the gateway's own address.")
        elif headers.get(b"sec-fetch-site") == b"cross-site":
            raise Forbidden("csrf", "This was sent by a page of another site. Use the one at the gateway's own address.")

    def require_csrf(self, headers: Mapping[bytes, bytes], session_token: str) -> None:
        """Raises `Forbidden` (`csrf`) for a command that does not show that our own page sent it."""
        self.require_own_origin(headers)
        given = headers.get(b"x-csrf-token", b"")
        if not hmac.compare_digest(given, csrf_token_of(session_token).encode()):
            raise Forbidden("csrf", "A command with a cookie needs the header X-CSRF-Token; GET /api/v1/session gives it.")


def csrf_token_of(token: str) -> str:
    """What a command must bring as X-CSRF-Token beside the cookie `token`."""
    return urlsafe_b64encode(hmac.digest(token.encode(), b"csrf", "sha256")).rstrip(b"=").decode()
