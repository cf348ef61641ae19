"""Real repositories and real builds, for the tests of this folder."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preamp.build.request import BuildEvent, BuildRequest, BuildResult, Folders, JobIdentity
from preamp.build.run import run_build
from preamp.build.sandbox import Sandbox, probe
from preamp.build.workspace import open_workspace

FIRST_SLOT = 100 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
"""Without a PID namespace a slot's uid is what is killed: tests that run at once must not share slots."""


class Log:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.data = b""
        self.waiting: list[tuple[bytes, asyncio.Event]] = []

    def write(self, data: bytes) -> None:
        self.data += data
        for needle, event in self.waiting:
            if needle in self.data:
                event.set()

    @property
    def text(self) -> str:
        return self.data.decode()

    async def contains(self, needle: str) -> None:
        event = asyncio.Event()
        self.waiting.append((needle.encode(), event))
        self.write(b"")
        await asyncio.wait_for(event.wait(), 30)


class Repository:
    """A git repository with one commit per `commit`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        identity = (
            "-c",
            "user.name=Test",
            "-c",
            "user.email=test@example.test",
            "-c",
            "protocol.file.allow=always",
        )
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str], message: str = "change") -> str:
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")


def spec(*commands: str, base: str = "dist", rest: str = "") -> str:
    """A spec whose build phase has the given commands, each as a literal block."""
    lines = ["version: 1", "frontend:"]
    if commands:
        lines += ["  phases:", "    build:", "      commands:"]
        for command in commands:
            lines += ["        - |", *(f"          {line}" for line in command.splitlines())]
    lines += ["  artifacts:", f"    baseDirectory: {base}", "    files: ['**/*']"]
    return "\n".join(lines) + "\n" + rest


class Builder:
    """Builds with everything kept below one folder."""

    def __init__(self, folder: Path, sandbox: Sandbox | None = None) -> None:
        self.folders = Folders(
            mirrors=folder / "mirrors", caches=folder / "caches", toolchains=folder / "toolchains"
        )
        self.sandbox = sandbox or probe()
        self.log = Log()
        self.events: list[BuildEvent] = []
        self.output: dict[str, str] = {}

    def request(self, repository: object, **changes: object) -> BuildRequest:
        branch = str(changes.pop("branch", "main"))
        job = JobIdentity(app_id="dtest", branch=branch, branch_arn="arn:branch", job_id="0000000001")
        values: dict[str, object] = {"job": job, "repository": str(repository), "folders": self.folders}
        values["slot"] = FIRST_SLOT
        return BuildRequest(**(values | changes))  # type: ignore[arg-type]

    async def build(self, repository: object, **changes: object) -> BuildResult:
        self.log.data = b""
        request = self.request(repository, **changes)
        async with open_workspace(request) as workspace:
            self.root = workspace.root
            result = await run_build(
                request, workspace=workspace, sandbox=self.sandbox, log=self.log, on_event=self.events.append
            )
            self.output = {
                str(path.relative_to(result.output)): path.read_bytes().decode("utf-8", "replace")
                for path in sorted(result.output.rglob("*"))
                if path.is_file()
            }
        return result

    def run(self, repository: object, **changes: object) -> BuildResult:
        return asyncio.run(self.build(repository, **changes))


def processes_with(marker: str) -> list[str]:
    """Command lines of living processes that contain `marker`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue
        if marker in line:
            found.append(line)
    return found


@contextmanager
def tree_removed(builder: Builder) -> Iterator[None]:
    yield
    assert not builder.root.exists()
