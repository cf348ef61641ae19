"""Sets of networks, asked for an address at a cost that does not grow with their number."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from preamp.model.hosting import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class NetworkSet:
    """Built once from networks of both families."""

    def __init__(self, networks: Iterable[Network] = ()) -> None:
        self._by_size: dict[tuple[int, int], set[int]] = {}
        for network in networks:
            shift = network.max_prefixlen - network.prefixlen
            start = int(network.network_address) >> shift
            self._by_size.setdefault((network.version, shift), set()).add(start)

    def __contains__(self, address: Address) -> bool:
        number = int(address)
        return any(
            version == address.version and number >> shift in starts
            for (version, shift), starts in self._by_size.items()
        )

    def __bool__(self) -> bool:
        return bool(self._by_size)


def parse_address(text: str) -> Address | None:
    """None when it is no address; an IPv4 address in IPv6 form is the IPv4 address."""
    try:
        return embedded(ipaddress.ip_address(text.partition("%")[0]))
    except ValueError:
        return None


def embedded(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one that stands for it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
