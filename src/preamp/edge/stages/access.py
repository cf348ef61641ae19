"""Who may visit: lists of addresses, then basic authentication (behaviour reference 7.5)."""

from __future__ import annotations

import base64
import binascii
import hmac

from preamp.edge.outcome import Message, Outcome
from preamp.edge.request import Request
from preamp.edge.site import LoadedSite


def addresses(request: Request, site: LoadedSite) -> Outcome | None:
    """403 for visitors that the lists of the app or the branch keep out."""
    if site.guard.admits(request.address):
        return None
    return Message(status=403, text="403 Forbidden: this site does not serve your address.\n")


def basic_auth(request: Request, site: LoadedSite) -> Outcome | None:
    """401 without the right credentials. CORS preflights are challenged too, as Amplify does."""
    if site.credentials is None:
        return None
    scheme, _, token = request.headers.get("authorization", "").strip().partition(" ")
    try:
        given = base64.b64decode(token.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        given = b""
    # Compared also when empty: the time tells nothing.
    right = hmac.compare_digest(given, site.credentials)
    if right and site.credentials:
        return None
    return Message(
        status=401,
        text="401 Unauthorized: this site needs a user name and a password.\n",
        headers={"WWW-Authenticate": 'Basic realm="Authentication required", charset="UTF-8"'},
    )
