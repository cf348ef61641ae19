from __future__ import annotations

import base64
import random
from urllib.parse import quote

import pytest

from preamp.build.logs import MAX_CARRY, BuildLog
from preamp.build.masking import MASK, Masker

SECRET = "s3cr3t/pass+word"


@pytest.mark.parametrize(
    "leak",
    [
        SECRET,
        quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
        base64.b64encode(f"x:{SECRET}:more text after it".encode()).decode(),
        base64.urlsafe_b64encode(f"xy{SECRET}".encode()).decode(),
    ],
)
def test_forms_of_a_secret_are_masked(leak: str) -> None:
    masked = Masker([SECRET]).mask(f"before {leak} after".encode())
    assert MASK in masked
    assert SECRET.encode() not in masked
    for shift in range(3):
        part = base64.b64encode(b"\0" * shift + SECRET.encode())[4:16]
        assert part not in masked


def test_short_values_and_other_text_stay() -> None:
    assert Masker(["main", ""]).mask(b"the main thing") == b"the main thing"


def test_each_line_of_a_key_is_masked() -> None:
    masked = Masker(["-----BEGIN-----\nabcdefghij\n-----END-----"]).mask(b"x abcdefghij y")
    assert masked == b"x **** y"


class Sink:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


@pytest.mark.parametrize("seed", range(20))
def test_a_secret_split_across_reads_of_an_endless_line_is_masked(seed: int) -> None:
    rng = random.Random(seed)
    sink = Sink()
    log = BuildLog(sink, secrets=[SECRET])
    text = b""
    while len(text) < 3 * MAX_CARRY:
        text += b"x" * rng.randrange(1, 40_000) + "é".encode() + SECRET.encode()
    position = 0
    while position < len(text):
        step = rng.randrange(1, 30_000)
        log.output(text[position : position + step])
        position += step
    log.flush()
    shown = sink.data.split(b"]: ", 1)[1]
    assert shown == text.replace(SECRET.encode(), MASK) + b"\n"
