"""Image optimisation for tests: requests to `Images`, and pictures to send and look at."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pyvips

from preamp.edge.images.images import ImageAnswer, Images
from preamp.edge.images.source import Source
from preamp.edge.networks import NetworkSet
from preamp.edge.upstream.addresses import AddressPolicy
from preamp.edge.upstream.pool import Pool
from preamp.model.deploy_manifest import ImageFormat, ImageSettings
from preamp.model.hosting import parse_network

T = TypeVar("T")
SIZES = (16, 50, 100, 200, 300, 400, 640, 1000, 2000, 4000, 8000)
PNG = b"\x89PNG\r\n\x1a\n"


def image_settings(**changes: Any) -> ImageSettings:
    usual: dict[str, Any] = {
        "sizes": SIZES,
        "domains": (),
        "remote_patterns": (),
        "formats": tuple(ImageFormat),
        "minimum_cache_ttl": 60,
        "dangerously_allow_svg": False,
    }
    return ImageSettings(**usual | changes)


class Optimiser:
    """An `Images` with the files of a site, on an event loop of its own."""

    def __init__(self, folder: Path, *, networks: tuple[str, ...] = (), **changes: Any) -> None:
        self.folder = folder
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.cache_control: str | None = None
        self._loop = asyncio.new_event_loop()
        self.pool = Pool(AddressPolicy(NetworkSet(map(parse_network, networks))))
        usual: dict[str, Any] = {"processes": 2, "seconds": 20.0, "max_bytes": 1 << 28}
        self.images = self.run(self._make(usual | changes))

    async def _make(self, values: dict[str, Any]) -> Images:
        return Images(self.folder, self.pool, **values)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.images.close())
        self.pool.close()
        self._loop.close()

    async def local(self, target: str) -> Source:
        self.asked.append(target)
        body = self.files.get(target)
        return Source(status=404 if body is None else 200, body=body or b"", cache_control=self.cache_control)

    def respond(
        self,
        query: str,
        *,
        accept: str | None = None,
        cache_control: str | None = None,
        conditions: dict[str, str] | None = None,
        local: Callable[[str], Awaitable[Source]] | None = None,
        **settings: Any,
    ) -> Coroutine[Any, Any, ImageAnswer]:
        return self.images.respond(
            query=query,
            accept=accept,
            settings=image_settings(**settings),
            local=local or self.local,
            cache_control=cache_control,
            conditions=conditions or {},
        )

    def ask(self, query: str, **how: Any) -> ImageAnswer:
        return self.run(self.respond(query, **how))

    def picture(self, source: bytes, query: str, **how: Any) -> pyvips.Image:
        """The image that is made of `source`, which has to succeed."""
        self.files["/source"] = source
        answer = self.ask(f"url=/source&{query}", **how)
        assert answer.status == 200, answer.body
        return pyvips.Image.new_from_buffer(answer.body, "")


@contextmanager
def running_optimiser(folder: Path, **how: Any) -> Iterator[Optimiser]:
    optimiser = Optimiser(folder, **how)
    try:
        yield optimiser
    finally:
        optimiser.close()


def plain(width: int, height: int, *colour: int) -> pyvips.Image:
    """One colour; four values have alpha."""
    image = pyvips.Image.black(width, height, bands=len(colour)).linear([1] * len(colour), list(colour))
    return image.cast("uchar").copy(interpretation="srgb" if len(colour) > 2 else "b-w")


RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def quarters(width: int = 400, height: int = 200) -> pyvips.Image:
    """Red and green above blue and white."""
    half = (width // 2, height // 2)
    above = plain(*half, *RED).join(plain(*half, *GREEN), "horizontal")
    return above.join(plain(*half, *BLUE).join(plain(*half, *WHITE), "horizontal"), "vertical")


def photo(width: int, height: int) -> pyvips.Image:
    """Soft colours with some detail, the same every time."""
    places = pyvips.Image.xyz(width, height)
    across, down = places[0] * (360 / width), places[1] * (360 / height)
    bands = [(across * k * 3).sin() * 60 + (down * 5 * k + across).cos() * 50 + 128 for k in (1, 2, 3)]
    return bands[0].bandjoin(bands[1:]).cast("uchar").copy(interpretation="srgb")


def png(image: pyvips.Image) -> bytes:
    return image.pngsave_buffer(compression=1)


def jpeg(image: pyvips.Image, **how: Any) -> bytes:
    return image.jpegsave_buffer(**{"Q": 90, **how})


def chunk(name: bytes, data: bytes = b"") -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def large_png(width: int, height: int, *, whole: bool = True) -> bytes:
    """One colour, one bit a pixel: a few kilobytes however many pixels. Not `whole`: the header alone."""
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    head = PNG + chunk(b"IHDR", size + b"\1\0\0\0\0")
    if not whole:
        return head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND")
    packer = zlib.compressobj(1)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    return head + chunk(b"IDAT", data) + chunk(b"IEND")
