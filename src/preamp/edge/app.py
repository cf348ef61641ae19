"""The edge as an ASGI application: all behaviour is here, the fast lane only repeats its answers."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

from preamp.compute.client import ComputeUnavailable
from preamp.edge.accesslog import Watched, repeated_line, write_line
from preamp.edge.answer import Answer
from preamp.edge.compose import decide
from preamp.edge.compute import NoSuchPage, Servers, failure
from preamp.edge.countries import Countries
from preamp.edge.fastlane.memo import Memo, Prepared
from preamp.edge.hosts import is_default_host, parse_host, without_port
from preamp.edge.optimise import Optimiser
from preamp.edge.outcome import Compute, Forward, Image, Message, Outcome
from preamp.edge.plain import health, plain, unavailable
from preamp.edge.proxy.forward import Forwarder, Job
from preamp.edge.proxy.passage import Way
from preamp.edge.render import custom_headers, render
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
from preamp.edge.shortcuts import MEMO_KEY, Shortcuts
from preamp.edge.site import LoadedSite
from preamp.edge.table import SiteTable, SiteUnavailable
from preamp.edge.tallies import Source, Tallies
from preamp.edge.upstream.errors import UpstreamError, UpstreamRefused, UpstreamTimeout
from preamp.edge.upstream.origin import split_url
from preamp.edge.visitors import Trust
from preamp.store.access_logs import AccessLog
from preamp.store.blobs import BlobStore

HEALTH = "/_preamp/health"
LONGEST_TARGET = 8192
"""Characters of path and query; longer ones are answered with 414."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The site of a request."""

    site: LoadedSite
    name: str
    """Of its access log."""
    request: Request


class EdgeApp:
    """`country_header` names the header in which trusted proxies tell the country, in lower case."""

    def __init__(
        self,
        *,
        table: SiteTable,
        blobs: BlobStore,
        memo: Memo,
        forwarder: Forwarder,
        servers: Servers,
        optimiser: Optimiser,
        site_domain: str,
        trust: Trust,
        country_header: str | None = None,
        countries: Countries | None = None,
        access_log: AccessLog | None = None,
        shortcuts: Shortcuts,
        tallies: Tallies,
    ) -> None:
        self._table = table
        self._blobs = blobs
        self._memo = memo
        self._forwarder = forwarder
        self._servers = servers
        self._optimiser = optimiser
        self._site_domain = site_domain
        self._trust = trust
        self._country_header = country_header
        self._countries = countries
        self._log = access_log
        self._shortcuts = shortcuts
        self._tallies = tallies

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        head = scope["method"] == "HEAD"
        watched = Watched(send)
        found: Found | None = None
        forwarded = False
        try:
            refusal = self._refusal(scope, head)
            if refusal is None:
                found = await self._find(scope)
            if found is None:
                text = "404 Not Found: there is no site at this host name.\n"
                await self._send(scope, receive, watched, refusal or plain(404, text, head), None)
                return
            outcome = decide(found.request, found.site)
            forwarded = isinstance(outcome, Forward | Compute)
            await self._answer(found, outcome, scope, receive, watched)
        except SiteUnavailable:
            await self._send(scope, receive, watched, unavailable(head), None)
        except BlobUnreadable as error:
            log.error("a file of %s cannot be read: %s", found.site.site.release_id if found else "?", error)
            await self._send(scope, receive, watched, unavailable(head), None)
        finally:
            tally = self._tallies.of(watched.status, Source.FORWARDED if forwarded else Source.MADE)
            tally.requests += 1
            tally.sent += watched.sent
            if self._log is not None and found is not None:
                write_line(
                    self._log,
                    app_id=found.site.app_id,
                    name=found.name,
                    request=found.request,
                    scope=scope,
                    watched=watched,
                    forwarded=forwarded,
                )

    async def _answer(
        self,
        found: Found,
        outcome: Outcome,
        scope: MutableMapping[str, Any],
        receive: Receive,
        watched: Watched,
        *,
        memoise: bool = True,
    ) -> None:
        """Raises BlobUnreadable before anything is sent."""
        request, site = found.request, found.site
        match outcome:
            case Forward():
                await self._forward(found, outcome, scope, receive, watched)
            case Compute():
                try:
                    await self._servers.answer(request, site, outcome, scope, receive, watched)
                    if memoise:
                        self._shortcuts.remember(
                            scope,
                            request,
                            site,
                            found.name,
                            lambda asked: self._servers.way(asked, site, outcome),
                        )
                except NoSuchPage:
                    assert outcome.second is not None, "else a 404 is passed on"
                    await self._answer(found, outcome.second, scope, receive, watched, memoise=False)
                except (ComputeUnavailable, UpstreamError) as error:
                    log.warning("the server of release %s: %s", site.site.release_id, error)
                    answer = render(request, site, failure(error))
                    await self._send(scope, receive, watched, answer, None)
            case Image():
                try:
                    answer = await self._optimiser.answer(request, site, outcome)
                except NoSuchPage:
                    assert outcome.second is not None, "else a 404 is passed on"
                    await self._answer(found, outcome.second, scope, receive, watched, memoise=False)
                else:
                    await self._send(scope, receive, watched, answer, None)
            case _:
                answer = render(request, site, outcome)
                await self._send(scope, receive, watched, answer, found if memoise else None)

    def _refusal(self, scope: MutableMapping[str, Any], head: bool) -> Answer | None:
        """The answer where no site is asked."""
        raw_path = scope["raw_path"]
        if raw_path == HEALTH.encode():
            return health(head)
        if sum(name == b"host" for name, _ in scope["headers"]) != 1:
            return plain(400, "400 Bad Request: exactly one Host header is needed.\n", head)
        if len(raw_path) + len(scope["query_string"]) > LONGEST_TARGET:
            return plain(414, "414 URI Too Long\n", head)
        return None

    async def _find(self, scope: MutableMapping[str, Any]) -> Found | None:
        """Raises SiteUnavailable."""
        headers = join_headers(scope["headers"])
        authority = headers["host"]
        if self._table.is_stale():
            await self._table.freshen()
        where = await self._locate(authority)
        site = await self._table.find(where[0], where[1]) if where else None
        if where is None or site is None:
            return None
        peer = scope.get("client")
        source = self._trust.source(peer[0] if peer else "", scope["scheme"], headers)
        country = None
        if site.rules.has_conditions:
            told = headers.get(self._country_header) if self._country_header and source.is_trusted else None
            country = told.strip().upper() if told else None
            if country is None and self._countries is not None:
                country = self._countries.of(source.address)
        request = Request(
            method=scope["method"],
            scheme=source.scheme,
            authority=authority,
            raw_path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            country=country,
            address=source.address,
            forwarded_for=source.chain,
        )
        return Found(site=site, name=where[2], request=request)

    async def _locate(self, authority: str) -> tuple[str, str, str] | None:
        """App, label, and the name of the access log."""
        name = parse_host(authority, self._site_domain)
        if name is not None:
            return name.app_id, name.label, f"{name.label}.{name.app_id}.{without_port(self._site_domain)}"
        if is_default_host(authority, self._site_domain):
            return None
        custom = await self._table.find_host(without_port(authority))
        return (custom.app_id, custom.label, custom.name) if custom else None

    async def _send(
        self,
        scope: MutableMapping[str, Any],
        receive: Receive,
        watched: Watched,
        answer: Answer,
        found: Found | None,
    ) -> None:
        """Raises BlobUnreadable before anything is sent."""
        if answer.length > WHOLE:
            await send_in_pieces(self._blobs, receive, watched, answer)
            return
        body = await read_whole(self._blobs, answer)
        await send_whole(watched, answer, body)
        key = scope.get(MEMO_KEY)
        # The site may have been replaced while its file was read: then this answer is not for the next.
        if key is not None and answer.memoise and found is not None and self._table.is_current(found.site):
            line = None
            if self._log is not None:
                line = repeated_line(
                    self._log,
                    app_id=found.site.app_id,
                    name=found.name,
                    request=found.request,
                    answer=answer,
                    watched=watched,
                )
            tally = self._tallies.of(answer.status, Source.PREPARED)
            self._memo.put(key, Prepared.of(answer, body, line, tally), owner=found.site.app_id)

    async def _forward(
        self,
        found: Found,
        outcome: Forward,
        scope: MutableMapping[str, Any],
        receive: Receive,
        watched: Watched,
    ) -> None:
        request, site = found.request, found.site
        try:
            origin, target = split_url(outcome.url)

            def job(asked: Request) -> Job:
                return Job(
                    request=asked,
                    origin=origin,
                    target=target,
                    keep_authorization=site.credentials is None,
                    change=custom_headers(asked, site),
                )

            def way(asked: Request) -> Way:
                return Way(job=job(asked), pool=self._forwarder.pool, enter=lambda: (origin, _nothing))

            await self._forwarder.forward(job(request), scope, receive, watched)
            self._shortcuts.remember(scope, request, site, found.name, way)
        except UpstreamError as error:
            log.warning("%s: a rule leads to %s: %s", request.authority, outcome.url, error)
            answer = render(request, site, _why(error))
            await self._send(scope, receive, watched, answer, None)


def _nothing() -> None:
    """A server that is not ours need not be told that it was of use."""


def _why(error: UpstreamError) -> Message:
    """Without the address, which may tell about the network behind."""
    match error:
        case UpstreamRefused():
            text = "502 Bad Gateway: this rule leads to an address that sites may not reach.\n"
        case UpstreamTimeout():
            text = "504 Gateway Timeout: the server behind this address did not answer in time.\n"
        case _ if error.status == 503:
            text = "503 Service Unavailable: too many requests to other servers are under way.\n"
        case _ if error.status == 508:
            text = "508 Loop Detected: the rules of this site lead in a circle.\n"
        case _:
            text = "502 Bad Gateway: the server behind this address gave no usable answer.\n"
    return Message(status=error.status, text=text)
