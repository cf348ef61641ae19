"""Keyset paging, the same for every list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from preamp.api.services import Services
from preamp.model.caller import Caller

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """One request for a page of a list."""

    services: Services
    caller: Caller
    operation: str
    parent: str
    """What is listed under, such as the app id; part of what the token is bound to."""
    limit: int
    after: int | None
    """The key of the last row of the page before; None on the first page."""

    def cut(self, rows: Sequence[tuple[int, T]]) -> tuple[tuple[T, ...], str | None]:
        """The page and its `nextToken`, from `limit + 1` (key, item) rows or fewer."""
        page = rows[: self.limit]
        token = None
        if len(rows) > self.limit:
            token = self.services.tokens.encode(
                (page[-1][0],),
                operation=self.operation,
                parent=self.parent,
                scope=self.caller.scope,
            )
        return tuple(item for _, item in page), token


def page_of(
    services: Services,
    caller: Caller,
    *,
    operation: str,
    parent: str = "",
    max_results: int | None,
    next_token: str | None,
    most: int = 50,
) -> Page:
    """Without `maxResults` (or with 0) a page is as long as it may be. Raises BadRequest for a bad token."""
    after: int | None = None
    if next_token:
        key = services.tokens.decode(next_token, operation=operation, parent=parent, scope=caller.scope)
        after = int(key[0])
    return Page(
        services=services,
        caller=caller,
        operation=operation,
        parent=parent,
        limit=max_results or most,
        after=after,
    )
