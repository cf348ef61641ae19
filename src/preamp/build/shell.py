"""One Bash for a whole build, fed one command at a time.

A command arrives over a socket together with a fresh number used once, and is evaluated in the shell
itself, so that `cd`, `export` and `nvm use` last. Its exit code comes back with that number. The socket is
closed for the command while it runs: its children do not have it, and an answer without the right number is
ignored, so output cannot be mistaken for the end of a command.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from preamp.build.logs import BuildLog, OutputPipe
from preamp.build.sandbox import Launch, Limits, Running, Sandbox
from preamp.build.watchdog import Excess, watch

# `break` and `exit 0` end the loop or the shell: the next command gets a new Bash in the same folder with the
# same exported variables. `continue` is answered at the head of the loop.
DRIVER = r"""
[[ -s "$NVM_DIR/nvm.sh" ]] && . "$NVM_DIR/nvm.sh"
__preamp_nonce= __preamp_code=0
trap '__preamp_code=$?; if [[ $__preamp_nonce ]]; then
  printf "%s %s\n" "$__preamp_nonce" "$__preamp_code" >&@
  exec /bin/bash --noprofile --norc -c "$BASH_EXECUTION_STRING" build
fi' EXIT
while :; do
  if [[ $__preamp_nonce ]]; then printf '%s %s\n' "$__preamp_nonce" "$__preamp_code" >&@; fi
  __preamp_nonce= __preamp_code=0
  IFS= read -r -d '' -u @ __preamp_nonce && IFS= read -r -d '' -u @ __preamp_command ||
    { trap - EXIT; exit 0; }
  eval "$__preamp_command" @>&-
  __preamp_code=$?
done
exit 0
"""
MAX_ANSWER = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    shell_gone: bool
    """The shell itself is dead: killed, replaced by `exec`, or left with an own EXIT trap."""


class Shell:
    """Use as an async context manager; on exit every process of the sandbox is dead."""

    def __init__(self, sandbox: Sandbox, log: BuildLog) -> None:
        self._sandbox = sandbox
        self._log = log
        self._running: Running | None = None
        self._output: OutputPipe | None = None
        self._waiter: asyncio.Task[int] | None = None
        self._watch: asyncio.Task[Excess] | None = None
        self._buffer = b""

    async def start(
        self,
        *,
        environment: Mapping[str, str],
        workspace: Path,
        cwd: str,
        slot: int,
        limits: Limits,
        read_only: tuple[Path, ...],
        root: Path | None = None,
    ) -> tuple[str, ...]:
        """What could not be limited as asked. Raises SandboxError."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._socket = ours
        self._output = OutputPipe(self._log)
        stdin = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        driver = DRIVER.replace("@", str(theirs.fileno()))
        try:
            self._running = await self._sandbox.start(
                Launch(
                    argv=("/bin/bash", "--noprofile", "--norc", "-c", driver, "build"),
                    environment=environment,
                    workspace=workspace,
                    cwd=cwd,
                    slot=slot,
                    stdin=stdin,
                    stdout=self._output.write_fd,
                    stderr=self._output.write_fd,
                    pass_fds=(theirs.fileno(),),
                    limits=limits,
                    read_only=read_only,
                    root=root,
                )
            )
        finally:
            theirs.close()
            os.close(stdin)
            self._output.close_writer()
        self._waiter = asyncio.create_task(self._running.wait())
        self._watch = asyncio.create_task(watch(self._running, limits, workspace.parents[1]))
        return self._running.notes

    async def run(self, command: str) -> Ended:
        """Evaluate a command; its output is in the log when this returns."""
        if self._waiter is None or self._output is None:
            raise RuntimeError("the shell is not started")
        nonce = secrets.token_hex(8)
        loop = asyncio.get_running_loop()
        answer = asyncio.create_task(self._answer(nonce))
        try:
            with contextlib.suppress(ConnectionError):  # the shell is gone: its exit code tells
                await loop.sock_sendall(
                    self._socket, f"{nonce}\0{command}\0".encode("utf-8", "surrogateescape")
                )
            await asyncio.wait({answer, self._waiter}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done() and (code := answer.result()) is not None:
                await self._output.catch_up()
                return Ended(code=code, shell_gone=False)
            code = await asyncio.shield(self._waiter)
            await self._output.catch_up()
            return Ended(code=code, shell_gone=True)
        finally:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)

    async def _answer(self, nonce: str) -> int | None:
        """The exit code that comes with the right number; `None` when the socket ends."""
        loop = asyncio.get_running_loop()
        while True:
            while b"\n" in self._buffer:
                line, _, self._buffer = self._buffer.partition(b"\n")
                words = line.decode("ascii", "replace").split()
                if len(words) == 2 and words[0] == nonce and words[1].isdigit():
                    return int(words[1])
            self._buffer = self._buffer[-MAX_ANSWER:]
            try:
                data = await loop.sock_recv(self._socket, 4096)
            except ConnectionError:
                return None
            if not data:
                return None
            self._buffer += data

    def excess(self) -> Excess | None:
        """What the build had too much of, if that is why it ended. After the shell is closed or gone."""
        if self._watch is not None and self._watch.done() and not self._watch.cancelled():
            return self._watch.result()
        if self._running is not None and self._running.out_of_memory():
            return Excess.MEMORY
        return None

    async def close(self) -> None:
        """Kill what is left, wait until it is dead, read the rest of the output. Not to be interrupted."""
        if self._running is not None and self._waiter is not None:
            self._running.kill()
            await self._waiter
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        if self._output is not None:
            await self._output.finish()
            self._output = None
            self._socket.close()

    async def __aenter__(self) -> Shell:
        return self

    async def __aexit__(self, *_: object) -> None:
        closing = asyncio.ensure_future(self.close())
        cancelled = False
        while not closing.done():
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError:
                cancelled = True
        closing.result()
        if cancelled:
            raise asyncio.CancelledError
