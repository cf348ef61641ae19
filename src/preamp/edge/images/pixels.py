"""Changes of pixels that take more than one call of libvips."""

from __future__ import annotations

from collections.abc import Callable

import pyvips

from preamp.edge.images.operation import Box

WIDE_BLUR = 8.0
"""Above this sigma a blur is made on a smaller image: what is lost there the blur removes anyway."""
LEAST_WEIGHT = 0.02
"""Of a pixel that counts for a blur; with the usual 0.2 a small sigma does nothing at all."""


def on_colour(image: pyvips.Image, change: Callable[[pyvips.Image], pyvips.Image]) -> pyvips.Image:
    """Change the colours and leave the transparency alone."""
    if not image.hasalpha():
        return change(image)
    colour, alpha = image[: image.bands - 1], image[image.bands - 1]
    return change(colour.copy(interpretation=image.interpretation)).bandjoin(alpha)


def gamma(image: pyvips.Image, exponent: float) -> pyvips.Image:
    """Darker below 1, lighter above."""
    return on_colour(image, lambda colour: colour.gamma(exponent=exponent))


def box_without_border(image: pyvips.Image, threshold: float) -> Box:
    """The smallest part outside of which all is like the upper left pixel; everything if all is."""
    first = image.getpoint(0, 0)
    colours = image[: image.bands - 1] if image.hasalpha() else image
    # Single pixels of noise do not count, which takes an area of 3x3 to tell.
    how = {"threshold": threshold, "line_art": min(image.width, image.height) < 3}
    found = [colours.find_trim(background=first[: colours.bands], **how)]
    if image.hasalpha():
        found.append(image[image.bands - 1].find_trim(background=first[-1:], **how))
    boxes = [box for box in found if box[2] and box[3]]
    if not boxes:
        return Box(left=0, top=0, width=image.width, height=image.height)
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return Box(left=left, top=top, width=right - left, height=bottom - top)


def soften(image: pyvips.Image, sigma: float) -> pyvips.Image:
    """A Gaussian blur; its time hardly depends on the sigma."""
    if image.hasalpha():  # transparent pixels have a colour too, which must not leak out
        return _soften(image.premultiply(), sigma).unpremultiply().cast("uchar")
    return _soften(image, sigma)


def _soften(image: pyvips.Image, sigma: float) -> pyvips.Image:
    shrink = min(sigma / WIDE_BLUR, image.width / 2, image.height / 2)
    if shrink <= 1:
        return image.gaussblur(sigma, min_ampl=LEAST_WEIGHT)
    small = image.resize(1 / shrink, kernel="linear").gaussblur(sigma / shrink, min_ampl=LEAST_WEIGHT)
    return small.resize(image.width / small.width, vscale=image.height / small.height, kernel="linear")


def normalize(colour: pyvips.Image) -> pyvips.Image:
    """Stretch the lightness so that the darkest and the lightest hundredth are black and white."""
    lab = colour.colourspace("lab")
    lightness = lab[0]
    hundredths = (lightness * 100).cast("ushort")  # `percent` counts whole numbers
    low, high = hundredths.percent(1) / 100, hundredths.percent(99) / 100
    if high - low < 1:
        return colour
    stretched = (lightness - low) * (100 / (high - low))
    return stretched.bandjoin(lab[1:]).copy(interpretation="lab").colourspace("srgb")


def tint(colour: pyvips.Image, wanted: tuple[int, int, int]) -> pyvips.Image:
    """The colour where the image is of middle lightness; black and white stay."""
    patch = pyvips.Image.black(1, 1, bands=3).linear([1, 1, 1], list(wanted)).copy(interpretation="srgb")
    _, a, b = patch.colourspace("lab").getpoint(0, 0)
    lightness = colour.colourspace("lab")[0]
    weight = 1 - ((lightness / 100 - 0.5) ** 2) * 4
    tinted = lightness.bandjoin([weight * a, weight * b])
    return tinted.copy(interpretation="lab").colourspace("srgb")
