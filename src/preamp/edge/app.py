"""The edge as an ASGI application: all behaviour is here, the fast lane only repeats its answers."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from preamp.edge.answer import Answer, make_answer
from preamp.edge.compose import decide
from preamp.edge.fastlane.memo import Memo, Prepared
from preamp.edge.hosts import parse_host
from preamp.edge.render import OWN_CACHE_CONTROL, render
from preamp.edge.request import Request, join_headers
from preamp.edge.sending import (
    WHOLE,
    BlobUnreadable,
    Receive,
    Send,
    read_whole,
    send_in_pieces,
    send_whole,
)
from preamp.edge.site import LoadedSite
from preamp.edge.table import SiteTable, SiteUnavailable
from preamp.store.blobs import LocalBlobs

HEALTH = "/_preamp/health"
LONGEST_TARGET = 8192
"""Characters of path and query; longer ones are answered with 414."""
MEMO_KEY = "preamp.memo_key"
"""In the ASGI scope: set by the fast lane for requests whose answer it may repeat."""

log = logging.getLogger(__name__)


class EdgeApp:
    """`country_header` names the header to trust for country conditions; None: the country is unknown."""

    def __init__(
        self,
        *,
        table: SiteTable,
        blobs: LocalBlobs,
        memo: Memo,
        site_domain: str,
        country_header: str | None = None,
    ) -> None:
        self._table = table
        self._blobs = blobs
        self._memo = memo
        self._site_domain = site_domain
        self._country_header = country_header.lower() if country_header else None

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        head = scope["method"] == "HEAD"
        site: LoadedSite | None = None
        try:
            answer, site = await self._answer(scope)
            if answer.length > WHOLE:
                await send_in_pieces(self._blobs, receive, send, answer)
                return
            body = await read_whole(self._blobs, answer)
        except SiteUnavailable:
            answer = _plain(503, "503 Service Unavailable: try again in a moment.\n", head, retry=True)
            body = b"".join(part for part in answer.body if isinstance(part, bytes))
        except BlobUnreadable as error:
            log.error("a file of %s cannot be read: %s", site.site.release_id if site else "?", error)
            answer = _plain(503, "503 Service Unavailable: try again in a moment.\n", head, retry=True)
            body = b"".join(part for part in answer.body if isinstance(part, bytes))
        key = scope.get(MEMO_KEY)
        # The site may have been replaced while its file was read: then this answer is not for the next.
        if key is not None and answer.memoise and site is not None and self._table.is_current(site):
            self._memo.put(key, Prepared.of(answer, body), owner=site.app_id)
        await send_whole(send, answer, body)

    async def _answer(self, scope: MutableMapping[str, Any]) -> tuple[Answer, LoadedSite | None]:
        head = scope["method"] == "HEAD"
        raw_path = scope["raw_path"].decode("latin-1")
        if raw_path == HEALTH:
            return _health(head), None
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1:
            return _plain(400, "400 Bad Request: exactly one Host header is needed.\n", head), None
        if len(raw_path) + len(scope["query_string"]) > LONGEST_TARGET:
            return _plain(414, "414 URI Too Long\n", head), None
        request = self._request(scope, hosts[0].decode("latin-1"), raw_path)
        if self._table.is_stale():
            await self._table.freshen()
        name = parse_host(request.authority, self._site_domain)
        site = await self._table.find(name.app_id, name.label) if name else None
        if site is None:
            return _plain(404, "404 Not Found: there is no site at this host name.\n", head), None
        return render(request, site, decide(request, site)), site

    def _request(self, scope: MutableMapping[str, Any], authority: str, raw_path: str) -> Request:
        headers = join_headers(scope["headers"])
        country = headers.get(self._country_header) if self._country_header else None
        return Request(
            method=scope["method"],
            scheme=scope["scheme"],
            authority=authority,
            raw_path=raw_path,
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            country=country.strip().upper() if country else None,
        )


def _health(head: bool) -> Answer:
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return make_answer(200, headers, (b'{"status":"ok","role":"edge"}',), head=head)


def _plain(status: int, text: str, head: bool, *, retry: bool = False) -> Answer:
    headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": OWN_CACHE_CONTROL}
    if retry:
        headers["Retry-After"] = "1"
    return make_answer(status, headers, (text.encode(),), head=head)
