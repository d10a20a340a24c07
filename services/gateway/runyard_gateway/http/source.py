"""Where a request came from: the address that connected or, if that is a proxy of ours, the one that the proxy names."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network


class Sources:
    """`proxies`: whose X-Forwarded-For is believed."""

    def __init__(self, proxies: Sequence[Network]) -> None:
        self._proxies = tuple(proxies)

    def of(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
        """An address; empty if the connection has none (a socket in the file system)."""
        client = scope.get("client")
        address = str(client[0]) if client else ""
        forwarded = headers.get(b"x-forwarded-for") if self._proxies else None
        if forwarded is None:
            return address
        # From the right: each proxy appends who connected to it, and only what ours appended can be believed.
        for each in reversed(forwarded.decode("latin-1").split(",")):
            if not self._is_proxy(address):
                break
            try:
                address = str(ip_address(each.strip()))
            except ValueError:
                break
        return address

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._proxies)
