"""Getting the files of a commit into the workspace, with a real `.git`."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from preamp.build.errors import BuildSkipped, SourceError
from preamp.build.git import Git, Remote, explain
from preamp.build.logs import BuildLog
from preamp.build.mirror import Mirror, locked, mirror_folder
from preamp.build.peek import reason_seen_from_afar
from preamp.build.request import BuildRequest
from preamp.build.skips import reason_to_skip
from preamp.build.threads import in_thread
from preamp.build.workspace import Workspace, give
from preamp.model.jobs import Commit

_BRANCH = re.compile(r"(?!-)(?!.*(\.\.|@\{|//|\\|[\x00-\x20~^:?*\[\x7f]))[^\n]{1,255}(?<![./])")


async def check_out(
    request: BuildRequest,
    target: Remote,
    workspace: Workspace,
    log: BuildLog,
    owner: tuple[int, int] | None,
    on_commit: Callable[[Commit], None],
) -> Commit:
    """Clone into `workspace.source`, owned by `owner`. Raises SourceError, and BuildSkipped when there is
    nothing to build. on_commit: called as soon as it is known what is built."""
    branch = request.job.branch
    if not _BRANCH.fullmatch(branch):
        raise SourceError(f"{branch!r} cannot be the name of a git branch")
    log.info(f"# Cloning repository: {target.url}")
    mirror = mirror_folder(request.folders.mirrors, request.job.app_id, target.url)
    fetching = Git(target, trusted_config=True)
    careful = Git(target, trusted_config=False)
    source = str(workspace.source)
    async with locked(mirror.with_suffix(".lock")):
        if not mirror.exists():
            found = await reason_seen_from_afar(request, target, fetching, workspace.private / "peek.git")
            if found is not None:
                on_commit(found[1])
                raise BuildSkipped(*found)
        bare = Mirror(mirror, target, fetching)
        sha = await bare.update(branch, request.commit_id)
        commit = await bare.describe(sha)
        on_commit(commit)
        if reason := await reason_to_skip(request, bare, commit):
            raise BuildSkipped(reason, commit)
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
    log.info(f"# Checking for Git submodules at: {workspace.source.name}/.gitmodules")
    if (workspace.source / ".gitmodules").exists():
        await _submodules(target, workspace.source)
    await _large_files(target, workspace.source, sha, log)
    await in_thread(give, workspace.files, owner)
    return commit


async def _submodules(target: Remote, source: Path) -> None:
    git = Git(target, trusted_config=True)
    update = ("submodule", "--quiet", "update", "--init", "--recursive")
    done = await git(*update, "--depth", "50", folder=source)
    if done.code:
        done = await git(*update, folder=source)
    if done.code:
        raise SourceError(f"A submodule could not be fetched. {explain(done.errors, target)}")


async def _large_files(target: Remote, source: Path, sha: str, log: BuildLog) -> None:
    """Replace the pointers of Git LFS by the files, with the repository's own credentials."""
    git = Git(target, trusted_config=True, when_asked=True)
    listed = await git("grep", "-l", "-e", r"filter=lfs\b", sha, "--", "*.gitattributes", folder=source)
    if listed.code:
        return
    if shutil.which("git-lfs") is None:
        raise SourceError(
            "The repository keeps files in Git LFS, and git-lfs is not installed on the machine that runs "
            "the build: install it (Debian, Ubuntu: `apt install git-lfs`) and start the job again"
        )
    log.info("# Fetching the files of Git LFS")
    # of its eight tries, also of what is refused, the last ones wait ten seconds each
    patience = ("-c", "lfs.transfer.maxretries=4")
    for arguments in (("fetch", "origin", sha), ("checkout",)):
        done = await git(*patience, "lfs", *arguments, folder=source)
        if done.code:
            raise SourceError(_why_not_fetched(done.errors))


def _why_not_fetched(errors: str) -> str:
    """git-lfs says what matters first, unlike git. Addresses of storage carry signatures after a `?`."""
    first = re.sub(r"\?\S+", "", errors.strip().partition("\n")[0]) or "it ended without a message"
    text = errors.lower()
    if "authentication required" in text or "authorization error" in text:
        advice = "The server refuses the app's credentials for them: give the app a token that may read them"
    elif "does not exist" in text:
        advice = "Push them from where they are: `git lfs push --all origin`"
    else:
        advice = "Check that the machine that runs the build reaches the server"
    return f"Files of Git LFS could not be fetched. {advice}. git-lfs says: {first}"
