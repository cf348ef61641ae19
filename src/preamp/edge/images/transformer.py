"""The program that changes images: `python -m preamp.edge.images.transformer SECONDS`.

It is told what to do on standard input and answers on standard output (`wire`), one image after the other,
until its input ends. `SECONDS` of processor time and per thread is what one image may take.
"""

from __future__ import annotations

import os
import sys

import msgspec

from preamp.edge.images import wire
from preamp.edge.images.confine import allow_cpu, confine
from preamp.edge.images.errors import ImageError
from preamp.edge.images.operation import Operation, Order
from preamp.edge.images.transform import prepare, transform
from preamp.model.deploy_manifest import ImageFormat

THREADS = 2
"""That libvips uses for one image."""
_SQUARE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000002000000020802000000fdd49a73"
    "0000000b4944415408d76360400600000e000131e9dd150000000049454e44ae426082"
)
"""A black PNG of four pixels."""


def main() -> int:
    seconds = float(sys.argv[1])
    prepare()
    _rehearse()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    missing = confine()
    # Errors of the start are for the log of the edge; damaged images would only fill it.
    os.dup2(nowhere, 2)
    source, target = sys.stdin.buffer, sys.stdout.buffer
    target.write(wire.encode(wire.Hello(missing=missing)))
    target.flush()
    while (message := wire.read(source)) is not None:
        allow_cpu(seconds * THREADS)
        note, body = message
        try:
            reply = wire.encode(wire.Reply(), transform(body, msgspec.json.decode(note, type=Order)))
        except ImageError as error:
            reply = wire.encode(wire.Reply(status=error.status, error=str(error)))
        target.write(reply)
        target.flush()
    return 0


def _rehearse() -> None:
    """Bring everything into memory that libraries load when they first need it: later there are no files."""
    image = _SQUARE
    for form in ImageFormat:
        image = transform(image, Order(operation=Operation(width=1, trim=1, rotate=1), format=form))


if __name__ == "__main__":
    sys.exit(main())
