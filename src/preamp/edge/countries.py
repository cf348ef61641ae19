"""The country of an address, from a MaxMind-format file."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import maxminddb


class CountryError(Exception):
    """The file cannot be used; the text says why."""


class Countries:
    """Opened once; the file is mapped, not read whole."""

    def __init__(self, path: Path) -> None:
        try:
            self._reader = maxminddb.open_database(str(path))
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise CountryError(f"the setting country_database names {path}: {error}") from error
        self.of = lru_cache(maxsize=4096)(self._look_up)
        """Two letters, or None when the address is not in it."""

    def _look_up(self, address: str) -> str | None:
        try:
            found = self._reader.get(address)
        except (ValueError, maxminddb.InvalidDatabaseError):
            return None  # not an address, or of a family that the file lacks
        country = found.get("country") if isinstance(found, dict) else None
        code = country.get("iso_code") if isinstance(country, dict) else None
        return code.upper() if isinstance(code, str) else None

    def close(self) -> None:
        self._reader.close()
