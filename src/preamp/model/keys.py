"""An access key: who may call, for which account, and what the key's policy says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A stored access key with its secret in clear; never logged (`repr` leaves the secret out)."""

    access_key_id: str
    secret: str = field(repr=False)
    account: str
    """Twelve digits: the account whose world the key opens."""
    name: str
    """The user name of the caller's ARN, `arn:aws:iam::{account}:user/{name}`."""
    policy: str | None
    """JSON text of an IAM-style policy; `None`: administrator."""
    enabled: bool
    created_ms: int = 0


KeyLookup = Callable[[str], Key | None]
"""Access key id -> key, or `None` when there is none. Called for every request, from many threads."""
