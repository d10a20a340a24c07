"""What our server lets an answer do besides ASGI: functions in the `extensions` of a request's scope."""

ABORT = "runyard.abort"
"""Drops the connection at once, with whatever is still unsent."""
JOIN = "runyard.join"
"""Keeps what is written next until the body that follows it: head and body leave in one piece, which costs us one call of the
system less, and the reader as well."""
PUSH = "runyard.push"
"""Sends a piece of the answer under way at once, without a turn of the loop. False if the reader has not taken what was sent
before: then nothing of it was sent. Only for answers without a length, between two pieces."""
