"""Access keys that were looked up a moment ago."""

from __future__ import annotations

import time
from collections.abc import Callable

from preamp.model.keys import Key, KeyLookup

TRUSTED_SECONDS = 1.0
"""A key that is disabled or deleted is refused at the latest after this time, in every process."""
MOST = 1024


class KnownKeys:
    """A `KeyLookup` that asks another one at most once a second for a key that is good. Others are asked
    for each time: a new key, or one enabled again, works at once."""

    def __init__(self, look_up: KeyLookup, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._look_up = look_up
        self._clock = clock
        self._known: dict[str, tuple[float, Key]] = {}

    def __call__(self, access_key_id: str) -> Key | None:
        now = self._clock()
        until, known = self._known.get(access_key_id, (0.0, None))
        if known is not None and now < until:
            return known
        key = self._look_up(access_key_id)
        if key is None or not key.enabled:
            self._known.pop(access_key_id, None)
            return key
        if len(self._known) >= MOST:
            self._known.clear()
        self._known[access_key_id] = (now + TRUSTED_SECONDS, key)
        return key
