"""Who asks: the address at the other end of the connection, or what a trusted proxy says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from preamp.edge.networks import NetworkSet, parse_address

_SCHEMES = frozenset({"http", "https"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where a request comes from."""

    address: str
    """Of the visitor, numeric; empty when it is unknown."""
    chain: tuple[str, ...]
    """What `X-Forwarded-For` becomes: the visitor as far as it is known, then every proxy but us."""
    scheme: str
    is_trusted: bool
    """Whether the connection comes from a trusted proxy, so that its headers are believed."""


class Trust:
    """Whose `X-Forwarded-*` headers are believed."""

    def __init__(self, proxies: NetworkSet | None = None) -> None:
        self._proxies = proxies or NetworkSet()
        self._trusts = lru_cache(maxsize=4096)(self._is_trusted)

    def source(self, peer: str, scheme: str, headers: Mapping[str, str]) -> Source:
        """What is known of a request whose connection comes from `peer`."""
        if not self.trusts(peer):
            return Source(address=peer, chain=(peer,), scheme=scheme, is_trusted=False)
        text = headers.get("x-forwarded-for", "")
        chain = self.chain(peer, text)
        told = headers.get("x-forwarded-proto", "").strip().lower()
        return Source(
            address=self.address(peer, text),
            chain=chain,
            scheme=told if told in _SCHEMES else scheme,
            is_trusted=True,
        )

    def chain(self, peer: str, forwarded_for: str) -> tuple[str, ...]:
        """The visitor and the proxies before us, as a trusted proxy tells it."""
        return (*_items(forwarded_for), peer)

    def address(self, peer: str, forwarded_for: str) -> str:
        """The visitor's, from a trusted proxy's `X-Forwarded-For`: read from the right, as far as each
        address was named by a trusted proxy.
        """
        address = peer
        for item in reversed(_items(forwarded_for)):
            found = _numeric(item)
            if found is None:
                break
            address = found
            if not self._trusts(found):
                break
        return address

    def trusts(self, peer: str) -> bool:
        """Whether a connection from `peer` comes from a trusted proxy."""
        return bool(self._proxies) and self._trusts(peer)

    def _is_trusted(self, address: str) -> bool:
        found = parse_address(address)
        return found is not None and found in self._proxies


def _items(forwarded_for: str) -> list[str]:
    return [part.strip() for part in forwarded_for.split(",") if part.strip()]


def _numeric(item: str) -> str | None:
    """`203.0.113.7:1234`, `[2001:db8::1]:1234` and bare addresses, as proxies write them."""
    if item.startswith("["):
        item = item[1:].partition("]")[0]
    elif item.count(":") == 1:
        item = item.partition(":")[0]
    found = parse_address(item)
    return None if found is None else str(found)
