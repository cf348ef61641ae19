"""What a compute host and its clients say to each other over the control socket.

Each message is a length of four bytes, big-endian, and JSON of so many bytes. A lease is the right to use one
server, given to one client; all that is said about a server names a lease, so that messages which cross
cannot be misunderstood.
"""

from __future__ import annotations

import asyncio
import struct
from typing import TypeVar

import msgspec

CONTROL_SOCKET = "compute.sock"
"""In the run folder."""
MOST_BYTES = 1024 * 1024
"""Of one message; anything longer is no message of ours."""
_LENGTH = struct.Struct(">I")


class Want(msgspec.Struct, frozen=True, tag="want"):
    """Client: give me a server of this release; answered by Here or Refused with the same number."""

    number: int
    release: str


class Broken(msgspec.Struct, frozen=True, tag="broken"):
    """Client: the server refused a connection. The lease stays until it is given back."""

    lease: int


class Given(msgspec.Struct, frozen=True, tag="given"):
    """Client: I use the server no more and shall not without a new lease."""

    lease: int


class Kept(msgspec.Struct, frozen=True, tag="kept"):
    """Client, to a Retire with a condition: it is not met, the lease stays."""

    lease: int
    open: int
    """Uses under way."""
    idle_seconds: float
    """Since the last use ended; 0 when one is under way."""


class Told(msgspec.Struct, frozen=True, tag="told"):
    """Client: the answer to Tell."""

    number: int
    uses: tuple[Kept, ...]


class Here(msgspec.Struct, frozen=True, tag="here"):
    """Host: a server is listening."""

    number: int
    lease: int
    socket: str


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """Host: there is no server."""

    number: int
    status: int
    reason: str
    """For logs."""
    for_visitor: str


class Retire(msgspec.Struct, frozen=True, tag="retire"):
    """Host: give the lease back; answered by Given when the uses under way have ended."""

    lease: int
    idle_seconds: float | None
    """Only when it was unused for so long, else answer Kept; None: without condition."""


class Gone(msgspec.Struct, frozen=True, tag="gone"):
    """Host: the server is dead and the lease with it. Not answered."""

    lease: int


class Tell(msgspec.Struct, frozen=True, tag="tell"):
    """Host: how much are your leases used?"""

    number: int


FromClient = Want | Broken | Given | Kept | Told
FromHost = Here | Refused | Retire | Gone | Tell
_FROM_CLIENT: msgspec.json.Decoder[FromClient] = msgspec.json.Decoder(FromClient)
_FROM_HOST: msgspec.json.Decoder[FromHost] = msgspec.json.Decoder(FromHost)
T = TypeVar("T")


class MessageError(Exception):
    """The other side does not speak this protocol."""


def encode(message: FromClient | FromHost) -> bytes:
    data = msgspec.json.encode(message)
    return _LENGTH.pack(len(data)) + data


async def read_from_client(reader: asyncio.StreamReader) -> FromClient | None:
    """None at the end. Raises MessageError, ConnectionError."""
    return await _read(reader, _FROM_CLIENT)


async def read_from_host(reader: asyncio.StreamReader) -> FromHost | None:
    """None at the end. Raises MessageError, ConnectionError."""
    return await _read(reader, _FROM_HOST)


async def _read(reader: asyncio.StreamReader, decoder: msgspec.json.Decoder[T]) -> T | None:
    try:
        size = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))[0]
        if size > MOST_BYTES:
            raise MessageError(f"a message of {size} bytes is too long")
        return decoder.decode(await reader.readexactly(size))
    except asyncio.IncompleteReadError:
        return None
    except msgspec.DecodeError as error:
        raise MessageError(f"a message cannot be read: {error}") from error
