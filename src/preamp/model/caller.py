"""Who calls: decided by the wire layer from the signature, used by every operation."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """The world a row belongs to; two regions of one account see nothing of each other."""

    account: str
    """Twelve digits."""
    region: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """An authenticated client and its request."""

    scope: Scope
    access_key_id: str
    arn: str
    """`arn:aws:iam::{account}:user/{key name}`."""
    request_id: str
    endpoint: str
    """Scheme and authority under which the client reached us, such as `http://127.0.0.1:7732`;
    presigned URLs point back to it."""
