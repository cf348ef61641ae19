"""Hiding secrets in a stream of bytes, also when they are split across reads."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = b"****"
SHORTEST = 6
"""Shorter values would blot out ordinary text."""


def _forms(value: str) -> set[bytes]:
    """The value itself and the encodings it commonly leaks in."""
    raw = value.encode()
    forms = {
        raw,
        quote(value, safe="").encode(),
        quote_plus(value).encode(),
        json.dumps(value)[1:-1].encode(),
    }
    # base64 of a longer text that contains the value depends on the value's offset modulo 3
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + raw).rstrip(b"=")
        start = (shift * 8 + 5) // 6
        # the last character also holds bits of what follows the value
        end = len(encoded) if (shift + len(raw)) % 3 == 0 else len(encoded) - 1
        core = encoded[start:end]
        forms |= {core, core.replace(b"+", b"-").replace(b"/", b"_")}
    return forms


class Masker:
    """Replaces every secret of at least six characters by `****`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        needles: set[bytes] = set()
        for secret in secrets:
            for line in {secret, *secret.splitlines()}:
                if len(line.strip()) >= SHORTEST:
                    needles |= {form for form in _forms(line.strip()) if len(form) >= SHORTEST}
        ordered = sorted(needles, key=len, reverse=True)
        self._pattern = re.compile(b"|".join(map(re.escape, ordered))) if ordered else None
        self.overlap = max(map(len, ordered), default=1) - 1
        """Bytes at the end of a block that may be the beginning of a secret."""

    def mask(self, data: bytes) -> bytes:
        """`data` with every secret replaced; `data` must not end inside one."""
        return self._pattern.sub(MASK, data) if self._pattern else data

    def text(self, text: str) -> str:
        return self.mask(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")

    def safe_cut(self, data: bytes) -> int:
        """The largest index at which `data` may be cut without splitting a secret or a UTF-8 character."""
        cut = max(len(data) - self.overlap, 0)
        if self._pattern:
            for match in self._pattern.finditer(data):
                if match.start() < cut < match.end():
                    cut = match.start()
                    break
        while 0 < cut < len(data) and data[cut] & 0xC0 == 0x80:
            cut -= 1
        return cut
