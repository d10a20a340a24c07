"""The header `Idempotency-Key`: the same key gives the first answer again, and nothing happens twice."""

from runyard_shared.errors import Invalid, Refusal

from runyard_gateway.http.operation import Call

MAX_KEY = 255
IDEMPOTENCY_HEADER = {"Idempotency-Key": "The same key gives the first answer again, and no second execution"}


def idempotency_key(call: Call) -> str | None:
    """Raises `Refusal` (400, `invalid_idempotency_key`)."""
    key = call.header(b"idempotency-key")
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.isprintable():
        raise Refusal("invalid_idempotency_key", f"An Idempotency-Key is 1 to {MAX_KEY} printable ASCII characters.")
    return key


def key_reused() -> Invalid:
    return Invalid("idempotency_key_reused", "This Idempotency-Key was used for another request; use a new one.")
