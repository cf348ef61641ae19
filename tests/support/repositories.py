"""Git repositories to build from."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

STATIC_SPEC = """\
version: 1
frontend:
  phases:
    build:
      commands:
        - mkdir -p dist
        - cp index.html dist/
  artifacts:
    baseDirectory: dist
    files: ['**/*']
"""

_IDENTITY = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


@dataclass(frozen=True)
class Repository:
    """A work folder that pushes to a bare repository, which is what apps are connected to."""

    work: Path
    bare: Path

    @property
    def url(self) -> str:
        return self.bare.as_uri()

    def commit(self, files: Mapping[str, str], message: str = "change", branch: str = "main") -> str:
        """Write, commit and push; returns the full SHA."""
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "--allow-empty", "-m", message)
        git(self.work, "push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        return git(self.work, "rev-parse", "HEAD")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**os.environ, **_IDENTITY},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def new_repository(folder: Path, files: Mapping[str, str] | None = None) -> Repository:
    """An empty bare repository and a work folder; `files` become the first commit on main."""
    work, bare = folder / "work", folder / "site.git"
    work.mkdir(parents=True)
    git(folder, "init", "-q", "--bare", "-b", "main", str(bare))
    git(work, "init", "-q", "-b", "main")
    git(work, "remote", "add", "origin", str(bare))
    repository = Repository(work=work, bare=bare)
    if files is not None:
        repository.commit(files)
    return repository
