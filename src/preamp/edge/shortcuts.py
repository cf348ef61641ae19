"""What the application remembers of a forwarded request, so that the next one like it takes the short way."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import replace
from typing import Any

from preamp.edge.fastlane.memo import Memo
from preamp.edge.proxy.known import Answers
from preamp.edge.proxy.passage import Route, Way
from preamp.edge.request import Request
from preamp.edge.site import LoadedSite
from preamp.edge.table import SiteTable
from preamp.edge.tallies import Tallies
from preamp.store.access_logs import AccessLog

MEMO_KEY = "preamp.memo_key"
"""In the ASGI scope: set by the fast lane for requests whose answer it may repeat."""


class Shortcuts:
    """`remember` is called when a request was forwarded without trouble."""

    def __init__(
        self, *, memo: Memo, table: SiteTable, access_log: AccessLog | None, tallies: Tallies
    ) -> None:
        self._memo = memo
        self._table = table
        self._log = access_log
        self._tallies = tallies

    def remember(
        self,
        scope: MutableMapping[str, Any],
        request: Request,
        site: LoadedSite,
        name: str,
        way: Callable[[Request], Way],
    ) -> None:
        """`name` is that of the access log; `way` is called where something is remembered: not where the
        decision depends on more than the memo's key."""
        key = scope.get(MEMO_KEY)
        if key is None or not site.is_memoisable or self._memo.get(key) is not None:
            return
        if not self._table.is_current(site):
            return
        # What the key does not tell does not matter, and a visitor may say much.
        asked = replace(request, headers={}, address="", forwarded_for=())
        answers = Answers(
            request=asked, app_id=site.app_id, name=name, access_log=self._log, tallies=self._tallies
        )
        self._memo.put(key, Route(way=way(asked), answers=answers), owner=site.app_id)
