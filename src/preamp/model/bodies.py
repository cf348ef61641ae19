"""Bytes in the blob store, as releases refer to them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A blob and its length."""

    blob: str
    """SHA-256 in lower-case hexadecimal: the blob's name."""
    size: int
    """Bytes."""
