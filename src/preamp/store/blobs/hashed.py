"""Files whose names will be their content."""

from __future__ import annotations

import hashlib
from pathlib import Path


class HashedFile:
    """A new file, hashed while it is written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb")
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def name(self) -> str:
        """SHA-256 of what was written so far, lower-case hexadecimal."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> None:
        """Raises OSError (ENOSPC) when the disk is full."""
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()
