"""`runyard-agent check`: whether an agent can work from here, line by line, and what to do where it cannot.

It changes nothing and may run beside the agent: it does not enrol, and takes no orders.
"""

import asyncio
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TextIO
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies, proxy_bypass

import structlog
from runyard_shared.contracts.link import AmqpAccess, Enrolment
from runyard_shared.errors import RunyardError, Unavailable
from runyard_shared.messaging.rabbit import AgentAccount, RabbitBus
from runyard_shared.sealing import OpeningKey

from runyard_agent import identity
from runyard_agent.actions.registry import find_actions
from runyard_agent.server import CONNECT_SECONDS, NotConfigured, Server, server_url, tls_context
from runyard_agent.settings import Settings
from runyard_agent.transport.amqp import login_url
from runyard_agent.version import VERSION

OK: Final = "ok"
WARNING: Final = "warning"
FAILED: Final = "failed"
CLOCK_SECONDS: Final = 5.0
"""A clock that is further off is worth a word: times in scripts and logs will not fit to those of the server."""

_BROKER_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    level: str
    what: str
    words: str


async def check(settings: Settings, out: TextIO) -> int:
    """Writes the findings as they come. 0, or 1 if something failed."""
    # what the parts say in their logs is in the findings, in better words
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    failed = False
    print(f"runyard-agent {VERSION}", file=out, flush=True)
    async for finding in findings(settings):
        failed |= finding.level == FAILED
        print(f"{finding.level:<8} {finding.what:<10} {finding.words}", file=out, flush=True)
    return 1 if failed else 0


async def findings(settings: Settings) -> AsyncIterator[Finding]:
    async for finding in _server(settings):
        yield finding
    for finding in _state(settings):
        yield finding
    yield await _transport(settings)
    for finding in _actions(settings):
        yield finding


async def _server(settings: Settings) -> AsyncIterator[Finding]:
    try:
        parts, context = urlsplit(server_url(settings)), tls_context(settings)
    except NotConfigured as problem:
        yield Finding(FAILED, "address", str(problem))
        return
    proxy = _proxy(parts)
    reached = Finding(OK, "address", f"through the proxy {proxy}") if proxy else await _reach(parts, context)
    yield reached
    if reached.level == FAILED:
        yield Finding(FAILED, "key", "not tried, because the server cannot be reached")
        return
    try:
        server = Server(settings)
    except NotConfigured as problem:
        yield Finding(FAILED, "key", str(problem))
        return
    try:
        asked_at = datetime.now(UTC)
        me = await server.who_am_i()
        answered_at = datetime.now(UTC)
    except RunyardError as trouble:
        yield Finding(FAILED, "key", str(trouble))
    else:
        words = f"of agent {me['name']} in pool {me['pool']}, tenant {me['tenantId']}"
        yield Finding(OK, "key", words)
        yield _clock(me["serverTime"], asked_at + (answered_at - asked_at) / 2)
    finally:
        await server.close()


def _proxy(parts: SplitResult) -> str | None:
    """Without its credentials."""
    proxies = getproxies()
    given = proxies.get(parts.scheme) or proxies.get("all")
    if given is None or proxy_bypass(parts.hostname or ""):
        return None
    return urlsplit(given).netloc.rpartition("@")[2] or given


async def _reach(parts: SplitResult, context: ssl.SSLContext) -> Finding:
    host, tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as problem:
        words = f"the name {host} is not known to this host ({problem.strerror or problem}): check --url, and its DNS"
        return Finding(FAILED, "address", words)
    addresses = ", ".join(dict.fromkeys(str(each[4][0]) for each in found))
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            _, writer = await asyncio.open_connection(host, port, ssl=context if tls else None)
    except TimeoutError:
        words = f"{host} ({addresses}) does not answer on port {port} within {CONNECT_SECONDS:g} s: is there a firewall?"
        return Finding(FAILED, "address", words)
    except ssl.SSLCertVerificationError as problem:
        words = (
            f"the certificate of {host} is not trusted ({problem.verify_message}): "
            "if it is of a private authority, give that with --ca-file"
        )
        return Finding(FAILED, "address", words)
    except ssl.SSLError as problem:
        words = f"{host}:{port} speaks no TLS that is understood here ({problem.reason or problem}): check --url"
        return Finding(FAILED, "address", words)
    except OSError as problem:
        words = f"no connection to {host} ({addresses}) on port {port} ({_reason(problem)}): check --url"
        return Finding(FAILED, "address", words)
    session = writer.get_extra_info("ssl_object")
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return Finding(OK, "address", f"{host} ({addresses}) on port {port}, {session.version() if session else 'without TLS'}")


def _reason(problem: OSError) -> str:
    """asyncio's own words only repeat the address."""
    return os.strerror(problem.errno) if problem.errno else str(problem)


def _clock(server_time: Any, ours: datetime) -> Finding:
    try:
        ahead = (ours - datetime.fromisoformat(str(server_time))).total_seconds()
    except ValueError:
        return Finding(WARNING, "clock", f"the server says that it is {server_time!r}, which is no time")
    if abs(ahead) <= CLOCK_SECONDS:
        return Finding(OK, "clock", f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the server's")
    words = (
        f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the server's: set it (NTP). Jobs run all the same; "
        "times that they print, and certificates that they check, may be wrong"
    )
    return Finding(WARNING, "clock", words)


def _state(settings: Settings) -> list[Finding]:
    directory = settings.agent_state_dir
    try:
        identity.prepare(directory)
        key = identity.read_key(directory)
        in_use = identity.is_in_use(directory)
    except (identity.StateUnusable, OSError) as problem:
        return [Finding(FAILED, "state", str(problem))]
    words = f"{directory}, {'used by the agent that runs' if in_use else 'no agent runs on it'}"
    return [Finding(OK, "state", words if key is not None else f"{directory}, new: nothing was enrolled from here yet")]


async def _transport(settings: Settings) -> Finding:
    wanted, directory = settings.agent_transport, settings.agent_state_dir
    try:
        enrolled, key = identity.read_enrolment(directory), identity.read_key(directory)
    except identity.StateUnusable as problem:
        return Finding(FAILED, "transport", str(problem))
    if wanted == "https":
        return Finding(OK, "transport", "https, as it is set")
    if enrolled is None or key is None:
        later = "amqp, as it is set" if wanted == "amqp" else "amqp if the server offers it and it can be reached, else https"
        return Finding(OK, "transport", f"{later}: known after the first enrolment")
    if enrolled.amqp is not None:
        return await _broker(settings, enrolled, enrolled.amqp, key)
    level = WARNING if wanted == "amqp" else OK
    return Finding(level, "transport", f"{enrolled.transport} is what was enrolled last; {wanted} is set")


async def _broker(settings: Settings, enrolled: Enrolment, access: AmqpAccess, key: OpeningKey) -> Finding:
    broker = urlsplit(access.url).netloc.rpartition("@")[2]
    trouble = await _broker_trouble(settings, enrolled, access, key)
    if trouble is None:
        return Finding(OK, "transport", f"amqp, with the account {access.username} on RabbitMQ at {broker}")
    if settings.agent_transport == "amqp":
        return Finding(FAILED, "transport", f"RabbitMQ at {broker} cannot be used: {trouble}. Try --transport https")
    return Finding(WARNING, "transport", f"RabbitMQ at {broker} cannot be used, so it will be https: {trouble}")


async def _broker_trouble(settings: Settings, enrolled: Enrolment, access: AmqpAccess, key: OpeningKey) -> str | None:
    try:
        bus = RabbitBus(
            login_url(access, key),
            namespace=access.namespace,
            send_timeout_seconds=_BROKER_SECONDS,
            account=AgentAccount(enrolled.tenant_id, enrolled.name),
            ca_file=settings.agent_ca_file,
        )
    except Unavailable as trouble:
        return str(trouble)
    try:
        await bus.open()
    except RunyardError as trouble:
        return str(trouble)
    await bus.close()
    return None


def _actions(settings: Settings) -> list[Finding]:
    actions, left_out = find_actions(settings)
    found = [Finding(OK if actions else FAILED, "actions", ", ".join(actions) or "none: install runyard-agent again")]
    return found + [
        Finding(FAILED if left.broken else WARNING, "action", f"{left.action} of {left.package} is left out: {left.reason}")
        for left in left_out
    ]
