"""The format of an answer: what the client takes, what was asked for, what the site allows."""

from __future__ import annotations

from preamp.model.deploy_manifest import ImageFormat


def choose(
    accept: str | None,
    *,
    wanted: ImageFormat | None,
    allowed: tuple[ImageFormat, ...],
    source: ImageFormat,
) -> ImageFormat:
    """`accept` is the header, `wanted` the parameter `format`, `allowed` the site's formats, best first.

    A format that the client names goes before the parameter; `image/*` names none. Nothing that is not
    allowed is ever made, but an image may always stay what it is.
    """
    ranges = _ranges(accept)
    named = [item for item in allowed if ranges.get(item, 0) > 0]
    if named:
        return max(named, key=lambda item: ranges[item])
    if wanted is not None and wanted in allowed and _accepts(ranges, wanted):
        return wanted
    return source


def _accepts(ranges: dict[str, float], item: ImageFormat) -> bool:
    """The most specific range counts (RFC 9110, 12.5.1); without the header everything is taken."""
    for name in (item.value, "image/*", "*/*"):
        if name in ranges:
            return ranges[name] > 0
    return not ranges


def _ranges(accept: str | None) -> dict[str, float]:
    """Media ranges and their weights; what cannot be read counts as 1."""
    found: dict[str, float] = {}
    for part in (accept or "").split(","):
        name, *parameters = part.lower().split(";")
        if not name.strip():
            continue
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                weight = _weight(value.strip())
        found[name.strip()] = weight
    return found


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        return 1.0
    return weight if 0 <= weight <= 1 else 1.0
