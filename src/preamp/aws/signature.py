"""SigV4 arithmetic: canonical request, string to sign, signing key. Source: AWS's public SigV4 page."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import lru_cache

from preamp.aws.http import HttpRequest
from preamp.aws.percent import encode

ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, kw_only=True, slots=True)
class CredentialScope:
    """The second half of a credential: `20260101/us-east-1/amplify/aws4_request`."""

    date: str
    region: str
    service: str
    terminator: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/{self.terminator}"


def canonical_request(request: HttpRequest, *, signed_headers: tuple[str, ...], payload_hash: str) -> str:
    """The text that client and server both derive from the request.

    The path is the raw one encoded once more, as every service but S3 has it. Dot segments are not removed:
    the router knows no path that has any, so nothing that is signed can be routed elsewhere.
    """
    pairs = sorted(
        (encode(name), encode(value)) for name, value in request.query if name != "X-Amz-Signature"
    )
    headers = "".join(
        f"{name}:{','.join(_SPACES.sub(' ', value.strip()) for value in request.headers.all(name))}\n"
        for name in signed_headers
    )
    return "\n".join(
        (
            request.method,
            encode(request.raw_path, keep_slash=True),
            "&".join(f"{name}={value}" for name, value in pairs),
            headers,
            ";".join(signed_headers),
            payload_hash,
        )
    )


def signature_of(canonical: str, *, secret: str, scope: CredentialScope, timestamp: str) -> str:
    """The hexadecimal signature of a canonical request made at `timestamp` (`20260101T000000Z`)."""
    # Header values were read as Latin-1, so this gives their bytes back; all the rest is ASCII.
    digest = hashlib.sha256(canonical.encode("latin-1", "replace")).hexdigest()
    to_sign = "\n".join((ALGORITHM, timestamp, str(scope), digest))
    key = _signing_key(secret, scope.date, scope.region, scope.service)
    return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=4096)
def _signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """Four chained HMACs; the same for a whole day, hence the cache."""
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return key
