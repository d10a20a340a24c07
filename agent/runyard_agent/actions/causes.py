"""What really went wrong: the words of the operating system, where libraries only say that something did not work."""

import os


def cause_of(error: BaseException) -> str:
    """`Connection refused`, `Name or service not known`, or the error's own text if no system call failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return os.strerror(cause.errno) if cause.errno and isinstance(cause, ConnectionError) else cause.strerror
        inner = cause.exceptions[0] if isinstance(cause, BaseExceptionGroup) else None
        cause = inner or cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__
