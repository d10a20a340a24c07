"""The pages behind a signed link: one document without scripts or anything from elsewhere, small screens and dark mode first.

Every value that is not ours is escaped here, where the text becomes HTML.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Final

CSP: Final = b"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

_DECISIONS: Final = {"approved": "approved", "rejected": "rejected", "expired": "expired unanswered", "cancelled": "cancelled"}

_STYLE: Final = """\
:root{color-scheme:light dark;--back:#f4f5f7;--card:#fff;--text:#1b1f24;--dim:#57606a;--line:#8c959f;
--yes:#1a7f37;--no:#b3261e}
@media (prefers-color-scheme:dark){:root{--back:#0d1117;--card:#161b22;--text:#e6edf3;--dim:#9da7b1;--line:#6e7681;
--yes:#238636;--no:#c93c37}}
*{box-sizing:border-box}
body{margin:0;background:var(--back);color:var(--text);font:16px/1.5 system-ui,sans-serif}
main{max-width:36rem;margin:0 auto;padding:1.5rem 1rem}
section{background:var(--card);border-radius:.75rem;padding:1.25rem;overflow-wrap:anywhere}
h1{font-size:1.25rem;margin:0 0 .75rem}
.message{white-space:pre-wrap;margin:0 0 1rem;padding:.75rem;border-left:4px solid var(--line)}
.dim{color:var(--dim);margin:0 0 1rem}
label{display:block;font-weight:600;margin-bottom:.25rem}
textarea{width:100%;min-height:5rem;font:inherit;padding:.5rem;border:1px solid var(--line);border-radius:.5rem;
background:var(--back);color:inherit}
.buttons{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1rem}
button{flex:1 1 8rem;min-height:3rem;font:inherit;font-weight:600;color:#fff;border:0;
border-radius:.5rem;cursor:pointer}
.yes{background:var(--yes)}.no{background:var(--no)}
:focus-visible{outline:3px solid #4c8dff;outline-offset:2px}"""


@dataclass(frozen=True)
class Asked:
    """What a link asks, and whom. `expires_at` RFC 3339, None for never."""

    workflow_name: str
    message: str
    approver: str
    expires_at: str | None


def confirm(asked: Asked, max_note: int) -> str:
    """The form that decides."""
    expires = f" The request expires at {_instant(asked.expires_at)}." if asked.expires_at else ""
    who = f"You answer as {_person(asked.approver)}." if asked.approver else ""
    return _document(
        f"{asked.workflow_name} asks for approval",
        f'<p class="message">{escape(asked.message)}</p><p class="dim">{who}{expires}</p>'
        '<form method="post" autocomplete="off">'
        f'<label for="note">Note (optional)</label><textarea id="note" name="note" maxlength="{max_note}"></textarea>'
        '<div class="buttons"><button class="yes" name="decision" value="approved">Approve</button>'
        '<button class="no" name="decision" value="rejected">Reject</button></div></form>',
    )


def thanks(decision: str, more: int) -> str:
    """`more`: how many other people still have to approve."""
    rest = f"{more} more {'person has' if more == 1 else 'people have'} to approve. " if more > 0 else ""
    return _document(f"You have {_DECISIONS[decision]} it", f"<p>{rest}You can close this page.</p>")


def decided(decision: str | None, by: str | None, at: str | None) -> str:
    what = _DECISIONS.get(decision or "", "decided")
    who = f" by {_person(by)}" if by else ""
    when = f" at {_instant(at)}" if at else ""
    return _document("This is already decided", f"<p>The request was {what}{who}{when}. Nothing is left to do.</p>")


def refused(detail: str) -> str:
    return _document("This did not work", f"<p>{escape(detail)}</p>")


def unavailable() -> str:
    return _document(
        "Not now", "<p>Runyard cannot be reached at the moment, and nothing may have been decided. Try the link again soon.</p>"
    )


def _said(title: str, text: str) -> Callable[[], str]:
    return lambda: _document(title, f"<p>{text}</p>")


_NOT_VALID = _said("This link is not valid", "It may have been cut off on its way. Open it from the message again, whole.")
_EXPIRED = _said("This link has expired", "If the request is still open, answer it in Runyard itself.")
_USED = _said("This link is used up", "A link works once. If the request is still open, answer it in Runyard itself.")

REFUSALS: Final[Mapping[str, Callable[[], str]]] = {
    "link_invalid": _NOT_VALID,
    "approval_not_found": _NOT_VALID,
    "link_expired": _EXPIRED,
    "link_revoked": _EXPIRED,
    "link_used": _USED,
    "already_answered": _said("You have answered already", "Other people still have to; yours is counted."),
}
"""Pages for refusals by their code."""


def _person(name: str) -> str:
    """Who answers by a link is known by the channel it was sent to."""
    channel = name.removeprefix("link:")
    return (
        f"<strong>{escape(name)}</strong>" if channel == name else f"whoever got the link in <strong>{escape(channel)}</strong>"
    )


def _instant(text: str) -> str:
    """`<time>` with `2026-11-22 17:05 UTC`; the text itself if it is no instant."""
    try:
        shown = f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        shown = text
    return f'<time datetime="{escape(text)}">{escape(shown)}</time>'


def _document(title: str, content: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="referrer" content="no-referrer">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><section><h1>{escape(title)}</h1>{content}</section></main></body></html>\n"
    )
