"""The schema's history, oldest first. A migration never changes once it was released."""

from __future__ import annotations

from types import ModuleType

from preamp.store.migrations import m0001_first

MIGRATIONS: tuple[ModuleType, ...] = (m0001_first,)
