"""Which addresses a site may reach through a rule: public ones, and networks that the operator named.

The name is resolved here and the very address that was judged is dialled, so that a name cannot lead
elsewhere between the two (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import socket

from preamp.edge.networks import NetworkSet, parse_address
from preamp.edge.upstream.errors import UpstreamRefused, UpstreamUnreachable
from preamp.edge.upstream.origin import Origin


class AddressPolicy:
    """`networks` may be reached although they are not public."""

    def __init__(self, networks: NetworkSet | None = None) -> None:
        self._networks = networks or NetworkSet()

    def allows(self, address: str) -> bool:
        """Whether a connection to a numeric address may be made."""
        found = parse_address(address)
        if found is None:
            return False
        if found in self._networks:
            return True
        return found.is_global and not found.is_multicast and not found.is_reserved

    async def resolve(self, origin: Origin) -> list[tuple[socket.AddressFamily, str]]:
        """The addresses of an origin that may be dialled, in the resolver's order.

        Raises UpstreamUnreachable when the name is unknown, UpstreamRefused when all are forbidden.
        """
        host = origin.host.strip("[]")
        if host == "localhost" or host.endswith(".localhost"):
            host = "127.0.0.1"  # RFC 6761, section 6.3; not every libc knows it
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, origin.port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
            )
        except (OSError, UnicodeError) as error:
            raise UpstreamUnreachable(f"the name {host} cannot be resolved: {error}") from error
        every = [(family, str(where[0])) for family, _, _, _, where in found]
        allowed: list[tuple[socket.AddressFamily, str]] = [
            (family, address) for family, address in every if self.allows(address)
        ]
        if not allowed:
            raise UpstreamRefused(
                f"{host} leads to {', '.join(dict.fromkeys(address for _, address in every))}, which is not "
                "public; the setting proxy_private_networks can allow it"
            )
        return allowed
