"""Keeps what is sent out of private networks: looks at every address at the moment it is connected to.

A look at the URL beforehand would not do: names resolve to something else a moment later, and servers redirect. So an audit
hook of the interpreter sees each connection, and breaks off those that a guarded task, or a thread that works for one, makes to
addresses that are not public.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

_CONNECTIONS: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_NAT64: Final = IPv6Network("64:ff9b::/96")
_refused: ContextVar[list[str] | None] = ContextVar("refused addresses", default=None)


class PrivateAddress(PermissionError):
    """The address is not public."""


@contextmanager
def public_addresses_only(*, unless: bool = False) -> Iterator[list[str]]:
    """Inside, connections to other addresses raise `PrivateAddress`; gives a list of those that were refused."""
    refused: list[str] = []
    if unless:
        yield refused
        return
    _install()
    token = _refused.set(refused)
    try:
        yield refused
    finally:
        _refused.reset(token)


def is_public(host: str) -> bool:
    """False also for a name: what it stands for is not known here."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return all(each.is_global and not each.is_multicast for each in _meant(address))


def _meant(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """The address, or those inside it."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            yield address.ipv4_mapped
            return
        if address.sixtofour is not None:
            yield address.sixtofour
        if address in _NAT64:
            yield IPv4Address(int(address) & 0xFFFFFFFF)
    yield address


def _look(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in _CONNECTIONS:
        return
    refused = _refused.get()
    address = arguments[1]
    if refused is None or address is None:
        return
    host = str(address[0] if isinstance(address, tuple) else address)
    if not is_public(host):
        refused.append(host)
        raise PrivateAddress(f"{host} is not a public address")


class _Hook:
    """Hooks cannot be taken away, so there is one, and only once it is needed."""

    installed = False


def _install() -> None:
    if not _Hook.installed:
        _Hook.installed = True
        sys.addaudithook(_look)
