"""Changing one image with libvips. Imported only where images are changed, never by the edge itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pyvips

from preamp.edge.images.errors import ImageError
from preamp.edge.images.geometry import plan
from preamp.edge.images.operation import MOST_OUTPUT, Box, Operation, Order
from preamp.edge.images.pixels import (
    box_without_border,
    gamma,
    normalize,
    on_colour,
    soften,
    tint,
)
from preamp.model.deploy_manifest import ImageFormat

MOST_SIDE = 9000
"""Pixels, of the source (Amplify's limit) and of what is made."""
MOST_PIXELS = 50_000_000
USUAL_QUALITY = {ImageFormat.JPEG: 75, ImageFormat.WEBP: 75, ImageFormat.AVIF: 50}
BLACK = [0, 0, 0]
_PLAIN = frozenset({"srgb", "b-w", "rgb", "rgb16", "grey16"})
_LOADERS = ("Jpeg", "Png", "Webp", "Heif")


def prepare() -> None:
    """Once per process: only the decoders of the four formats, and nothing kept between images."""
    pyvips.operation_block_set("VipsForeignLoad", True)
    for name in _LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{name}", False)
    pyvips.cache_set_max(0)


def transform(source: bytes, order: Order) -> bytes:
    """The image of `order`. Raises ImageError: 400 damaged or impossible, 413 too large."""
    try:
        header = pyvips.Image.new_from_buffer(source, "", access="sequential", fail_on="truncated")
        _check_size(header.width, header.height, "the source", 413)
        image = _convert(source, header, order.operation)
        data = _encode(image, order)
    except pyvips.Error as error:
        raise ImageError(400, "the source is damaged, or no image that can be read") from error
    if len(data) > MOST_OUTPUT:
        raise ImageError(413, f"the image has {len(data)} bytes: at most {MOST_OUTPUT} are allowed")
    return data


def _check_size(width: int, height: int, what: str, status: int) -> None:
    if max(width, height) > MOST_SIDE or width * height > MOST_PIXELS:
        raise ImageError(
            status,
            f"{what} has {width}x{height} pixels: at most {MOST_SIDE} on a side and {MOST_PIXELS} "
            "in all are allowed",
        )


def _convert(source: bytes, header: pyvips.Image, wanted: Operation) -> pyvips.Image:
    is_grey = header.interpretation in {"b-w", "grey16"}
    if wanted.trim is None and wanted.extract is None and not wanted.rotate and wanted.gamma is None:
        width, height = header.width, header.height
        if header.get_typeof("orientation") and header.get("orientation") >= 5:
            width, height = height, width
        # Straight from the bytes: a JPEG is then decoded at an eighth, a quarter or half of its size.
        # As an option of the decoder: the argument `fail_on` is not passed on to it.
        load = partial(pyvips.Image.thumbnail_buffer, source, option_string="fail_on=truncated")
        image = _resize(width, height, wanted, load)
    else:
        image = _before_resize(source, wanted)
        image = _resize(image.width, image.height, wanted, image.thumbnail_image)
    image = _as_colour(image)
    image = _after_resize(image.copy_memory(), wanted)
    if (is_grey or wanted.grayscale) and wanted.tint is None:
        image = image.colourspace("b-w")
    return image


def _before_resize(source: bytes, wanted: Operation) -> pyvips.Image:
    image = pyvips.Image.new_from_buffer(source, "", access="random", fail_on="truncated").autorot()
    if image.get_typeof("icc-profile-data") or image.interpretation not in _PLAIN:
        # To its own size: colours are managed exactly as without these parameters.
        image = image.thumbnail_image(image.width, height=image.height, size="force", output_profile="srgb")
        image = image.copy()
        image.remove("icc-profile-data")
    image = _as_colour(image).copy_memory()
    if wanted.trim is not None:
        image = _cut(image, box_without_border(image, wanted.trim))
    if wanted.extract is not None:
        box = wanted.extract
        if box.left + box.width > image.width or box.top + box.height > image.height:
            raise ImageError(
                400, f"extract leads out of the source, which has {image.width}x{image.height} pixels"
            )
        image = _cut(image, box)
    if wanted.rotate:
        image = _rotate(image, wanted.rotate)
        _check_size(image.width, image.height, "the source, rotated,", 413)
    if wanted.gamma is not None:
        image = gamma(image, 1 / wanted.gamma)
    return image


def _resize(
    width: int, height: int, wanted: Operation, thumbnail: Callable[..., pyvips.Image]
) -> pyvips.Image:
    goal = plan(
        width,
        height,
        width=wanted.width,
        height=wanted.height,
        fit=wanted.fit,
        position=wanted.position,
    )
    _check_size(goal.width, goal.height, "the image", 413)
    image = thumbnail(goal.width, height=goal.height, size="force", output_profile="srgb")
    if wanted.flip or wanted.flop:
        image = image.copy_memory()
        image = image.flipver() if wanted.flip else image
        image = image.fliphor() if wanted.flop else image
    if goal.crop is not None:
        image = _cut(image, goal.crop)
    if goal.pad is not None:
        box = goal.pad
        image = _as_colour(image)
        background = [*BLACK, 255] if image.hasalpha() else BLACK
        image = image.embed(
            box.left, box.top, box.width, box.height, extend="background", background=background
        )
    return image


def _after_resize(image: pyvips.Image, wanted: Operation) -> pyvips.Image:
    if wanted.extend is not None:
        edges = wanted.extend
        width = image.width + edges.left + edges.right
        height = image.height + edges.top + edges.bottom
        _check_size(width, height, "extend makes an image that", 400)
        image = image.embed(edges.left, edges.top, width, height, extend="copy")
    if wanted.grayscale:
        image = on_colour(image, lambda colour: colour.colourspace("b-w").colourspace("srgb"))
    if wanted.median is not None:
        image = image.median(min(wanted.median, image.width, image.height))
    if wanted.threshold is not None:
        least = wanted.threshold
        image = on_colour(
            image, lambda colour: (colour.colourspace("b-w") >= least).copy(interpretation="b-w")
        )
        image = _as_colour(image)
    if wanted.blur is not None:
        image = soften(image, wanted.blur)
    if wanted.sharpen is not None:
        image = image.sharpen(sigma=wanted.sharpen, m1=1, m2=2, x1=2, y2=10, y3=20)
    if wanted.gamma is not None:
        image = gamma(image, wanted.gamma)
    if wanted.normalize:
        image = on_colour(image, normalize)
    if wanted.negate:
        image = on_colour(image, lambda colour: colour.invert())
    if wanted.tint is not None:
        colour = wanted.tint
        image = on_colour(image, lambda pixels: tint(pixels, colour))
    return _as_colour(image)


def _rotate(image: pyvips.Image, degrees: float) -> pyvips.Image:
    if degrees % 90 == 0:
        return image.rot(f"d{int(degrees)}")
    return image.rotate(degrees, background=[*BLACK, 255] if image.hasalpha() else BLACK).copy_memory()


def _cut(image: pyvips.Image, box: Box) -> pyvips.Image:
    return image.crop(box.left, box.top, box.width, box.height)


def _as_colour(image: pyvips.Image) -> pyvips.Image:
    """sRGB in bytes, with alpha where there was one."""
    return image.colourspace("srgb").cast("uchar")


def _encode(image: pyvips.Image, order: Order) -> bytes:
    quality = order.quality or USUAL_QUALITY.get(order.format, 0)
    match order.format:
        case ImageFormat.JPEG:
            return bytes(
                image.jpegsave_buffer(Q=quality, optimize_coding=True, background=BLACK, keep="none")
            )
        case ImageFormat.WEBP:
            return bytes(image.webpsave_buffer(Q=quality, effort=2, keep="none"))
        case ImageFormat.AVIF:
            # Effort 0: 4 takes ten to forty times as long for a tenth fewer bytes.
            return bytes(image.heifsave_buffer(Q=quality, compression="av1", effort=0, keep="none"))
        case ImageFormat.PNG:
            return bytes(image.pngsave_buffer(keep="none"))
