"""`preamp doctor`: what this machine offers, and what each tool is for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import click

from preamp.cli.errors import CommandError
from preamp.cli.options import data_flag, json_flag, load_settings, print_json


class Need(StrEnum):
    """How much a tool is missed when it is not there."""

    REQUIRED = "required"  # builds from repositories cannot run without it
    ADVISED = "advised"  # Preamp has another way, which is slower or weaker
    OPTIONAL = "optional"  # one feature, or only Preamp's own tests and benches


@dataclass(frozen=True, kw_only=True, slots=True)
class Tool:
    """A program Preamp can use."""

    program: str
    purpose: str
    need: Need
    package: str
    """Debian's package."""
    version: tuple[str, ...] = ("--version",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    ok: bool
    need: Need
    detail: str
    purpose: str


TOOLS = (
    Tool(program="git", need=Need.REQUIRED, package="git", purpose="clones the repositories that jobs build"),
    Tool(
        program="bash",
        need=Need.REQUIRED,
        package="bash",
        purpose="runs the commands of build specs",
    ),
    Tool(
        program="bwrap",
        need=Need.ADVISED,
        package="bubblewrap",
        purpose="isolates builds from the machine and from each other",
    ),
    Tool(
        program="node",
        need=Need.ADVISED,
        package="nodejs",
        purpose="most front-ends; Preamp brings its own from PyPI when there is none",
    ),
    Tool(program="npm", need=Need.ADVISED, package="npm", purpose="comes with Preamp's own Node as well"),
    Tool(
        program="zstd",
        need=Need.ADVISED,
        package="zstd",
        purpose="packs and unpacks build caches on all cores",
    ),
    Tool(
        program="pasta",
        need=Need.ADVISED,
        package="passt",
        purpose="lets servers of releases reach the internet but not this machine",
    ),
    Tool(
        program="ssh",
        need=Need.OPTIONAL,
        package="openssh-client",
        purpose="repositories with ssh:// URLs",
        version=("-V",),
    ),
    Tool(program="git-lfs", need=Need.OPTIONAL, package="git-lfs", purpose="repositories that use Git LFS"),
    Tool(
        program="chromium",
        need=Need.OPTIONAL,
        package="chromium",
        purpose="pictures of pages after a job",
    ),
    Tool(program="skopeo", need=Need.OPTIONAL, package="skopeo", purpose="fetches custom build images"),
    Tool(
        program="pebble",
        need=Need.OPTIONAL,
        package="pebble",
        purpose="tests of certificates; not used yet",
        version=("-version",),
    ),
    Tool(
        program="nginx",
        need=Need.OPTIONAL,
        package="nginx-light",
        purpose="the yardstick of `make bench`",
        version=("-v",),
    ),
    Tool(
        program="wrk",
        need=Need.OPTIONAL,
        package="wrk",
        purpose="load for `make bench`",
        version=("-v",),
    ),
)  # fmt: skip


@click.command()
@data_flag
@json_flag
def doctor(data: Path | None, as_json: bool) -> None:
    """Show which optional tools are present and what each is for.

    Exit status 2 when something that Preamp cannot do without is missing.
    """
    findings = [
        _python(),
        _data_folder(data),
        *(look(tool) for tool in TOOLS),
        _sandbox(),
        _mounts(),
        _network(data),
    ]
    if as_json:
        print_json(
            [
                {
                    "name": finding.name,
                    "ok": finding.ok,
                    "need": finding.need.value,
                    "detail": finding.detail,
                    "purpose": finding.purpose,
                }
                for finding in findings
            ]
        )
    else:
        _print(findings)
    missing = [finding.name for finding in findings if not finding.ok and finding.need is Need.REQUIRED]
    if missing:
        raise CommandError(f"Preamp cannot do without: {', '.join(missing)}")


def look(tool: Tool) -> Finding:
    """Is the program there, and which version says it is."""
    found = find_program(tool.program)
    detail = f"not found; Debian: apt install {tool.package}" if found is None else _version(found, tool)
    return Finding(
        name=tool.program, ok=found is not None, need=tool.need, detail=detail, purpose=tool.purpose
    )


def find_program(name: str) -> str | None:
    """Its path; also where Debian keeps programs that are not on an ordinary user's PATH."""
    return shutil.which(name) or shutil.which(name, path="/usr/local/sbin:/usr/sbin:/sbin")


def _version(found: str, tool: Tool) -> str:
    try:
        done = subprocess.run(
            [found, *tool.version],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=20,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{found} (does not say its version: {error})"
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return lines[0][:70] if lines else found


def _python() -> Finding:
    return Finding(
        name="python",
        ok=True,
        need=Need.REQUIRED,
        detail=sys.version.split(" ", 1)[0],
        purpose="runs Preamp itself",
    )


def _data_folder(data: Path | None) -> Finding:
    folder = load_settings(data=data).data
    there = folder.is_dir()
    free = shutil.disk_usage(
        next(path for path in (folder, *folder.absolute().parents) if path.exists())
    ).free
    detail = f"{folder}, {free / 1024**3:.1f} GiB free" + ("" if there else "; made by the first start")
    return Finding(
        name="data folder", ok=True, need=Need.REQUIRED, detail=detail, purpose="everything Preamp keeps"
    )


def _sandbox() -> Finding:
    from preamp.build.errors import SandboxUnavailable
    from preamp.build.sandbox import probe

    purpose = "how builds are isolated; refused when there is no way, see --insecure-no-sandbox"
    try:
        report = probe().report
    except SandboxUnavailable as error:
        return Finding(name="sandbox", ok=False, need=Need.REQUIRED, detail=str(error), purpose=purpose)
    better = "".join(f"; not {item.tier.value}: {item.reason}" for item in report.rejected)
    return Finding(
        name="sandbox",
        ok=not report.weak,
        need=Need.ADVISED,
        detail=f"{report.tier.value}: {report.summary} (limits: {report.limits}){better}",
        purpose=purpose,
    )


def _mounts() -> Finding:
    from preamp.build import mounts

    refusal: OSError | None = None
    try:
        mounts.rehearse()
    except OSError as error:
        refusal = error
    return Finding(
        name="overlays",
        ok=refusal is None,
        need=Need.OPTIONAL,
        detail=str(refusal or "allowed"),
        purpose="large build caches are restored in milliseconds instead of being unpacked",
    )


def _network(data: Path | None) -> Finding:
    import asyncio

    from preamp.build.errors import SandboxUnavailable
    from preamp.build.sandbox import probe
    from preamp.compute.host import FIRST_SLOT
    from preamp.compute.network import probe_network

    purpose = "what servers of releases reach (the setting compute_network)"
    try:
        wanted = load_settings(data=data).compute_network
        report = asyncio.run(probe_network(probe(), wanted, FIRST_SLOT))
    except SandboxUnavailable:
        return Finding(
            name="servers",
            ok=False,
            need=Need.ADVISED,
            detail="there is no sandbox for them",
            purpose=purpose,
        )
    return Finding(
        name="servers", ok=report.problem is None, need=Need.ADVISED, detail=report.text, purpose=purpose
    )


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    marks = {True: "ok", False: "--"}
    for finding in findings:
        mark = marks[finding.ok]
        if not finding.ok and finding.need is Need.REQUIRED:
            mark = "!!"
        click.echo(f"{mark}  {finding.name:{width}}  {finding.detail}")
        click.echo(f"    {'':{width}}  {finding.need.value}: {finding.purpose}")
