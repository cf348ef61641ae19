"""Messages between an edge process and the program that changes images, over its standard streams.

A message is a note in JSON and a body: two lengths, then both. The order's body is the source, the reply's
body is the image.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

import msgspec

HEAD = struct.Struct("<II")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hello:
    """The first message: the program is ready."""

    missing: tuple[str, ...] = ()
    """Protections that this machine does not offer, one short text each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """With an image as its body, or an error."""

    status: int = 200
    error: str = ""
    """For the visitor."""


def encode(note: object, body: bytes = b"") -> bytes:
    text = msgspec.json.encode(note)
    return HEAD.pack(len(text), len(body)) + text + body


def read(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """The next note, still encoded, and its body; None when the other side is gone."""
    head = stream.read(HEAD.size)
    if len(head) < HEAD.size:
        return None
    note_size, body_size = HEAD.unpack(head)
    note, body = stream.read(note_size), stream.read(body_size)
    return (note, body) if len(note) == note_size and len(body) == body_size else None
