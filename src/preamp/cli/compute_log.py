"""Reading the log of a server while the host writes it: whole lines only, also when it is put aside."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import IO

from preamp.compute.logs import aside

POLL_SECONDS = 0.25


class Reader:
    """Remembers how far a log was read."""

    def __init__(self, file: Path) -> None:
        self._path = file
        self._open: IO[bytes] | None = None
        self._rest = b""

    def read_all(self, out: IO[bytes]) -> bool:
        """Write everything that is kept; False when there is no log."""
        older = aside(self._path)
        if older.exists():
            out.write(older.read_bytes())
        found = self.read_on(out)
        return found or older.exists()

    def read_on(self, out: IO[bytes]) -> bool:
        """Write what has come; False while there is no log."""
        if self._open is None and not self._reopen():
            return False
        assert self._open is not None
        current = self._is_current()  # asked first: nothing more comes to one that was put aside
        self._copy(out)
        if not current and self._reopen():
            self._copy(out)
        return True

    def follow(self, out: IO[bytes]) -> None:
        """Write lines as they come, until interrupted."""
        while True:
            self.read_on(out)
            out.flush()
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _copy(self, out: IO[bytes]) -> None:
        assert self._open is not None
        data = self._rest + self._open.read()
        end = data.rfind(b"\n") + 1
        out.write(data[:end])
        self._rest = data[end:]

    def _reopen(self) -> bool:
        try:
            fresh = self._path.open("rb")
        except FileNotFoundError:
            return False
        self.close()
        self._open = fresh
        self._rest = b""
        return True

    def _is_current(self) -> bool:
        assert self._open is not None
        try:
            return os.path.samestat(os.fstat(self._open.fileno()), self._path.stat())
        except FileNotFoundError:
            return False
