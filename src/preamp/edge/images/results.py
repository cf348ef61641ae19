"""What is kept of earlier requests: images by source and order, and what a remote URL held when last seen."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from preamp.edge.images.cache import FileCache
from preamp.edge.images.operation import Order
from preamp.edge.images.sniff import Kind
from preamp.model.times import now_ms

VERSION = 1
"""Of the way images are made and noted: another number, and all are made again."""

log = logging.getLogger(__name__)
AnyNote = TypeVar("AnyNote")


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """An image that was made."""

    made_ms: int | None
    """None: the source itself."""
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What was at a remote URL."""

    digest: str
    kind: Kind
    until_ms: int
    """When it has to be asked for again."""
    cache_control: str | None
    """Of its server."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    at_ms: int


class Results:
    """On disk, within a bound. What cannot be read or written is made again, and the log says so."""

    def __init__(self, folder: Path, *, max_bytes: int) -> None:
        self._files = FileCache(folder, max_bytes=max_bytes)

    async def find(self, name: str) -> Result | None:
        """By a name of `result_name`."""
        found = await self._get(name, _Made)
        return Result(made_ms=found[0].at_ms, body=found[1]) if found else None

    async def keep(self, name: str, body: bytes) -> Result:
        made = _Made(at_ms=now_ms())
        await self._put(name, made, body)
        return Result(made_ms=made.at_ms, body=body)

    async def seen(self, url: str, least_seconds: int) -> Seen | None:
        """As noted with the same `least_seconds`; None too when it is no longer fresh."""
        found = await self._get(_url_name(url, least_seconds), Seen)
        return found[0] if found and found[0].until_ms > now_ms() else None

    async def note(self, url: str, least_seconds: int, seen: Seen) -> None:
        """`least_seconds`: the site's. What one site keeps for a year another may want to see renewed."""
        await self._put(_url_name(url, least_seconds), seen, b"")

    async def _get(self, name: str, kind: type[AnyNote]) -> tuple[AnyNote, bytes] | None:
        try:
            data = await asyncio.to_thread(self._files.get, name)
        except OSError as error:
            log.error("the cache of images cannot be read: %s", error)
            return None
        if data is None:
            return None
        size = int.from_bytes(data[:4], "little")
        return msgspec.json.decode(data[4 : 4 + size], type=kind), data[4 + size :]

    async def _put(self, name: str, note: object, body: bytes) -> None:
        text = msgspec.json.encode(note)
        data = len(text).to_bytes(4, "little") + text + body
        try:
            await asyncio.to_thread(self._files.put, name, data)
        except OSError as error:
            log.error("the cache of images cannot be written: %s", error)


def source_digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


def result_name(digest: str, order: Order | None) -> str:
    """`digest` is the source's, `order` None when it is sent as it is."""
    return _digest(b"%d image" % VERSION, digest.encode(), msgspec.json.encode(order))


def _url_name(url: str, least_seconds: int) -> str:
    return _digest(b"%d url %d" % (VERSION, least_seconds), url.encode())


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()
