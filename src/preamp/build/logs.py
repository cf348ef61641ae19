"""The text of a step's log, in Amplify's form.

`2025-10-08T22:22:34.059Z [INFO]: text`, further lines of the same write indented by 33 spaces
(behaviour reference, section 4.3).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections import deque
from collections.abc import Iterable
from typing import Protocol

from preamp.build.masking import Masker
from preamp.build.request import LogSink
from preamp.model.times import iso, now_ms

INDENT = b" " * 33
MAX_BYTES = 100 * 1024 * 1024
BLOCK = 256 * 1024
MAX_CARRY = 64 * 1024
"""A line without an end that is longer than this goes out in pieces."""
TAIL_LINES = 10
TAIL_LINE = 300
F_SETPIPE_SZ = 1031


class BuildLog:
    """Stamps, masks and bounds everything that is written to a sink."""

    def __init__(self, sink: LogSink, *, secrets: Iterable[str] = (), max_bytes: int = MAX_BYTES) -> None:
        self._sink = sink
        self.masker = Masker(secrets)
        self._left = max_bytes
        self._max = max_bytes
        self._carry = b""
        self._mid_line = False
        self.warnings: list[str] = []
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)

    def info(self, text: str) -> None:
        self._own("INFO", text)

    def warning(self, text: str) -> None:
        self.warnings.append(self.masker.text(text))
        self._own("WARNING", text)

    def error(self, text: str) -> None:
        self._own("ERROR", text)

    def output(self, data: bytes) -> None:
        """Output of a command, cut anywhere."""
        data = self._carry + data
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) > MAX_CARRY:
            cut = self.masker.safe_cut(data)
        self._carry = data[cut:]
        if cut:
            self._block(self.masker.mask(data[:cut]))

    def flush(self) -> None:
        """Write what is held back of a line that has no end yet."""
        if self._carry:
            data, self._carry = self._carry, b""
            self._block(self.masker.mask(data))
        if self._mid_line:
            self._sink.write(b"\n")
            self._mid_line = False

    def begin_command(self) -> None:
        """From here on `last_lines` are those of the next command."""
        self.flush()
        self._tail.clear()

    @property
    def last_lines(self) -> tuple[str, ...]:
        return tuple(self._tail)

    def _block(self, masked: bytes) -> None:
        text = masked.decode("utf-8", "replace")
        for line in text[-TAIL_LINES * TAIL_LINE * 4 :].splitlines()[-TAIL_LINES:]:
            if line.strip():
                self._tail.append(line.rstrip()[-TAIL_LINE:])
        if self._left <= 0:
            return
        body = text.encode()
        ends = body.endswith(b"\n")
        lines = (body[:-1] if ends else body).replace(b"\n", b"\n" + INDENT)
        head = b"" if self._mid_line else f"{iso(now_ms())} [INFO]: ".encode()
        data = head + lines + (b"\n" if ends else b"")
        if len(data) > self._left:
            data = data[: self._left].decode("utf-8", "ignore").encode()
            self._left = 0
            self._sink.write(data + (b"" if data.endswith(b"\n") else b"\n"))
            self._mid_line = False
            size = f"{self._max // (1024 * 1024)} MB" if self._max >= 1024 * 1024 else f"{self._max} bytes"
            self._own("WARNING", f"! The log of this step is truncated: commands printed more than {size}.")
            return
        self._left -= len(data)
        self._mid_line = not ends
        self._sink.write(data)

    def _own(self, level: str, text: str) -> None:
        self.flush()
        lines = self.masker.mask(text.encode("utf-8", "replace")).rstrip(b"\n").replace(b"\n", b"\n" + INDENT)
        self._sink.write(f"{iso(now_ms())} [{level}]: ".encode() + lines + b"\n")


class Output(Protocol):
    """What takes the output of a program."""

    def output(self, data: bytes) -> None:
        """Cut anywhere."""

    def flush(self) -> None:
        """Nothing more comes at this time: write what is held back."""


class OutputPipe:
    """One pipe for stdout and stderr of a sandbox, read in blocks on the event loop into a log."""

    def __init__(self, log: Output) -> None:
        self._log = log
        self._read, self.write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read, False)
        with contextlib.suppress(OSError):  # beyond the user's pipe quota the default size has to do
            fcntl.fcntl(self._read, F_SETPIPE_SZ, 1024 * 1024)
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._loop.add_reader(self._read, self._ready)

    def close_writer(self) -> None:
        """To be called once the child has its own copy."""
        if self.write_fd >= 0:
            os.close(self.write_fd)
            self.write_fd = -1

    def _ready(self) -> bool:
        try:
            data = os.read(self._read, BLOCK)
        except BlockingIOError:
            return False
        if not data:
            self._loop.remove_reader(self._read)
            self._ended.set()
            return False
        self._log.output(data)
        return True

    async def catch_up(self) -> None:
        """Log everything that was written before this call (and perhaps a bounded bit more)."""
        for _ in range(8):
            if self._ended.is_set() or not self._ready():
                break
            await asyncio.sleep(0)
        self._log.flush()

    async def finish(self) -> None:
        """Read to the end; the processes are dead. A second at most, should a descriptor have escaped."""
        self.close_writer()
        try:
            # not `wait_for`: before Python 3.12 it loses a cancellation that comes with the end
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._ended.wait()
        finally:
            self._loop.remove_reader(self._read)
            os.close(self._read)
            self._log.flush()
