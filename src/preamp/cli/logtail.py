"""A step's log as it grows: a presigned URL read with `Range: bytes=N-`."""

from __future__ import annotations

import codecs
import re
from urllib.error import HTTPError, URLError
from urllib.request import Request

from preamp.cli.errors import Failure, Unreachable
from preamp.cli.remote import opener

_CHUNK = 1024 * 1024
_TOTAL = re.compile(r"bytes \*/(\d+)")


class LogTail:
    """Remembers how far a log was read. The URL may change from call to call: it is signed anew."""

    def __init__(self) -> None:
        self._offset = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def read(self, url: str) -> str:
        """What came since the last call, possibly nothing. Raises Failure."""
        request = Request(url, headers={"Range": f"bytes={self._offset}-"})  # noqa: S310
        try:
            with opener(url).open(request, timeout=30) as answer:
                skip = self._offset if answer.status == 200 else 0  # a server that ignores ranges
                text = []
                while block := answer.read(_CHUNK):
                    dropped = min(skip, len(block))
                    skip -= dropped
                    self._offset += len(block) - dropped
                    text.append(self._decoder.decode(block[dropped:]))
                return "".join(text)
        except HTTPError as error:
            if error.code == 404:  # announced, but nothing was written yet
                return ""
            if error.code != 416:
                raise Failure(f"the log cannot be read: {error.code} {error.reason}") from error
            total = _TOTAL.match(error.headers.get("Content-Range", ""))
            if total and int(total[1]) < self._offset:
                # A new attempt began the step's log again.
                self._offset = 0
                self._decoder.reset()
                return self.read(url) if int(total[1]) else ""
            return ""
        except (URLError, OSError) as error:
            raise Unreachable(f"the log cannot be read: {error}") from error
