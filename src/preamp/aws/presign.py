"""Signed URLs of files on the control port: a plain GET or PUT, no headers, good until they expire.

Form: `{base}/_preamp/files/{kind}/{path}?expires={epoch seconds}&signature={hex}`. The signature binds the
method, the kind, the path and the time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs

from preamp.aws.percent import decode, encode
from preamp.model.errors import BadRequest

PREFIX = "/_preamp/files/"
MAX_URL = 1000
"""Characters; the model's limit of every URL it returns."""
_KIND = re.compile(r"[a-z][a-z0-9-]{0,31}")
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)

Method = Literal["GET", "PUT"]


class UrlError(Exception):
    """A URL is not accepted; the text may be shown to whoever opened it."""


class UrlExpired(UrlError):
    """It was good once."""


class UrlForged(UrlError):
    """Its signature is missing, or for another URL or method."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FileClaim:
    """What a verified URL gives access to."""

    kind: str
    path: str
    """Decoded, as given to `sign`."""
    expires_s: int
    """Epoch seconds."""


class UrlSigner:
    """Signs and verifies. `secret` must be the same in every process and over restarts."""

    def __init__(self, secret: bytes, *, clock: Callable[[], float] = time.time) -> None:
        if len(secret) < 16:
            raise ValueError("the secret of signed URLs needs at least 16 bytes")
        self._secret = secret
        self._clock = clock

    def sign(self, method: Method, *, base: str, kind: str, path: str, lifetime_s: int) -> str:
        """A URL below `base` (scheme and authority) that is good for `lifetime_s` seconds from now.

        `path` is text, encoded here. Raises ValueError for a path with empty or dot segments, and for a URL
        that would be longer than 1000 characters: use short paths, not names that users choose.
        """
        if not _KIND.fullmatch(kind):
            raise ValueError(f"kind {kind!r} is not a lower-case word")
        if any(segment in {"", ".", ".."} for segment in path.split("/")):
            raise ValueError(f"path {path!r} has an empty or dot segment")
        expires = int(self._clock()) + lifetime_s
        signature = self._signature(method, kind, path, expires)
        where = f"{base.rstrip('/')}{PREFIX}{kind}/{encode(path, keep_slash=True)}"
        url = f"{where}?expires={expires}&signature={signature}"
        if len(url) > MAX_URL:
            raise ValueError(f"the URL of {kind} {path!r} has {len(url)} characters, at most {MAX_URL} fit")
        return url

    def verify(self, method: str, raw_path: bytes, raw_query: bytes) -> FileClaim:
        """The claim of a request whose raw path begins with `/_preamp/files/`; HEAD counts as GET.

        Raises UrlForged and UrlExpired. Other query parameters are ignored.
        """
        kind, path = _split(raw_path)
        query = parse_qs(raw_query.decode("latin-1"), keep_blank_values=True, max_num_fields=20)
        expires, signature = query.get("expires", []), query.get("signature", [])
        if len(expires) != 1 or len(signature) != 1 or not _SECONDS.fullmatch(expires[0]):
            raise UrlForged("The URL must carry one expires and one signature parameter")
        expires_s = int(expires[0])
        expected = self._signature("GET" if method == "HEAD" else method, kind, path, expires_s)
        if not hmac.compare_digest(expected.encode(), signature[0].encode("utf-8", "replace")):
            raise UrlForged("The signature of the URL does not match its method, path and expiry")
        if self._clock() >= expires_s:
            raise UrlExpired("The URL has expired; ask the API for a new one")
        return FileClaim(kind=kind, path=path, expires_s=expires_s)

    def _signature(self, method: str, kind: str, path: str, expires: int) -> str:
        text = "\n".join(("file", method, kind, str(expires), path))
        return hmac.new(self._secret, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _split(raw_path: bytes) -> tuple[str, str]:
    prefix = PREFIX.encode()
    if not raw_path.startswith(prefix):
        raise UrlForged(f"The path must begin with {PREFIX}")
    kind, _, path = raw_path[len(prefix) :].partition(b"/")
    try:
        return decode(kind, where="kind"), decode(path, where="path")
    except BadRequest as error:
        raise UrlForged(error.message) from None
