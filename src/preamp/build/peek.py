"""A look at a repository of which there is no mirror yet: two commits and their folders, no files."""

from __future__ import annotations

from pathlib import Path

from preamp.build.git import Git, Remote
from preamp.build.mirror import Mirror
from preamp.build.request import BuildRequest
from preamp.build.skips import compares, reason_to_skip
from preamp.model.jobs import Commit


async def reason_seen_from_afar(
    request: BuildRequest, target: Remote, git: Git, folder: Path
) -> tuple[str, Commit] | None:
    """Why there is nothing to build, and the commit that is not built.

    `None` when there is something, or when that cannot be told without a clone. folder: where a scratch
    repository may be made.
    """
    if request.built_commit is None or not compares(request):
        return None
    head = f"refs/heads/{request.job.branch}"
    wanted = head if request.commit_id in {None, "HEAD"} else request.commit_id
    await git.must("init", "-q", "--bare", "--template=", str(folder))
    # for `--filter`, git wants a remote with a name
    for name, value in (("url", target.url), ("promisor", "true"), ("partialclonefilter", "blob:none")):
        await git.must("config", f"remote.origin.{name}", value, folder=folder)
    fetch = ("fetch", "-q", "--depth=1", "--no-tags", "--end-of-options", "origin")
    done = await git(*fetch, f"{wanted}:refs/heads/wanted", request.built_commit, folder=folder)
    if done.code:
        return None  # whatever is wrong, the clone finds it too and can say it
    seen = Mirror(folder, target, git)
    commit = await seen.describe("refs/heads/wanted")
    reason = await reason_to_skip(request, seen, commit)
    return (reason, commit) if reason else None
