"""Answers image requests: parameters, source, kept result or a new one, headers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from preamp.edge.conditional import Verdict, http_date, judge_headers
from preamp.edge.images import hosts
from preamp.edge.images.errors import ImageError
from preamp.edge.images.fetch import Fetcher
from preamp.edge.images.flights import Flights
from preamp.edge.images.negotiate import choose
from preamp.edge.images.operation import Order
from preamp.edge.images.parameters import Wanted, parse
from preamp.edge.images.processes import Transformers
from preamp.edge.images.results import Result, Results, Seen, result_name, source_digest
from preamp.edge.images.sniff import Kind, kind_of
from preamp.edge.images.source import Source, fresh_seconds, usable
from preamp.edge.upstream.pool import Pool
from preamp.model.deploy_manifest import ImageSettings
from preamp.model.times import now_ms

SVG_POLICY = "script-src 'none'; sandbox"
Local = Callable[[str], Awaitable[Source]]
"""Answers a GET of a path, with its query, of the same site. May raise ImageError."""

_inside: ContextVar[bool] = ContextVar("inside", default=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageAnswer:
    status: int
    headers: dict[str, str]
    """Without `Content-Length`."""
    body: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Found:
    """A source that is an image."""

    seen: Seen
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class _Choice:
    """What is to be sent of a source."""

    seen: Seen
    order: Order | None
    """None: the source as it is."""
    name: str
    """Of the result."""

    @property
    def content_type(self) -> str:
        return self.order.format.value if self.order else self.seen.kind.content_type


class Images:
    """Of one edge process. `folder` and its `max_bytes` are shared by the processes of a machine."""

    def __init__(self, folder: Path, pool: Pool, *, processes: int, seconds: float, max_bytes: int) -> None:
        """`pool` decides which addresses are fetched from; `seconds` is for a fetch, and for a change."""
        self._results = Results(folder, max_bytes=max_bytes)
        self._fetcher = Fetcher(pool, seconds=seconds)
        self.transformers = Transformers(count=processes, seconds=seconds)
        self._fetches: Flights[tuple[str, ImageSettings], _Found] = Flights()
        self._changes: Flights[str, Result] = Flights()

    async def close(self) -> None:
        """End what is under way, and the child processes."""
        await self._fetches.close()
        await self._changes.close()
        await self.transformers.close()

    async def respond(
        self,
        *,
        query: str,
        accept: str | None,
        settings: ImageSettings,
        local: Local,
        cache_control: str | None,
        conditions: Mapping[str, str],
    ) -> ImageAnswer:
        """The answer to a GET. HEAD is the same without the body.

        `query` as sent, `cache_control` the route's. `conditions` are the request's headers by lower-case
        name, for answers with 304 and 412.
        """
        try:
            wanted = parse(query, settings)
            if hosts.is_remote(wanted.url):
                choice, result = await self._of_remote(wanted, accept, settings)
            else:
                choice, result = await self._of_local(wanted, accept, settings, local)
            return _answer(choice, result, settings, cache_control, conditions)
        except ImageError as error:
            headers = {"Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-cache"}
            if error.retry_seconds is not None:
                headers["Retry-After"] = str(error.retry_seconds)
            return ImageAnswer(status=error.status, headers=headers, body=f"{error}\n".encode())

    async def _of_local(
        self, wanted: Wanted, accept: str | None, settings: ImageSettings, local: Local
    ) -> tuple[_Choice, Result]:
        if _inside.get():
            raise ImageError(400, "url leads to an optimised image: it has to be the image itself")
        token = _inside.set(True)
        try:
            source = await local(hosts.local_target(wanted.url))
        finally:
            _inside.reset(token)
        found = await _examine(source, until_ms=0)
        choice = _choose(wanted, found.seen, accept, settings)
        if choice.order is None:
            return choice, Result(made_ms=None, body=found.body)
        return choice, await self._make(choice, found.body)

    async def _of_remote(
        self, wanted: Wanted, accept: str | None, settings: ImageSettings
    ) -> tuple[_Choice, Result]:
        hosts.check(wanted.url, settings)
        seen = await self._results.seen(wanted.url, settings.minimum_cache_ttl)
        if seen is not None:
            choice = _choose(wanted, seen, accept, settings)
            kept = await self._results.find(choice.name)
            if kept is not None:
                return choice, kept
        found = await self._fetches.join((wanted.url, settings), lambda: self._fetch(wanted.url, settings))
        choice = _choose(wanted, found.seen, accept, settings)
        return choice, await self._make(choice, found.body)

    async def _fetch(self, url: str, settings: ImageSettings) -> _Found:
        source = await self._fetcher.fetch(url, lambda hop: hosts.check(hop, settings))
        seconds = max(settings.minimum_cache_ttl, fresh_seconds(source.cache_control))
        found = await _examine(source, until_ms=now_ms() + seconds * 1000)
        if seconds:
            await self._results.note(url, settings.minimum_cache_ttl, found.seen)
        return found

    async def _make(self, choice: _Choice, source: bytes) -> Result:
        kept = await self._results.find(choice.name)
        if kept is not None:
            return kept

        async def work() -> Result:
            body = source if choice.order is None else await self.transformers.run(choice.order, source)
            return await self._results.keep(choice.name, body)

        return await self._changes.join(choice.name, work)


async def _examine(source: Source, *, until_ms: int) -> _Found:
    body = usable(source)
    kind = kind_of(body)
    if kind is None:
        raise ImageError(400, "the source is no image of a known kind: JPEG, PNG, WebP, AVIF, GIF or SVG")
    digest = source.digest
    if digest is None:
        digest = await asyncio.to_thread(source_digest, body)
    seen = Seen(digest=digest, kind=kind, until_ms=until_ms, cache_control=source.cache_control)
    return _Found(seen=seen, body=body)


def _choose(wanted: Wanted, seen: Seen, accept: str | None, settings: ImageSettings) -> _Choice:
    if seen.kind is Kind.SVG and not settings.dangerously_allow_svg:
        raise ImageError(400, "the source is an SVG, which this site does not allow")
    order = None
    if seen.kind.format is not None:
        made = choose(accept, wanted=wanted.format, allowed=settings.formats, source=seen.kind.format)
        order = Order(
            operation=wanted.operation,
            format=made,
            # As in Amplify: `quality` counts only where the format changes.
            quality=wanted.quality if made is not seen.kind.format else None,
        )
    return _Choice(seen=seen, order=order, name=result_name(seen.digest, order))


def _answer(
    choice: _Choice,
    result: Result,
    settings: ImageSettings,
    cache_control: str | None,
    conditions: Mapping[str, str],
) -> ImageAnswer:
    """Raises ImageError (412)."""
    seconds = max(settings.minimum_cache_ttl, fresh_seconds(choice.seen.cache_control))
    headers = {
        "Content-Type": choice.content_type,
        "Cache-Control": cache_control or f"public, max-age={seconds}",
        "ETag": f'"{choice.name[:32]}"',
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
    }
    if result.made_ms is not None:
        headers["Last-Modified"] = http_date(result.made_ms)
    if choice.seen.kind is Kind.SVG:
        headers["Content-Security-Policy"] = SVG_POLICY
    match judge_headers(conditions, headers["ETag"], headers.get("Last-Modified", "")):
        case Verdict.NOT_MODIFIED:
            del headers["Content-Type"]
            return ImageAnswer(status=304, headers=headers)
        case Verdict.FAILED:
            raise ImageError(412, "the image is not the one that the request is for")
        case Verdict.SEND:
            return ImageAnswer(status=200, headers=headers, body=result.body)
