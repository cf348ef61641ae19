"""JSON documents in text columns, to and from the model's frozen dataclasses."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_encoder = msgspec.json.Encoder(order="deterministic")
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def encode(value: object) -> str:
    """Compact JSON with sorted keys: equal values give equal text."""
    return _encoder.encode(value).decode()


def decode(text: str | bytes, kind: type[T]) -> T:
    """Fields that a newer version added to the text are ignored.

    Raises msgspec.ValidationError when the text does not fit: the row was damaged.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    value: T = decoder.decode(text)
    return value


def decode_map(text: str | bytes) -> dict[str, str]:
    return decode(text, dict[str, str])
