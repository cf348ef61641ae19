"""The program that changes images: `python -m preamp.edge.images.transformer SECONDS`.

It is told what to do on standard input and answers on standard output (`wire`), one image after the other,
until its input ends. `SECONDS` of processor time is what one image may take.
"""

from __future__ import annotations

import os
import sys

import msgspec

from preamp.edge.images import wire
from preamp.edge.images.confine import allow_cpu, confine
from preamp.edge.images.errors import ImageError
from preamp.edge.images.operation import Order
from preamp.edge.images.transform import prepare, transform


def main() -> int:
    seconds = float(sys.argv[1])
    prepare()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    missing = confine()
    # Errors of the start are for the log of the edge; damaged images would only fill it.
    os.dup2(nowhere, 2)
    source, target = sys.stdin.buffer, sys.stdout.buffer
    target.write(wire.encode(wire.Hello(missing=missing)))
    target.flush()
    while (message := wire.read(source)) is not None:
        allow_cpu(seconds)
        note, body = message
        try:
            reply = wire.encode(wire.Reply(), transform(body, msgspec.json.decode(note, type=Order)))
        except ImageError as error:
            reply = wire.encode(wire.Reply(status=error.status, error=str(error)))
        target.write(reply)
        target.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
