"""Rules that can never apply are kept with the reason; they do not disturb the others."""

from __future__ import annotations


class IgnoredRule(ValueError):
    """Why a rule is left out."""
