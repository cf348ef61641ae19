"""Sizes and places: what `width`, `height`, `fit` and `position` mean for an image."""

from __future__ import annotations

from dataclasses import dataclass

from preamp.edge.images.operation import Box, Fit, Position


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """Scale to `width` x `height`; then cut `crop` out, or put it on `pad`'s canvas, at its corner."""

    width: int
    height: int
    crop: Box | None = None
    pad: Box | None = None


def plan(
    source_width: int,
    source_height: int,
    *,
    width: int,
    height: int | None,
    fit: Fit = Fit.COVER,
    position: Position = Position.CENTER,
) -> Plan:
    """Sizes in pixels. Never larger than the source, except for the canvas of `contain`."""
    across = width / source_width
    if height is None:
        return _scaled(source_width, source_height, across)
    down = height / source_height
    match fit:
        case Fit.FILL:
            return Plan(width=min(width, source_width), height=min(height, source_height))
        case Fit.INSIDE:
            return _scaled(source_width, source_height, min(across, down))
        case Fit.OUTSIDE:
            return _scaled(source_width, source_height, max(across, down))
        case Fit.COVER:
            whole = _scaled(source_width, source_height, max(across, down))
            kept_width, kept_height = min(width, whole.width), min(height, whole.height)
            if (kept_width, kept_height) == (whole.width, whole.height):
                return whole
            left, top = _place(whole.width - kept_width, whole.height - kept_height, position)
            crop = Box(left=left, top=top, width=kept_width, height=kept_height)
            return Plan(width=whole.width, height=whole.height, crop=crop)
        case Fit.CONTAIN:
            whole = _scaled(source_width, source_height, min(across, down))
            if (whole.width, whole.height) == (width, height):
                return whole
            left, top = _place(width - whole.width, height - whole.height, position)
            pad = Box(left=left, top=top, width=width, height=height)
            return Plan(width=whole.width, height=whole.height, pad=pad)


def _scaled(width: int, height: int, factor: float) -> Plan:
    factor = min(factor, 1.0)
    return Plan(width=max(1, round(width * factor)), height=max(1, round(height * factor)))


def _place(spare_width: int, spare_height: int, position: Position) -> tuple[int, int]:
    """From the left and from the top."""
    left, top = spare_width // 2, spare_height // 2
    match position:
        case Position.TOP:
            top = 0
        case Position.BOTTOM:
            top = spare_height
        case Position.LEFT:
            left = 0
        case Position.RIGHT:
            left = spare_width
        case Position.CENTER:
            pass
    return left, top
