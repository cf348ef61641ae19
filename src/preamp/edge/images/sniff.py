"""What a source is, told from its bytes: neither its name nor its server is believed."""

from __future__ import annotations

import re
from enum import Enum

from preamp.model.deploy_manifest import ImageFormat

_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 1000
_PROLOG = 8192
"""Bytes that are looked through for the first element of an SVG."""
_SVG = re.compile(rb"<svg[\s>/:]", re.IGNORECASE)


class Kind(Enum):
    """Only still images of four formats are changed; the others pass as they are, or not at all."""

    JPEG = "jpeg"  # a still image
    PNG = "png"  # a still image
    WEBP = "webp"  # a still image
    AVIF = "avif"  # a still image
    GIF = "gif"  # passes, still or not
    APNG = "apng"  # passes: it moves
    MOVING_WEBP = "moving webp"  # passes
    MOVING_AVIF = "moving avif"  # passes
    SVG = "svg"  # passes where the site allows it: it can hold scripts

    @property
    def format(self) -> ImageFormat | None:
        """Of a still image that can be changed; None for the others."""
        return ImageFormat(f"image/{self.value}") if self in STILL else None

    @property
    def content_type(self) -> str:
        return _TYPES.get(self, f"image/{self.value}")


STILL = frozenset({Kind.JPEG, Kind.PNG, Kind.WEBP, Kind.AVIF})
_TYPES = {
    Kind.APNG: "image/png",
    Kind.MOVING_WEBP: "image/webp",
    Kind.MOVING_AVIF: "image/avif",
    Kind.SVG: "image/svg+xml",
}


def kind_of(data: bytes) -> Kind | None:
    """None when it is no image of a kind that we know."""
    if data.startswith(b"\xff\xd8\xff"):
        return Kind.JPEG
    if data.startswith(_PNG):
        return Kind.APNG if _moves(data) else Kind.PNG
    if data.startswith((b"GIF87a", b"GIF89a")):
        return Kind.GIF
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        moves = data[12:16] == b"VP8X" and len(data) > 20 and bool(data[20] & 2)
        return Kind.MOVING_WEBP if moves else Kind.WEBP
    if data[4:8] == b"ftyp":
        return _avif(data)
    return Kind.SVG if _SVG.match(_after_prolog(data[:_PROLOG])) else None


def _moves(png: bytes) -> bool:
    """Whether the chunk that announces an animation comes before the picture."""
    place = len(_PNG)
    for _ in range(_MOST_CHUNKS):
        name = png[place + 4 : place + 8]
        if name == b"acTL":
            return True
        if name in {b"IDAT", b""}:
            return False
        place += 12 + int.from_bytes(png[place : place + 4], "big")
    return False


def _avif(data: bytes) -> Kind | None:
    length = min(int.from_bytes(data[:4], "big"), 256)
    brands = [data[8:12], *(data[place : place + 4] for place in range(16, length, 4))]
    if b"avis" in brands[:1]:
        return Kind.MOVING_AVIF
    return Kind.AVIF if b"avif" in brands else None


def _after_prolog(text: bytes) -> bytes:
    """What follows the declaration, comments and document type of an XML document."""
    rest = text.removeprefix(b"\xef\xbb\xbf").lstrip()
    while rest.startswith((b"<?", b"<!", b"]>")):
        end = b"-->" if rest.startswith(b"<!--") else b">"
        rest = rest.partition(end)[2].lstrip()
    return rest
