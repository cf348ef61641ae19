"""A persistent bare mirror per app and repository: a fetch costs only what changed.

Per app, because what one app's credentials fetched must not be readable by another app's builds.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

from preamp.build.errors import SourceError
from preamp.build.git import Git, Remote, explain
from preamp.build.threads import in_thread
from preamp.build.workspace import remove_tree
from preamp.model.jobs import Commit

_SHA = re.compile(r"[0-9a-f]{4,40}")
_BROKEN = (
    "bad object", "object file", "loose object", "corrupt", "is empty", "not a git repository: '.'",
    "not a git repository (or any", "unable to read tree", "bad config", "did not receive expected object",
    "invalid index-pack",
)  # fmt: skip


def mirror_folder(mirrors: Path, app_id: str, url: str) -> Path:
    return mirrors / (hashlib.sha256(f"{app_id}\0{url}".encode()).hexdigest()[:32] + ".git")


@contextlib.asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Hold `path` as a lock between processes; waiting can be cancelled."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.02)
        yield
    finally:
        os.close(fd)


class Mirror:
    """Use under `locked(folder.with_suffix(".lock"))`."""

    def __init__(self, folder: Path, target: Remote, git: Git) -> None:
        self._folder = folder
        self._remote = target
        self._git = git

    async def update(self, branch: str, commit_id: str | None) -> str:
        """Fetch what is needed; the full SHA to build. Raises SourceError."""
        try:
            return await self._update(branch, commit_id)
        except _Broken:
            # a crash while fetching can leave a mirror that git refuses; everything in it can be had again
            await in_thread(remove_tree, self._folder)
        try:
            return await self._update(branch, commit_id)
        except _Broken as error:
            raise SourceError(explain(str(error), self._remote)) from error

    async def describe(self, sha: str) -> Commit:
        text = await self._git.must("log", "-1", "--format=%H%x00%ct%x00%B", sha, folder=self._folder)
        full, seconds, message = text.split("\0", 2)
        return Commit(commit_id=full, message=message.strip(), time_ms=int(seconds) * 1000)

    async def has(self, sha: str, folder: str) -> bool:
        """Whether the commit has something at that path."""
        done = await self._git("cat-file", "-e", f"{sha}:{folder}", folder=self._folder)
        return done.code == 0

    async def differs(self, old: str, new: str, folder: str) -> bool:
        """Whether a folder (empty: everything) is not the same in two commits; True when `old` is gone."""
        done = await self._git(
            "diff-tree", "--quiet", "-r", old, new, "--", *([f":(literal){folder}"] if folder else []),
            folder=self._folder,
        )  # fmt: skip
        return done.code != 0

    async def _update(self, branch: str, commit_id: str | None) -> str:
        if not self._folder.exists():
            # a killed `git init` leaves something that is no repository, and looks like one
            fresh = self._folder.with_suffix(".new")
            await in_thread(remove_tree, fresh)
            await self._git.must("init", "-q", "--bare", "--template=", str(fresh))
            fresh.rename(self._folder)
        for lock in (*self._folder.glob("*.lock"), *self._folder.glob("refs/**/*.lock")):
            lock.unlink(missing_ok=True)  # of a killed git: we hold the only lock that counts
        if commit_id is None or commit_id == "HEAD":
            return await self._branch(branch)
        return await self._commit(branch, commit_id)

    async def _branch(self, branch: str) -> str:
        if not await self._fetch(f"+refs/heads/{branch}:refs/heads/{branch}"):
            raise SourceError(await self._no_branch(branch))
        return (await self._git.must("rev-parse", f"refs/heads/{branch}", folder=self._folder)).strip()

    async def _commit(self, branch: str, wanted: str) -> str:
        if len(wanted) == 40 and _SHA.fullmatch(wanted) and (found := await self._resolve(wanted)):
            return found
        if wanted.startswith("-") or not re.fullmatch(r"[\w./@+-]{1,255}", wanted):
            raise SourceError(f"{wanted!r} is neither a commit nor a tag")
        if not _SHA.fullmatch(wanted):
            await self._fetch(f"+refs/tags/{wanted}:refs/tags/{wanted}")
            if found := await self._resolve(f"refs/tags/{wanted}"):
                return found
            raise SourceError(f"The repository {self._remote.url} has no commit or tag {wanted!r}")
        await self._fetch(f"+refs/heads/{branch}:refs/heads/{branch}")
        if found := await self._resolve(wanted):
            return found
        if len(wanted) == 40:
            await self._fetch(wanted)
        if not (found := await self._resolve(wanted)):
            await self._fetch("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
            found = await self._resolve(wanted) or await self._resolve(f"refs/tags/{wanted}")
        if not found:
            raise SourceError(
                f"The repository {self._remote.url} has no commit {wanted}: a forced push may have "
                "removed it; start a job for the head of the branch instead"
            )
        return found

    async def _resolve(self, name: str) -> str | None:
        done = await self._git(
            "rev-parse", "-q", "--verify", "--end-of-options", f"{name}^{{commit}}", folder=self._folder
        )
        return None if done.code else done.text.strip()

    async def _fetch(self, *refspecs: str) -> bool:
        """False when the remote answers but has no such ref."""
        arguments = (
            "fetch",
            "-q",
            "--force",
            "--no-write-fetch-head",
            "--end-of-options",
            self._remote.url,
            *refspecs,
        )
        done = await self._git(*arguments, folder=self._folder)
        if done.code == 0:
            return True
        errors = done.errors.lower()
        if "couldn't find remote ref" in errors or "not our ref" in errors or "no such remote ref" in errors:
            return False
        if any(sign in errors for sign in _BROKEN):
            raise _Broken(done.errors)
        raise SourceError(explain(done.errors, self._remote))

    async def _no_branch(self, branch: str) -> str:
        listed = await self._git("ls-remote", "--heads", "--end-of-options", self._remote.url)
        names = [line.partition("refs/heads/")[2] for line in listed.text.splitlines()][:10]
        have = f"it has {', '.join(names)}" if names else "it has no branches yet: push a commit first"
        return f"The repository {self._remote.url} has no branch {branch!r}; {have}"


class _Broken(Exception):
    """The mirror itself is damaged; the text is git's."""
