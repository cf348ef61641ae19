"""What a request claims about its signature, from the Authorization header or the query string."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from preamp.aws.errors import WireError
from preamp.aws.http import HttpRequest
from preamp.aws.signature import ALGORITHM, CredentialScope

_PART = re.compile(r"\s*(Credential|SignedHeaders|Signature)\s*=\s*([^,]*?)\s*")
_PARAMETERS = ("Credential", "SignedHeaders", "Signature")
_BASIC_DATE = re.compile(r"\d{8}T\d{6}Z", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A signature and what it says it was made from; nothing of it is verified."""

    access_key_id: str
    scope: CredentialScope
    signed_headers: tuple[str, ...]
    """Lower case, in the order in which they were signed."""
    signature: str
    timestamp: str
    """`YYYYMMDDTHHMMSSZ`."""
    expires_s: int | None
    """Life time of a presigned URL; `None` for the header form."""


def read_claim(request: HttpRequest) -> Claim:
    """The claim of a request.

    Raises WireError MissingAuthenticationTokenException (403) when there is none and
    IncompleteSignatureException (400) when one is broken; the text says which part.
    """
    if "authorization" in request.headers:
        return _from_header(request)
    query = dict(request.query)
    if "X-Amz-Algorithm" in query or "X-Amz-Credential" in query or "X-Amz-Signature" in query:
        return _from_query(request, query)
    raise WireError("MissingAuthenticationTokenException", "Missing Authentication Token")


def _incomplete(text: str) -> WireError:
    return WireError("IncompleteSignatureException", text)


def _from_header(request: HttpRequest) -> Claim:
    values = request.headers.all("authorization")
    if len(values) > 1:
        raise _incomplete("There is more than one Authorization header")
    algorithm, _, rest = values[0].strip().partition(" ")
    if algorithm != ALGORITHM:
        raise _incomplete(f"The Authorization header must begin with '{ALGORITHM} '")
    parts: dict[str, str] = {}
    for text in rest.split(","):
        if found := _PART.fullmatch(text):
            parts[found.group(1)] = found.group(2)
    missing = [name for name in _PARAMETERS if not parts.get(name)]
    if missing:
        raise _incomplete(" ".join(f"Authorization header requires '{name}' parameter." for name in missing))
    date = request.headers.get("x-amz-date") or request.headers.get("date")
    if date is None:
        raise _incomplete(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        )
    if len(request.headers.all("x-amz-date")) > 1:
        raise _incomplete("There is more than one X-Amz-Date header")
    return _claim(parts, _basic_date(date), expires_s=None)


def _basic_date(text: str) -> str:
    """The basic ISO form of a date header, which `Date` (not `X-Amz-Date`) may also give as HTTP has it."""
    if "," not in text:
        return text
    try:
        return parsedate_to_datetime(text).astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    except (ValueError, OverflowError):
        return text


def _from_query(request: HttpRequest, query: Mapping[str, str]) -> Claim:
    if request.method not in {"GET", "HEAD"}:
        # A web page can make a browser send such a POST, but not one with an Authorization header.
        raise _incomplete("Presigned URLs are for GET only; sign other methods with an Authorization header")
    names = [name for name, _ in request.query]
    needed = [f"X-Amz-{name}" for name in ("Algorithm", *_PARAMETERS, "Date", "Expires")]
    for name in needed:
        if not query.get(name):
            raise _incomplete(f"AWS query-string parameters must include '{name}'.")
        if names.count(name) > 1:
            raise _incomplete(f"The query-string parameter '{name}' is there more than once.")
    if query["X-Amz-Algorithm"] != ALGORITHM:
        raise _incomplete(f"X-Amz-Algorithm must be {ALGORITHM}")
    expires = query["X-Amz-Expires"]
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 6 and 1 <= int(expires) <= 604800):
        raise _incomplete("X-Amz-Expires must be a number of seconds from 1 to 604800 (a week)")
    parts = {name: query[f"X-Amz-{name}"] for name in _PARAMETERS}
    return _claim(parts, query["X-Amz-Date"], expires_s=int(expires))


def _claim(parts: Mapping[str, str], timestamp: str, *, expires_s: int | None) -> Claim:
    credential = parts["Credential"].rsplit("/", 4)
    if len(credential) != 5 or not all(credential):
        raise _incomplete(
            "Credential must have the form <access key id>/<date>/<region>/<service>/aws4_request"
        )
    if not _BASIC_DATE.fullmatch(timestamp):
        raise _incomplete("Date must be in ISO-8601 'basic format', such as 20260131T235959Z")
    access_key_id, date, region, service, terminator = credential
    return Claim(
        access_key_id=access_key_id,
        scope=CredentialScope(date=date, region=region, service=service, terminator=terminator),
        signed_headers=tuple(parts["SignedHeaders"].lower().split(";")),
        signature=parts["Signature"],
        timestamp=timestamp,
        expires_s=expires_s,
    )
