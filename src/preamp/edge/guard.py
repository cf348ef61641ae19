"""Which addresses may visit a site: the lists of its app and of its branch."""

from __future__ import annotations

from preamp.edge.networks import NetworkSet, parse_address
from preamp.model.hosting import AccessList, parse_network


class Guard:
    """An address has to pass each list; on one, a denied address stays out even when it is allowed too."""

    def __init__(self, *lists: AccessList) -> None:
        self._lists = [
            (
                NetworkSet(map(parse_network, each.allow)) if each.allow else None,
                NetworkSet(map(parse_network, each.deny)),
            )
            for each in lists
            if each.allow or each.deny
        ]

    @property
    def is_open(self) -> bool:
        """Whether everybody may come."""
        return not self._lists

    def admits(self, address: str) -> bool:
        """An address that is unknown passes only where there is no list."""
        if not self._lists:
            return True
        found = parse_address(address)
        return found is not None and all(
            found not in deny and (allow is None or found in allow) for allow, deny in self._lists
        )
