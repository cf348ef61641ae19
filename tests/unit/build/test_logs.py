from __future__ import annotations

import re

from preamp.build.logs import BuildLog


class Sink:
    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


STAMP = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z "


def test_own_lines_and_continuation() -> None:
    sink = Sink()
    BuildLog(sink).info("first\nsecond")
    assert re.fullmatch(STAMP + rb"\[INFO\]: first\n {33}second\n", sink.data)


def test_levels() -> None:
    sink = Sink()
    log = BuildLog(sink)
    log.warning("w")
    log.error("e")
    assert re.fullmatch(STAMP + rb"\[WARNING\]: w\n" + STAMP + rb"\[ERROR\]: e\n", sink.data)
    assert log.warnings == ["w"]


def test_one_stamp_per_block_and_partial_lines_wait() -> None:
    sink = Sink()
    log = BuildLog(sink)
    log.output(b"a\nb\npar")
    assert re.fullmatch(STAMP + rb"\[INFO\]: a\n {33}b\n", sink.data)
    log.output(b"tial\n")
    assert sink.data.endswith(b"]: partial\n")


def test_own_line_ends_a_partial_line() -> None:
    sink = Sink()
    log = BuildLog(sink)
    log.output(b"no end")
    log.info("next")
    assert re.fullmatch(STAMP + rb"\[INFO\]: no end\n" + STAMP + rb"\[INFO\]: next\n", sink.data)


def test_invalid_utf8_is_replaced_and_colours_stay() -> None:
    sink = Sink()
    BuildLog(sink).output(b"\x1b[31mred\x1b[0m \xff\xfe\n")
    assert sink.data.decode().endswith("\x1b[31mred\x1b[0m ��\n")


def test_a_long_line_stays_one_line() -> None:
    sink = Sink()
    log = BuildLog(sink)
    for _ in range(50):
        log.output(b"x" * 10_000)
    log.output(b"\n")
    assert sink.data.count(b"\n") == 1
    assert sink.data.count(b"x") == 500_000


def test_the_total_is_bounded_and_the_end_still_readable() -> None:
    sink = Sink()
    log = BuildLog(sink, max_bytes=10_000)
    for _ in range(1000):
        log.output(b"y" * 99 + b"\n")
    log.error("!!! Build failed")
    assert len(sink.data) < 11_000
    assert sink.data.count(b"is truncated: commands printed more than 10000 bytes") == 1
    assert sink.data.endswith(b"!!! Build failed\n")


def test_last_lines_are_those_of_the_command() -> None:
    log = BuildLog(Sink())
    log.output(b"old\n")
    log.begin_command()
    log.output(b"".join(b"line %d\n" % number for number in range(100)) + b"last")
    log.flush()
    assert log.last_lines == (*(f"line {number}" for number in range(91, 100)), "last")
