"""The programs that change images: at most so many at once, started when needed, replaced when they break."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys

import msgspec

from preamp.edge.images import wire
from preamp.edge.images.errors import ImageError
from preamp.edge.images.operation import MOST_OUTPUT, Order

START_SECONDS = 20.0
IDLE_SECONDS = 60.0
MOST_NOTE = 64 * 1024
THREADS = 2
"""That a program uses for one image."""
MOST_WAITING = 64
"""Images that wait for a free program; each holds its source in memory."""
MOST_IMAGES = 500
"""After so many a program is replaced: its memory falls to pieces with time."""
BROKEN = (OSError, EOFError, ValueError, msgspec.MsgspecError)
"""What talking to a program raises that has ended, or that does not keep to the protocol."""

log = logging.getLogger(__name__)


class _BrokenError(Exception):
    """A program ended, or sent what makes no sense; the cause tells more."""


class Transformers:
    """`count` programs at most; `seconds` for each image."""

    def __init__(self, *, count: int, seconds: float, idle_seconds: float = IDLE_SECONDS) -> None:
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._slots = asyncio.Semaphore(count)
        self._waiting = 0
        self._programs: set[_Program] = set()
        self._idle: list[_Program] = []
        self._sweeper: asyncio.Task[None] | None = None
        self.done = 0
        """Images that were asked for and answered, errors among them."""

    @property
    def pids(self) -> list[int]:
        """Of the programs that run."""
        return [program.process.pid for program in self._programs]

    async def run(self, order: Order, source: bytes) -> bytes:
        """The image. Raises ImageError."""
        if self._waiting >= MOST_WAITING:
            raise ImageError(503, "too many images are waiting already", retry_seconds=1)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        try:
            return await self._with_program(order, source)
        finally:
            self._slots.release()

    async def close(self) -> None:
        """Ends the programs, whatever they do."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._idle.clear()
        for program in list(self._programs):
            await self._end(program)

    async def _with_program(self, order: Order, source: bytes) -> bytes:
        rested = await self._rested()
        if rested is not None:
            try:
                return await self._use(rested, order, source)
            except _BrokenError:
                log.info("a program that changes images may have died while it rested: once more")
        program = await _Program.start(self._seconds)
        self._programs.add(program)
        try:
            return await self._use(program, order, source)
        except _BrokenError as error:
            log.warning("a program that changes images broke: %r", error.__cause__)
            raise ImageError(500, "the image could not be made") from error

    async def _use(self, program: _Program, order: Order, source: bytes) -> bytes:
        """Raises _BrokenError or ImageError."""
        reusable = False
        try:
            async with asyncio.timeout(self._seconds):
                reply, image = await program.exchange(order, source)
            reusable = program.images < MOST_IMAGES
        except TimeoutError:
            raise ImageError(504, f"the image took longer than {self._seconds:g} s") from None
        except BROKEN as error:
            raise _BrokenError from error
        finally:
            if reusable:
                self._rest(program)
            else:
                await self._end(program)
        self.done += 1
        if reply.status != 200:
            raise ImageError(reply.status, reply.error)
        return image

    async def _rested(self) -> _Program | None:
        while self._idle:
            program = self._idle.pop()
            if program.lives:
                return program
            await self._end(program)
        return None

    async def _end(self, program: _Program) -> None:
        await program.kill()
        self._programs.discard(program)

    def _rest(self, program: _Program) -> None:
        program.idle_since = asyncio.get_running_loop().time()
        self._idle.append(program)
        if self._sweeper is None or self._sweeper.done():
            self._sweeper = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        """End programs that had nothing to do for a while, as long as there are any."""
        loop = asyncio.get_running_loop()
        while self._programs:
            await asyncio.sleep(self._idle_seconds / 4)
            oldest = loop.time() - self._idle_seconds
            for program in [item for item in self._idle if item.idle_since < oldest]:
                if program in self._idle:  # it may have been taken while another one was ended
                    self._idle.remove(program)
                    await self._end(program)


class _Program:
    """One of them."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.images = 0
        self.idle_since = 0.0

    @classmethod
    async def start(cls, seconds: float) -> _Program:
        """Raises ImageError when it does not start; why is on standard error."""
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "preamp.edge.images.transformer", f"{seconds * THREADS:g}"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                # Images that are decoded whole stay in memory: there are no files to write to.
                env={"VIPS_CONCURRENCY": str(THREADS), "VIPS_DISC_THRESHOLD": "4g"},
            )
            program = cls(process)
            try:
                await program._greet()
            except BaseException:
                await program.kill()
                raise
        except BROKEN as error:
            log.error("the program that changes images does not start: %r", error)
            raise ImageError(500, "the image could not be made") from error
        return program

    async def _greet(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            note, _ = await self._receive()
        hello = msgspec.json.decode(note, type=wire.Hello)
        if hello.missing:
            log.info("images are changed without %s", ", ".join(hello.missing))

    @property
    def lives(self) -> bool:
        stdout = self.process.stdout
        return self.process.returncode is None and stdout is not None and not stdout.at_eof()

    async def exchange(self, order: Order, source: bytes) -> tuple[wire.Reply, bytes]:
        """Raises one of BROKEN."""
        self.images += 1
        stdin = self.process.stdin
        assert stdin is not None
        stdin.write(wire.encode(order, source))
        await stdin.drain()
        note, body = await self._receive()
        return msgspec.json.decode(note, type=wire.Reply), body

    async def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def _receive(self) -> tuple[bytes, bytes]:
        stdout = self.process.stdout
        assert stdout is not None
        note_size, body_size = wire.HEAD.unpack(await stdout.readexactly(wire.HEAD.size))
        if note_size > MOST_NOTE or body_size > MOST_OUTPUT:
            raise ValueError("it announces more than it may send")  # whatever it was made to do
        return await stdout.readexactly(note_size), await stdout.readexactly(body_size)
