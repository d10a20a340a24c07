"""Drafts say which one they are by an ETag, and are saved over no other one with If-Match (RFC 9110, 8.8.3 and 13.1.1)."""

import re

from runyard_shared.errors import Refusal

from runyard_gateway.http.operation import Call

ETAG = {"ETag": 'The revision of the draft, such as "3"'}
IF_MATCH = {"If-Match": 'Save only over the draft with this ETag, such as "3"; several are separated by commas, * means any'}
NO_REVISION = 0
"""What no draft has: they count from 1."""

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS = re.compile(rf"[\s,]*{_TAG}(?:\s*,[\s,]*{_TAG})*[\s,]*")
_OURS = re.compile(r'(?<!W/)"([1-9][0-9]{0,17})"')


def etag(revision: int) -> tuple[bytes, bytes]:
    return b"etag", b'"%d"' % revision


def if_match(call: Call) -> frozenset[int] | None:
    """The revisions that would do; None if any does. A weak tag never matches, nor does one that is not ours.

    Raises `Refusal` (400, `invalid_if_match`) for what is no list of tags.
    """
    header = call.header(b"if-match")
    if header is None or header.strip() == "*":
        return None
    if _TAGS.fullmatch(header) is None:
        raise Refusal("invalid_if_match", 'If-Match is * or ETags in quotes, separated by commas: "3".')
    return frozenset(int(each) for each in _OURS.findall(header))
