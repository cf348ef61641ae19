"""Custom hosts an edge process has looked up, and those that it knows to be nobody's."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Collection

from preamp.store.hosting import CustomHost

MOST = 20_000
RECHECK_SECONDS = 1.0
"""How long "there is no such host" is believed without a change in the log."""


class KnownHosts:
    """Bounded; the least recently used go first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._found: OrderedDict[str, CustomHost] = OrderedDict()
        self._missing: OrderedDict[str, float] = OrderedDict()
        self.epoch = 0
        """Another after each change: what was read before it may be older than it."""

    def get(self, host: str) -> CustomHost | None:
        found = self._found.get(host)
        if found is not None:
            self._found.move_to_end(host)
        return found

    def is_missing(self, host: str) -> bool:
        return self._clock() < self._missing.get(host, 0.0)

    def put(self, host: str, found: CustomHost | None) -> None:
        if found is None:
            self._missing[host] = self._clock() + RECHECK_SECONDS
            self._missing.move_to_end(host)
        else:
            self._found[host] = found
        for known in (self._found, self._missing):
            while len(known) > MOST:
                known.popitem(last=False)

    def forget(self, apps: Collection[str] | None) -> None:
        """Hosts of some apps, or of all, may have changed; what was nobody's may be somebody's now."""
        self.epoch += 1
        self._missing.clear()
        for host in [host for host, found in self._found.items() if apps is None or found.app_id in apps]:
            del self._found[host]
