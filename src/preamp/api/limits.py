"""Quotas as the operations ask about them."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from preamp.model.caller import Scope
from preamp.model.errors import BadRequest, LimitExceeded
from preamp.model.quotas import DEFAULTS, Quota
from preamp.store import apps, quotas


def refuse_over(
    conn: Connection, scope: Scope, quota: Quota, *, have: Callable[[], int], message: str
) -> None:
    """Raise LimitExceeded with `message` when one more than `have()` would be over the quota."""
    limit = quotas.limit_of(conn, scope, quota, default=DEFAULTS[quota])
    if limit is not None and have() >= limit:
        raise LimitExceeded(message)


def admit_app(conn: Connection, scope: Scope, *, now: int) -> None:
    """Count a creation of an app. Raises LimitExceeded, or BadRequest when they come too fast: that is
    the code AWS was seen to use (behaviour reference, section 3.5)."""
    refuse_over(
        conn,
        scope,
        Quota.APPS,
        have=lambda: apps.count_apps(conn, scope),
        message="Failed to create app. You have reached the maximum number of apps in this account.",
    )
    rate = quotas.limit_of(
        conn, scope, Quota.APP_CREATIONS_PER_HOUR, default=DEFAULTS[Quota.APP_CREATIONS_PER_HOUR]
    )
    if rate is not None and quotas.app_creations_since(conn, scope, now - quotas.HOUR_MS) >= rate:
        raise BadRequest("Rate exceeded while calling CreateApp, please slow down or try again later.")
    quotas.note_app_creation(conn, scope, now=now)
