"""Who calls? Either verified by SigV4, or, in emulator mode, believed."""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from preamp.aws.credentials import Claim, read_claim
from preamp.aws.errors import WireError
from preamp.aws.http import HttpRequest
from preamp.aws.signature import TERMINATOR, canonical_request, signature_of
from preamp.model.caller import Scope
from preamp.model.keys import Key, KeyLookup

_REGION = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """An accepted client: its key and the region it addressed."""

    key: Key
    region: str

    @property
    def scope(self) -> Scope:
        return Scope(account=self.key.account, region=self.region)

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.key.account}:user/{self.key.name}"


class Authenticator(Protocol):
    """Two implementations: `SignatureAuthenticator` and `AnyKeyAuthenticator`."""

    def __call__(self, request: HttpRequest) -> Identity:
        """Raises WireError when the request is not accepted."""
        ...


class SignatureAuthenticator:
    """Verifies SigV4, header and query-string form, against keys found by `lookup`.

    A session token is ignored: keys here are long-lived. `skew_s` bounds the difference of the clocks.
    """

    def __init__(
        self,
        lookup: KeyLookup,
        *,
        service: str,
        skew_s: int = 300,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._lookup = lookup
        self._service = service
        self._skew_s = skew_s
        self._clock = clock

    def __call__(self, request: HttpRequest) -> Identity:
        """Raises WireError: UnrecognizedClientException (unknown or disabled key),
        InvalidSignatureException (does not match, expired, other scope), and those of `read_claim`.
        """
        claim = read_claim(request)
        key = self._lookup(claim.access_key_id)
        if key is None or not key.enabled:
            raise WireError(
                "UnrecognizedClientException", "The security token included in the request is invalid."
            )
        self._check_scope(claim)
        self._check_signed_headers(request, claim)
        payload_hash = hashlib.sha256(request.body).hexdigest()
        stated_hash = request.headers.get("x-amz-content-sha256")
        if stated_hash is not None and not hmac.compare_digest(stated_hash.encode(), payload_hash.encode()):
            raise _invalid("The value of x-amz-content-sha256 is not the SHA-256 of the body")
        expected = signature_of(
            canonical_request(request, signed_headers=claim.signed_headers, payload_hash=payload_hash),
            secret=key.secret,
            scope=claim.scope,
            timestamp=claim.timestamp,
        )
        if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
            raise _invalid(_MISMATCH)
        # Last, so that only the holder of the secret learns our clock.
        self._check_time(claim)
        return Identity(key=key, region=claim.scope.region)

    def _check_scope(self, claim: Claim) -> None:
        scope = claim.scope
        if scope.terminator != TERMINATOR:
            raise _invalid(f"Credential should be scoped with a valid terminator: '{TERMINATOR}'.")
        if scope.service != self._service:
            raise _invalid(f"Credential should be scoped to correct service: '{self._service}'.")
        if not _REGION.fullmatch(scope.region):
            raise _invalid("Credential should be scoped to a valid region.")
        if scope.date != claim.timestamp[:8]:
            raise _invalid(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP."
            )

    def _check_signed_headers(self, request: HttpRequest, claim: Claim) -> None:
        signed = claim.signed_headers
        if "host" not in signed:
            raise _invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.")
        if len(request.headers.all("host")) != 1:
            raise _invalid("There must be one Host header.")
        date_header = "x-amz-date" if "x-amz-date" in request.headers else "date"
        if claim.expires_s is None and date_header not in signed:
            raise _invalid(f"'{date_header}' must be a 'SignedHeader' in the AWS Authorization.")
        if list(signed) != sorted(set(signed)):
            raise _invalid("SignedHeaders must be sorted, each name once.")

    def _check_time(self, claim: Claim) -> None:
        signed_at = _seconds_of(claim.timestamp)
        if signed_at is None:
            raise _invalid("Date must be in ISO-8601 'basic format', such as 20260131T235959Z")
        now = self._clock()
        if signed_at > now + self._skew_s:
            raise _invalid(
                f"Signature not yet current: {claim.timestamp} is still later than "
                f"{_basic(now + self._skew_s)} ({_basic(now)} + {self._skew_s} s)"
            )
        oldest = now - (self._skew_s if claim.expires_s is None else claim.expires_s)
        if signed_at < oldest:
            raise _invalid(f"Signature expired: {claim.timestamp} is now earlier than {_basic(oldest)}")


class AnyKeyAuthenticator:
    """Emulator mode: every key is accepted and has all rights; nothing is verified.

    An access key id of twelve digits names the account, as other emulators have it. A request without
    credentials is still refused: it could come from any web page that is open on this machine.
    """

    def __init__(self, *, account: str, region: str) -> None:
        self._account = account
        self._region = region

    def __call__(self, request: HttpRequest) -> Identity:
        """Raises what `read_claim` raises."""
        claim = read_claim(request)
        named = _ACCOUNT.fullmatch(claim.access_key_id)
        key = Key(
            access_key_id=claim.access_key_id,
            secret="",
            account=claim.access_key_id if named else self._account,
            name="any",
            policy=None,
            enabled=True,
        )
        region = claim.scope.region if _REGION.fullmatch(claim.scope.region) else self._region
        return Identity(key=key, region=region)


def _invalid(text: str) -> WireError:
    return WireError("InvalidSignatureException", text)


@lru_cache(maxsize=1024)
def _seconds_of(timestamp: str) -> float | None:
    """The opposite of `_basic`. All requests of a second have one timestamp, hence the cache."""
    try:
        return datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return None


def _basic(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y%m%dT%H%M%SZ")
