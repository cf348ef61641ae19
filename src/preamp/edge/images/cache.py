"""Small files in a bounded folder.

A file tells its own length and checksum, so that what a dead machine left half written is not believed.
"""

from __future__ import annotations

import os
import struct
import zlib

from preamp.store.bounded import BoundedFolder

_HEAD = struct.Struct("<4sII")
_MARK = b"PIm1"


class FileCache(BoundedFolder):
    """For use in threads. The folder may be deleted at any time."""

    def get(self, name: str) -> bytes | None:
        """None when it is not there, or damaged."""
        try:
            descriptor = self.use(name)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            head, body = file.read(_HEAD.size), file.read()
        if head != _head(body):
            self.delete(name)
            return None
        return body

    def put(self, name: str, body: bytes) -> None:
        """Raises OSError when it cannot be written."""
        data = _head(body) + body
        with self.temporary() as temporary:
            temporary.write_bytes(data)
            self.keep(temporary, name, len(data))


def _head(body: bytes) -> bytes:
    return _HEAD.pack(_MARK, len(body), zlib.crc32(body))
