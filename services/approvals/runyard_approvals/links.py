"""Signed links: whoever holds one may decide one approval, once, without being known (R33).

The token says for which approval and channel it was made and until when it holds, and is signed; nothing of it is stored. What
makes it work once, and revokes it, is the approval: it is decided once.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeSerializer
from runyard_shared.clock import rfc3339
from runyard_shared.errors import Forbidden, Refusal

from runyard_approvals.approval.state import ApprovalState
from runyard_approvals.secret import Secret

LINKS_HOLD: Final = timedelta(days=7)


@dataclass(frozen=True)
class Link:
    """`approver`: who answers by it, as the log will say. `nonce`: the one-time code."""

    approval_id: str
    approver: str
    expires_at: datetime
    nonce: str


class Links:
    def __init__(self, secret: Secret, public_url: str) -> None:
        keys = [*reversed(secret.keys("approval links"))]
        self._serializer = URLSafeSerializer(
            keys, salt="approval-link", signer_kwargs={"digest_method": hashlib.sha256, "key_derivation": "hmac"}
        )
        self._public_url = public_url.rstrip("/")

    def url_for(self, state: ApprovalState, channel: str, now: datetime) -> tuple[str, datetime] | None:
        """A new link for a message to a channel, and until when it holds. None where it matters who answers: a link cannot tell
        several people from one, nor whoever started the execution from somebody else."""
        if state.opened.min_approvals > 1 or state.opened.prevent_self_approval:
            return None
        expires_at = now + LINKS_HOLD
        if state.opened.expires_at is not None:
            expires_at = min(expires_at, datetime.fromisoformat(state.opened.expires_at))
        token = self.sign(Link(state.approval_id, f"link:{channel}", expires_at, secrets.token_urlsafe(9)))
        return f"{self._public_url}/approvals/{state.approval_id}/link/{token}", expires_at

    def sign(self, link: Link) -> str:
        """The token of a link."""
        return self._serializer.dumps([link.approval_id, link.approver, rfc3339(link.expires_at), link.nonce])

    def read(self, approval_id: str, token: str) -> Link:
        """Raises `link_invalid` for a token that was not made here, or for another approval."""
        try:
            content: Any = self._serializer.loads(token)
        except BadSignature:
            content = None
        if content is None or content[0] != approval_id:
            raise Forbidden("link_invalid", "this link is not complete, or was changed; use it as it was sent, or sign in")
        return Link(content[0], content[1], datetime.fromisoformat(content[2]), content[3])


def check_holds(link: Link, now: datetime) -> None:
    """Raises `link_expired`."""
    if link.expires_at <= now:
        detail = f"this link held until {rfc3339(link.expires_at)}; sign in to see what became of the approval"
        raise Refusal("link_expired", detail, 410)
