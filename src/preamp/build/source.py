"""Getting the files of a commit into the workspace, with a real `.git`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from preamp.build.errors import SourceError
from preamp.build.git import Git, Remote, explain
from preamp.build.logs import BuildLog
from preamp.build.mirror import Mirror, locked, mirror_folder
from preamp.build.request import BuildRequest
from preamp.build.workspace import Workspace, give
from preamp.model.jobs import Commit

_BRANCH = re.compile(r"(?!-)(?!.*(\.\.|@\{|//|\\|[\x00-\x20~^:?*\[\x7f]))[^\n]{1,255}(?<![./])")


async def check_out(
    request: BuildRequest, target: Remote, workspace: Workspace, log: BuildLog, owner: tuple[int, int] | None
) -> Commit:
    """Clone into `workspace.source`, owned by `owner`. Raises SourceError."""
    branch = request.job.branch
    if not _BRANCH.fullmatch(branch):
        raise SourceError(f"{branch!r} cannot be the name of a git branch")
    log.info(f"# Cloning repository: {target.url}")
    mirror = mirror_folder(request.folders.mirrors, request.job.app_id, target.url)
    fetching = Git(target, trusted_config=True)
    careful = Git(target, trusted_config=False)
    source = str(workspace.source)
    async with locked(mirror.with_suffix(".lock")):
        bare = Mirror(mirror, target, fetching)
        sha = await bare.update(branch, request.commit_id)
        commit = await bare.describe(sha)
        # no hard links: the workspace changes its owner, the mirror must not
        copying = Git(Remote(url=str(mirror), local=True), trusted_config=False)
        clone = ("clone", "-q", "--no-checkout", "--no-hardlinks", "--template=", "--", str(mirror), source)
        await copying.must(*clone)
    if request.commit_id not in {None, "HEAD"}:
        log.info(f"# Switching to commit: {sha}")
        place: tuple[str, ...] = ("--detach",)
    else:
        place = ("-B", branch)
    await careful.must("config", "remote.origin.url", target.url, folder=workspace.source)
    done = await careful("checkout", "-q", "--force", *place, sha, "--", folder=workspace.source)
    if done.code:
        raise SourceError(
            f"Checking out {sha} failed: {done.errors.splitlines()[-1] if done.errors else done.code}"
        )
    if (workspace.source / ".gitmodules").exists():
        await _submodules(target, workspace.source, log)
    await asyncio.to_thread(give, workspace.files, owner)
    return commit


async def _submodules(target: Remote, source: Path, log: BuildLog) -> None:
    log.info("# Checking for Git submodules at: .gitmodules")
    git = Git(target, trusted_config=True)
    done = await git(
        "submodule", "--quiet", "update", "--init", "--recursive", "--depth", "50", folder=source
    )
    if done.code:
        done = await git("submodule", "--quiet", "update", "--init", "--recursive", folder=source)
    if done.code:
        raise SourceError(f"A submodule could not be fetched. {explain(done.errors, target)}")
