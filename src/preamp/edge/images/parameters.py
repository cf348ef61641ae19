"""The query of an image request, read and checked (behaviour reference, section 8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl

from preamp.edge.images.errors import ImageError
from preamp.edge.images.operation import Box, Edges, Fit, Operation, Position
from preamp.model.deploy_manifest import ImageFormat, ImageSettings

MOST_PARAMETERS = 64
MOST_EDGE = 9000
"""Pixels that `extend` may add on one side; the whole has its own limit."""
MOST_MEDIAN = 25
"""Amplify names no limit; a wide one takes seconds."""
SHORT_NAMES = {"w": "width", "h": "height", "q": "quality"}
"""As Nuxt Image's provider for Amplify writes them, and Next.js."""

_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_WHOLE = re.compile(r"[0-9]{1,9}")
_COLOUR = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)
_FLAGS = {"": True, "true": True, "1": True, "false": False, "0": False}
_FORMATS = {item.name.lower(): item for item in ImageFormat} | {"jpg": ImageFormat.JPEG}

AnyEnum = TypeVar("AnyEnum", bound=StrEnum)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What a visitor asks for."""

    url: str
    """Of the source, as given: neither its form nor its host is checked yet."""
    operation: Operation
    format: ImageFormat | None = None
    quality: int | None = None


def parse(query: str, settings: ImageSettings) -> Wanted:
    """Raises ImageError (400), which names the parameter. Unknown parameters are left alone."""
    given = _Given(query)
    fit = given.choice("fit", Fit)
    return Wanted(
        url=given.required("url"),
        operation=Operation(
            width=given.size("width", settings.sizes),
            height=given.size("height", settings.sizes) if given.has("height") else None,
            fit=fit or Fit.COVER,
            position=given.choice("position", Position, centre=Position.CENTER) or Position.CENTER,
            trim=given.number("trim", 0, 255, usual=10),
            extend=given.edges("extend"),
            extract=given.box("extract"),
            rotate=(given.number("rotate", -36_000, 36_000, usual=0) or 0.0) % 360,
            flip=given.flag("flip"),
            flop=given.flag("flop"),
            sharpen=given.number("sharpen", 0.000001, 10),
            median=given.whole("median", 1, MOST_MEDIAN, usual=3),
            blur=given.number("blur", 0.3, 1000),
            gamma=given.number("gamma", 1, 3),
            negate=given.flag("negate"),
            normalize=given.flag("normalize"),
            threshold=given.whole("threshold", 0, 255),
            tint=given.colour("tint"),
            grayscale=given.flag("grayscale"),
        ),
        format=given.format("format"),
        quality=given.whole("quality", 1, 100),
    )


class _Given:
    """The parameters by name. Every method raises ImageError for a value that is wrong."""

    def __init__(self, query: str) -> None:
        try:
            pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
        except UnicodeDecodeError:
            raise ImageError(400, "the query is not UTF-8") from None
        except ValueError:
            raise ImageError(400, f"the query has more than {MOST_PARAMETERS} parameters") from None
        self._values: dict[str, str] = {}
        for written, value in pairs:
            name = SHORT_NAMES.get(written, written)
            if self._values.setdefault(name, value) != value:
                raise ImageError(400, f"{written} is given twice, with different values")

    def has(self, name: str) -> bool:
        return name in self._values

    def required(self, name: str) -> str:
        value = self._values.get(name)
        if not value:
            raise ImageError(400, f"{name} is missing")
        return value

    def size(self, name: str, sizes: tuple[int, ...]) -> int:
        value = self.required(name)
        if not _WHOLE.fullmatch(value) or int(value) not in sizes:
            listed = ", ".join(map(str, sorted(set(sizes)))) or "none"
            raise _wrong(name, value, f"one of this site's sizes ({listed})")
        return int(value)

    def number(self, name: str, least: float, most: float, *, usual: float | None = None) -> float | None:
        """`usual` is meant by the name alone."""
        value = self._values.get(name)
        if value == "" and usual is not None:
            return usual
        if value is None:
            return None
        if not _NUMBER.fullmatch(value) or not least <= float(value) <= most:
            raise _wrong(name, value, f"a number from {_plain(least)} to {_plain(most)}")
        return float(value)

    def whole(self, name: str, least: int, most: int, *, usual: int | None = None) -> int | None:
        value = self._values.get(name)
        if value == "" and usual is not None:
            return usual
        if value is None:
            return None
        if not _WHOLE.fullmatch(value) or not least <= int(value) <= most:
            raise _wrong(name, value, f"a whole number from {least} to {most}")
        return int(value)

    def flag(self, name: str) -> bool:
        """The name alone means yes."""
        value = self._values.get(name)
        if value is None:
            return False
        if value not in _FLAGS:
            raise _wrong(name, value, "true or false")
        return _FLAGS[value]

    def choice(self, name: str, kind: type[AnyEnum], **other_names: AnyEnum) -> AnyEnum | None:
        value = self._values.get(name)
        if value is None:
            return None
        found = {item.value: item for item in kind} | other_names
        if value not in found:
            raise _wrong(name, value, f"one of {', '.join(kind)}")
        return found[value]

    def format(self, name: str) -> ImageFormat | None:
        value = self._values.get(name)
        if value is None:
            return None
        found = _FORMATS.get(value.lower().removeprefix("image/"))
        if found is None:
            raise _wrong(name, value, "one of avif, webp, png, jpeg")
        return found

    def edges(self, name: str) -> Edges | None:
        found = self._four(name, "top_right_bottom_left", MOST_EDGE)
        return Edges(top=found[0], right=found[1], bottom=found[2], left=found[3]) if found else None

    def box(self, name: str) -> Box | None:
        found = self._four(name, "left_top_width_height", 999_999_999)
        if not found:
            return None
        if not found[2] or not found[3]:
            raise ImageError(400, f"{name} has no pixels: width and height have to be at least 1")
        return Box(left=found[0], top=found[1], width=found[2], height=found[3])

    def colour(self, name: str) -> tuple[int, int, int] | None:
        value = self._values.get(name)
        if value is None:
            return None
        found = _COLOUR.fullmatch(value)
        if not found:
            raise _wrong(name, value, "a colour in hexadecimal digits such as 7743ce")
        digits = found[1] if len(found[1]) == 6 else "".join(digit * 2 for digit in found[1])
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)

    def _four(self, name: str, form: str, most: int) -> list[int] | None:
        value = self._values.get(name)
        if value is None:
            return None
        parts = value.split("_")
        if len(parts) != 4 or not all(_WHOLE.fullmatch(part) and int(part) <= most for part in parts):
            raise _wrong(name, value, f"four whole numbers from 0 to {most}, {form}")
        return [int(part) for part in parts]


def _wrong(name: str, value: str, needed: str) -> ImageError:
    shown = value if len(value) <= 80 else f"{value[:80]}..."
    return ImageError(400, f"{name} is {shown!r}: it has to be {needed}")


def _plain(number: float) -> str:
    return f"{number:.6f}".rstrip("0").rstrip(".")
