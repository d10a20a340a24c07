"""PostgreSQL's `text` holds any character but one. Names come from documents and agents, and one that holds a NUL must not
stop a projection."""


def storable(text: str) -> str:
    """The text with each NUL shown as U+FFFD."""
    return text.replace("\0", "\ufffd") if "\0" in text else text
