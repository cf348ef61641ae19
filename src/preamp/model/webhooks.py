"""An incoming webhook: a URL whose holder may start a build of one branch."""

from __future__ import annotations

import secrets
import string
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

_ALPHANUMERIC = string.ascii_letters + string.digits
_TOKEN_LENGTH = 40


def new_webhook_id() -> str:
    """A random UUID with hyphens."""
    return str(uuid.uuid4())


def new_token() -> str:
    """40 letters and digits: 238 bits that nobody guesses."""
    return "".join(secrets.choice(_ALPHANUMERIC) for _ in range(_TOKEN_LENGTH))


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """A stored webhook."""

    webhook_id: str
    app_id: str
    branch_id: int
    branch_name: str
    description: str
    token_sealed: bytes = field(repr=False)
    """Sealed with the webhook id as its owner; GetWebhook has to show it, so a hash is not enough."""
    created_ms: int
    updated_ms: int
    tags: Mapping[str, str] = field(default_factory=dict)
