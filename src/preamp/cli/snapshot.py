"""The working files of a folder as a commit, without a trace in the folder's own repository."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from preamp.cli.errors import CommandError

AUTHOR = "preamp build"
MESSAGE = "Working files, not committed"
NEVER = "node_modules/\n"
"""Left out of a folder that is no repository, and so has no .gitignore of git's."""


def snapshot(folder: Path, store: Path, branch: str) -> str:
    """Commit what `git add --all` would take into the bare repository `store`, as the head of `branch`.

    The history before it is that of the folder, where it is a repository. Returns the URL of `store`.
    Raises CommandError with git's own words.
    """
    if not (store / "HEAD").exists():
        store.mkdir(parents=True, exist_ok=True)
        _git(store, "init", "-q", "--bare")
    own = folder / ".git"
    objects = _git(None, "-C", str(folder), "rev-parse", "--git-path", "objects") if own.exists() else None
    if objects is not None:
        alternates = store / "objects" / "info" / "alternates"
        alternates.write_text(f"{(folder / objects).resolve()}\n")
    (store / "info").mkdir(exist_ok=True)
    (store / "info" / "exclude").write_text("" if own.exists() else NEVER)
    index = store / "working-index"
    index.unlink(missing_ok=True)
    _git(store, "--work-tree", str(folder), "add", "--all", index=index)
    tree = _git(store, "write-tree", index=index)
    head = _head(folder) if own.exists() else None
    commit = _git(store, "commit-tree", tree, "-m", MESSAGE, *(("-p", head) if head else ()))
    _git(store, "update-ref", f"refs/heads/{branch}", commit)
    return store.resolve().as_uri()


def _head(folder: Path) -> str | None:
    try:
        return _git(None, "-C", str(folder), "rev-parse", "--verify", "-q", "HEAD")
    except CommandError:
        return None  # no commit yet


def _git(repository: Path | None, *arguments: str, index: Path | None = None) -> str:
    if shutil.which("git") is None:
        raise CommandError("git is not installed; install it (Debian: apt install git)")
    place = ("--git-dir", str(repository)) if repository is not None else ()
    identity = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER")
                for what, value in (("NAME", AUTHOR), ("EMAIL", "build@localhost"))}  # fmt: skip
    done = subprocess.run(
        ["git", *place, *arguments],
        env={**os.environ, **identity, **({"GIT_INDEX_FILE": str(index)} if index else {})},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise CommandError(f"git: {' '.join(done.stderr.split()) or f'exit status {done.returncode}'}")
    return done.stdout.strip()
