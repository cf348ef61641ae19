"""Does a host name lead to this Preamp? Answered by name resolution, and nothing else."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from collections.abc import Callable, Sequence

from preamp.model.domains import WILDCARD

Resolver = Callable[[str], frozenset[str]]
"""Host name -> addresses, none when there is no such name. Blocking. Raises OSError when it cannot tell."""

_LOOPBACK = frozenset({"127.0.0.1", "::1"})
_NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


def system_resolver(host: str) -> frozenset[str]:
    """As the programs of this machine see it, hosts file included; `*.localhost` is always loopback."""
    if host == "localhost" or host.endswith(".localhost"):
        return _LOOPBACK  # RFC 6761, section 6.3; not every libc knows it
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        if error.errno in _NO_SUCH_NAME:
            return frozenset()
        raise
    except UnicodeError:  # a label that no name may have
        return frozenset()
    return frozenset(str(entry[4][0]).partition("%")[0] for entry in found)


def is_own_address(address: str) -> bool:
    """Whether it is one of this machine's: then, and only then, a socket can be bound to it."""
    parsed = ipaddress.ip_address(address)
    if parsed.is_multicast or parsed.is_unspecified or address == "255.255.255.255":
        return False
    family = socket.AF_INET6 if parsed.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


class Reach:
    """Judges host names. `edge_hosts` as in the settings; None: this machine."""

    def __init__(self, edge_hosts: Sequence[str] | None, resolver: Resolver = system_resolver) -> None:
        self._edge_hosts = edge_hosts
        self._resolver = resolver

    def problem_of(self, host: str) -> str | None:
        """None when the host leads here, else why not, for the client. Blocking.

        One address of ours is enough: names of balanced edges have several, and not always the same.
        """
        name = host
        if host.startswith(f"{WILDCARD}."):
            # Any name below will do; a new one each time is in no cache of missing names.
            name = f"preamp-{secrets.token_hex(6)}{host[1:]}"
        try:
            addresses = self._resolver(name)
        except OSError as error:
            return f"the name could not be looked up ({error.strerror or error})."
        if not addresses:
            return "the name does not resolve; create its DNS record."
        if self._is_ours(addresses):
            return None
        return f"the name leads to {', '.join(sorted(addresses)[:4])}, which is not this server."

    def _is_ours(self, addresses: frozenset[str]) -> bool:
        if self._edge_hosts is None:
            return any(is_own_address(address) for address in addresses)
        return any(not addresses.isdisjoint(self._addresses_of(edge)) for edge in self._edge_hosts)

    def _addresses_of(self, edge: str) -> frozenset[str]:
        try:
            return frozenset({str(ipaddress.ip_address(edge))})
        except ValueError:
            pass
        try:
            return self._resolver(edge)
        except OSError:
            return frozenset()
