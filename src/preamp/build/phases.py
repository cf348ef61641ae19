"""Running the phases of an application, in Amplify's order and wording (behaviour reference, section 4.3)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

from preamp.build.errors import BuildFailed
from preamp.build.logs import BuildLog
from preamp.build.request import BuildEvent, EventKind, OnEvent
from preamp.build.sandbox import Limits
from preamp.build.shell import Shell
from preamp.build.spec import Application, Command, Section
from preamp.build.watchdog import Excess

MAX_COMMAND_SHOWN = 2000
GIB = 1024**3


class PhaseRunner:
    """Runs phases in one shell. Raises BuildFailed at the first failing command."""

    def __init__(self, shell: Shell, log: BuildLog, on_event: OnEvent, *, limits: Limits) -> None:
        self._shell = shell
        self._log = log
        self._on_event = on_event
        self._limits = limits

    async def run(self, application: Application) -> None:
        """Backend, then frontend."""
        log = self._log
        log.info("## Starting Backend Build")
        started = time.monotonic()
        if application.backend.commands:
            await self._section(application.backend)
        else:
            log.info("## Checking for associated backend environment...")
            log.info("## No backend environment association found, continuing...")
        log.info("## Completed Backend Build")
        log.info(
            json.dumps(
                {
                    "backendDuration": round(time.monotonic() - started, 3)
                    if application.backend.commands
                    else 0
                }
            )
        )
        log.info("## Starting Frontend Build")
        await self._section(application.frontend)
        log.info("## Completed Frontend Build")
        log.info("## Build completed successfully")

    async def run_tests(self, section: Section) -> None:
        self._log.info("## Starting Tests")
        await self._section(section)
        self._log.info("## Completed Tests")

    async def prepare(self, commands: Iterable[str]) -> None:
        """Commands of ours that come before the first phase."""
        await self._commands("liveUpdates", [Command(text=text, line=0) for text in commands])

    async def _section(self, section: Section) -> None:
        for phase in section.phases:
            self._log.info(f"# Starting phase: {phase.name}")
            self._on_event(BuildEvent(kind=EventKind.PHASE_STARTED, text=phase.name))
            await self._commands(phase.name, phase.commands)
            self._log.info(f"# Completed phase: {phase.name}")
            self._on_event(BuildEvent(kind=EventKind.PHASE_ENDED, text=phase.name))

    async def _commands(self, phase: str, commands: Iterable[Command]) -> None:
        for command in commands:
            if command.is_comment:
                continue
            self._log.begin_command()
            shown = self._log.masker.text(command.text)[:MAX_COMMAND_SHOWN]
            self._log.info(f"# Executing command: {shown}")
            self._on_event(BuildEvent(kind=EventKind.COMMAND, text=shown))
            ended = await self._shell.run(command.text)
            if ended.code or ended.shell_gone:
                await self._failed(phase, shown, code=ended.code, shell_gone=ended.shell_gone)

    async def _failed(self, phase: str, command: str, *, code: int, shell_gone: bool) -> None:
        await self._shell.close()  # also tells whether the memory ran out
        last = self._log.last_lines
        first_line = command.splitlines()[0] if command else ""
        what = f"Command `{first_line}` of phase {phase} failed with exit code {code}"
        excess = self._shell.excess()
        if excess is not None:
            what = f"{self._too_much(excess)} {what}"
        elif shell_gone and code == 0:
            what = (
                f"Command `{first_line}` of phase {phase} ended the build's shell, so that nothing after it "
                "could run: `exec` and an EXIT trap of its own belong into a script"
            )
        elif code == 127:
            what += " (command not found)"
        elif shell_gone:
            what += " (the build's shell was killed)"
        self._log.error("!!! Build failed")
        self._log.error("!!! Non-Zero Exit Code detected")
        self._log.error(f"!!! {what}")
        raise BuildFailed(what, phase=phase, command=command, exit_code=code, last_lines=last)

    def _too_much(self, excess: Excess) -> str:
        match excess:
            case Excess.MEMORY:
                memory = (self._limits.memory_bytes or 0) / GIB
                return f"Out of memory: the build used more than {memory:.1f} GiB, all it may have."
            case Excess.DISK:
                disk = (self._limits.disk_bytes or 0) / 10**9
                return f"Out of disk space: the build's files took more than {disk:.1f} GB, all it may have."
            case Excess.SPACE:
                return (
                    "Out of disk space: the disk of the machine that runs the build is full, and this build "
                    "has the most on it. Free some space and start the job again."
                )
