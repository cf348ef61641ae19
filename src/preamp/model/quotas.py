"""Quotas: how much an account may have in a region. Numbers: behaviour reference, section 10."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Quota(StrEnum):
    """Names as `preamp quotas` shows them."""

    APPS = "apps"  # apps of an account and region
    APP_CREATIONS_PER_HOUR = "app-creations-per-hour"  # CreateApp calls of an account and region
    BRANCHES_PER_APP = "branches-per-app"  # branches of one app
    CONCURRENT_JOBS = "concurrent-jobs"  # jobs of an account and region that run at once
    DOMAINS_PER_APP = "domains-per-app"  # domain associations of one app
    SUBDOMAINS_PER_DOMAIN = "subdomains-per-domain"  # subdomains of one domain association
    WEBHOOKS_PER_APP = "webhooks-per-app"  # incoming webhooks of one app


DEFAULTS: Mapping[Quota, int | None] = {
    Quota.APPS: 25,
    # AWS's 25 guard a shared service; a test suite that makes an app per test would only run into them.
    Quota.APP_CREATIONS_PER_HOUR: None,
    Quota.BRANCHES_PER_APP: 50,
    # The setting `concurrent_jobs` has this number, and says it anew for all accounts.
    Quota.CONCURRENT_JOBS: 5,
    Quota.DOMAINS_PER_APP: 5,
    Quota.SUBDOMAINS_PER_DOMAIN: 50,
    Quota.WEBHOOKS_PER_APP: 50,
}
"""AWS's own numbers, except where a comment says otherwise; `None`: no limit."""

MAX_QUOTA = 1_000_000_000
"""More is not a limit any more."""
