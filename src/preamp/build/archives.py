"""Archives of caches: tar runs in the sandbox, for the content is not trusted; compression outside."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from preamp.build.logs import BuildLog, OutputPipe
from preamp.build.processes import wait_process
from preamp.build.sandbox import Launch, Limits, Sandbox
from preamp.build.threads import in_thread
from preamp.build.watchdog import watch

_UNPACK = "import sys,zstandard as z; z.ZstdDecompressor().copy_stream(sys.stdin.buffer,sys.stdout.buffer)"
_PACK = _UNPACK.replace("ZstdDecompressor()", "ZstdCompressor(level=3,threads=-1)")
_NICE = ("nice", "-n", "19")


async def unpack(
    source: BinaryIO,
    *,
    sandbox: Sandbox,
    files: Path,
    slot: int,
    log: BuildLog,
    in_background: Limits | None = None,
) -> int:
    """Unpack an archive into `files`, a workspace's; what tar says goes to the log. The exit code.

    in_background: with the lowest priority, and bounded: a small archive may hold a large file.
    """
    before = _NICE if in_background else ()
    tar = (*before, "tar", "--extract", "--preserve-permissions", "--file=-", "--no-same-owner",
           "--delay-directory-restore")  # fmt: skip
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        unpacker = subprocess.Popen(  # noqa: ASYNC220 - returns once executed
            [*before, *_zstd("-dcq", _UNPACK)], stdin=source, stdout=write, stderr=subprocess.DEVNULL
        )
    finally:
        os.close(write)
    try:
        try:
            code = await _sandboxed(sandbox, files, slot, log, tar, stdin=read, limits=in_background)
        finally:
            os.close(read)
        return code or await wait_process(unpacker)
    finally:
        if unpacker.poll() is None:
            unpacker.kill()
            unpacker.wait()


async def pack(
    names: Sequence[str],
    target: BinaryIO,
    *,
    excludes: Sequence[str],
    sandbox: Sandbox,
    files: Path,
    slot: int,
    log: BuildLog,
) -> int:
    """Pack `names`, relative to `files`, a workspace's, but for the patterns `excludes`. The exit code.

    After code 0 the archive is on the disk.
    """
    tar = ("tar", "--create", "--file=-", "--ignore-failed-read", "--anchored", "--wildcards",
           *(f"--exclude={pattern}" for pattern in excludes),
           "--null", "--verbatim-files-from", "--files-from=/dev/stdin")  # fmt: skip
    listing = os.memfd_create("paths", os.MFD_CLOEXEC)
    os.write(listing, "\0".join(names).encode("utf-8", "surrogateescape"))
    os.lseek(listing, 0, os.SEEK_SET)
    read, write = os.pipe2(os.O_CLOEXEC)
    try:
        packer = subprocess.Popen(  # noqa: ASYNC220 - returns once executed
            _zstd("-q -3 -T0 -c", _PACK), stdin=read, stdout=target, stderr=subprocess.DEVNULL
        )
        os.close(read)
        read = -1
        try:
            code = await _sandboxed(sandbox, files, slot, log, tar, stdin=listing, stdout=write)
            os.close(write)
            write = -1
            code = code or await wait_process(packer)
        finally:
            if packer.poll() is None:
                packer.kill()
                packer.wait()
        await in_thread(os.fsync, target.fileno())
        return code
    finally:
        for fd in (read, write, listing):
            if fd >= 0:
                os.close(fd)


async def _sandboxed(
    sandbox: Sandbox,
    files: Path,
    slot: int,
    log: BuildLog,
    argv: Sequence[str],
    *,
    stdin: int,
    stdout: int = -1,
    limits: Limits | None = None,
) -> int:
    """Run tar in the workspace; what it complains about goes to the log."""
    pipe = OutputPipe(log)
    try:
        running = await sandbox.start(
            Launch(
                argv=argv,
                environment={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                workspace=files,
                cwd=str(sandbox.inside(files)),
                slot=slot,
                stdin=stdin,
                stdout=stdout if stdout >= 0 else pipe.write_fd,
                stderr=pipe.write_fd,
            )
        )
        waiter = asyncio.create_task(running.wait())
        watcher = asyncio.create_task(watch(running, limits, files)) if limits else None
        try:
            return await asyncio.shield(waiter)
        finally:
            if watcher is not None:
                watcher.cancel()
            running.kill()
            await waiter
    finally:
        await pipe.finish()


def _zstd(options: str, fallback: str) -> list[str]:
    if program := shutil.which("zstd"):
        return [program, *options.split()]
    return [sys.executable, "-P", "-c", fallback]
