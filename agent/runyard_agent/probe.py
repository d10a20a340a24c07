"""Tries a connection out from where it will be used: the agent's host, with the agent's settings (R59).

Each kind has one function in `PROBES`. It reaches the other end and logs in, and changes nothing there. What it finds, or why
it fails, is said to people in one line.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from runyard_shared.contracts.connections import OpenedConnection

from runyard_agent.actions.base import InvalidParams, ProbeFailed, Unusable
from runyard_agent.actions.chat import probe_webhook
from runyard_agent.actions.email import probe_smtp
from runyard_agent.actions.http import probe_http
from runyard_agent.actions.kubernetes import probe_kubernetes
from runyard_agent.actions.ssh import probe_ssh
from runyard_agent.settings import Settings

__all__ = ["PROBES", "Probe", "ProbeFailed", "probe"]

Probe = Callable[[OpenedConnection, Settings], Awaitable[str]]
"""What was found, as `logged in to web-01:22 as deploy`; how long it took is added. Raises `ProbeFailed`."""
_WITHIN_SECONDS: Final = 15.0
"""Less than the dispatcher waits."""


async def probe(connection: OpenedConnection, settings: Settings) -> str:
    """What was found when `connection` was tried, for people. Raises `ProbeFailed`, whose text says what to do; both are free
    of secrets only after redaction, because a server may repeat what it was sent."""
    if connection.kind == "secrets":
        return "nothing to try: it only holds values for scripts and packages; this agent can open it"
    try_out = PROBES.get(connection.kind)
    if try_out is None:
        raise ProbeFailed(f"this agent cannot try connections of the kind {connection.kind!r} out: update it")
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    try:
        async with asyncio.timeout(_WITHIN_SECONDS):
            found = await try_out(connection, settings)
    except TimeoutError:
        raise ProbeFailed(f"no answer within {_WITHIN_SECONDS:g} s") from None
    except InvalidParams as invalid:
        raise ProbeFailed(str(invalid)) from None
    return f"{found} in {(loop.time() - began_at) * 1000:.0f} ms"


async def _postgresql(connection: OpenedConnection, settings: Settings) -> str:
    try:
        from runyard_agent.actions.database import probe_postgresql
    except Unusable as missing:
        raise ProbeFailed(f"this agent cannot try it out: {missing}") from None
    return await probe_postgresql(connection, settings)


PROBES: Final[dict[str, Probe]] = {
    "ssh": probe_ssh,
    "http": probe_http,
    "slack": probe_webhook,
    "teams": probe_webhook,
    "smtp": probe_smtp,
    "kubernetes": probe_kubernetes,
    "postgresql": _postgresql,
}
