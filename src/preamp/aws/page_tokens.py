"""`nextToken`: where a list goes on, opaque to clients, signed, and good for one list only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

import msgspec

from preamp.model.caller import Scope
from preamp.model.errors import BadRequest

_SIGNATURE_BYTES = 16
MAX_TOKEN = 2000
"""Characters; the model's limit of a `nextToken`."""

Key = tuple[str | int, ...]


class PageTokens:
    """Makes and reads tokens. `secret` must be the same in every process and over restarts."""

    def __init__(self, secret: bytes) -> None:
        if len(secret) < 16:
            raise ValueError("the secret of page tokens needs at least 16 bytes")
        self._secret = secret

    def encode(self, key: Key, *, operation: str, parent: str, scope: Scope) -> str:
        """A token that continues after `key`, the keyset position of the page's last row.

        `parent` is what is listed under, such as an app id and a branch name; it is bound, not stored.
        """
        payload = msgspec.json.encode(key)
        signature = self._sign(payload, operation, parent, scope)
        return base64.urlsafe_b64encode(signature + payload).decode().rstrip("=")

    def decode(self, token: str, *, operation: str, parent: str, scope: Scope) -> Key:
        """The `key` given to `encode`.

        Raises BadRequest for a token that is damaged, or made for another list, account or region.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _bad() from None
        signature, payload = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        # The second test refuses other spellings of the same bytes: one list position, one token.
        if (
            not hmac.compare_digest(signature, self._sign(payload, operation, parent, scope))
            or base64.urlsafe_b64encode(raw).decode().rstrip("=") != token
        ):
            raise _bad()
        return msgspec.json.decode(payload, type=Key)

    def _sign(self, payload: bytes, operation: str, parent: str, scope: Scope) -> bytes:
        bound = msgspec.json.encode([operation, parent, scope.account, scope.region])
        digest = hmac.digest(self._secret, b"page\n" + bound + b"\n" + payload, hashlib.sha256)
        return digest[:_SIGNATURE_BYTES]


def _bad() -> BadRequest:
    return BadRequest("Invalid nextToken: it is damaged or was made for another list")
