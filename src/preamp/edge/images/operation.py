"""What is done to an image. The parameters are those of sharp, which Amplify's optimiser is built on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from preamp.model.deploy_manifest import ImageFormat

MOST_OUTPUT = 4_000_000
"""Bytes of an image that is made: Amplify's limit."""


class Fit(StrEnum):
    """How a width and a height are met; nothing is ever enlarged."""

    COVER = "cover"  # fills both and loses what is too much
    CONTAIN = "contain"  # fits into both, the rest is black
    FILL = "fill"  # stretched to both
    INSIDE = "inside"  # as large as fits into both
    OUTSIDE = "outside"  # as small as covers both


class Position(StrEnum):
    """The part of the image that `cover` keeps, and where `contain` puts it."""

    CENTER = "center"  # the middle
    TOP = "top"  # the upper edge, in the middle from left to right
    RIGHT = "right"  # the right edge, in the middle from top to bottom
    BOTTOM = "bottom"  # the lower edge
    LEFT = "left"  # the left edge


@dataclass(frozen=True, kw_only=True, slots=True)
class Edges:
    """Pixels to add."""

    top: int
    right: int
    bottom: int
    left: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    """A part of an image, in its pixels from the upper left corner."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """In the order in which it is done, after the image was turned upright as its camera said."""

    trim: float | None = None
    """Cut edges off that differ by no more than this, 0-255, from the upper left pixel."""
    extract: Box | None = None
    rotate: float = 0.0
    """Degrees clockwise, 0-360; corners that appear are black."""
    width: int
    height: int | None = None
    fit: Fit = Fit.COVER
    position: Position = Position.CENTER
    flip: bool = False
    """Upside down."""
    flop: bool = False
    """Left for right."""
    extend: Edges | None = None
    """Pixels added outside, in the colour of the nearest pixel."""
    grayscale: bool = False
    median: int | None = None
    """Side of the square whose median each pixel becomes."""
    threshold: int | None = None
    """Grey levels from here on, 0-255, become white and all others black."""
    blur: float | None = None
    """Sigma of a Gaussian, in pixels."""
    sharpen: float | None = None
    """Sigma of the mask."""
    gamma: float | None = None
    """Pixels are made darker by it before they are averaged, and lighter afterwards."""
    normalize: bool = False
    """Stretch the lightness to its whole range."""
    negate: bool = False
    tint: tuple[int, int, int] | None = None
    """Red, green, blue: the colour of the middle tones; lightness stays."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """All that a result depends on besides the source."""

    operation: Operation
    format: ImageFormat
    quality: int | None = None
    """1-100; None: the format's usual one."""
