"""What can go wrong in a build. `str(error)` is meant for a step's `statusReason` and the end of its log."""

from __future__ import annotations

from collections.abc import Callable

from preamp.build.request import Checked
from preamp.model.jobs import Commit


class BuildError(Exception):
    """A build ended without output; the text says what, where and what to do."""

    logged = False
    """Whether the step's log says it already."""

    def conceal(self, mask: Callable[[str], str]) -> None:
        """Replace secrets in the text: git and tools quote what they were given."""
        self.args = tuple(mask(str(item)) for item in self.args)


class SourceError(BuildError):
    """The repository, the branch or the commit could not be fetched."""


class SpecError(BuildError):
    """The build spec cannot be used. `line` and `column` count from 1; 0 where there is no position."""

    def __init__(
        self, message: str, *, line: int = 0, column: int = 0, excerpt: str = "", absent: bool = False
    ) -> None:
        """absent: there is none, rather than one that cannot be read."""
        where = f" ({line}:{column})" if line else ""
        what = "No build spec" if absent else "Unable to parse build spec"
        super().__init__(f"{what}: {message}{where}" + (f"\n{excerpt}" if excerpt else ""))
        self.message = message
        self.line = line
        self.column = column


class BuildFailed(BuildError):
    """A command failed, or its output is not there."""

    def __init__(
        self,
        message: str,
        *,
        phase: str | None = None,
        command: str | None = None,
        exit_code: int | None = None,
        last_lines: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message + ("\n" + "\n".join(last_lines) if last_lines else ""))
        self.message = message
        self.phase = phase
        self.command = command
        self.exit_code = exit_code
        self.last_lines = last_lines


class FailedTests(BuildFailed):
    """A command of the test phases failed. What they left is kept all the same."""

    def __init__(self, error: BuildFailed, checked: Checked | None) -> None:
        super().__init__(
            error.message,
            phase=error.phase,
            command=error.command,
            exit_code=error.exit_code,
            last_lines=error.last_lines,
        )
        self.checked = checked


class BuildSkipped(Exception):
    """There is nothing to build; the text says why. What is served stays as it is."""

    def __init__(self, reason: str, commit: Commit) -> None:
        super().__init__(reason)
        self.commit = commit


class BuildTimeout(BuildError):
    """The time limit was reached; every process of the build is dead."""


class ToolchainError(BuildError):
    """A Node version that the build asks for is neither on the machine nor obtainable."""


class SandboxError(BuildError):
    """The sandbox could not be started."""


class SandboxUnavailable(SandboxError):
    """The machine offers no isolation and the operator did not allow builds without it."""
