"""What `preamp deploy SOURCE` means: a repository to build, or files to publish as they are."""

from __future__ import annotations

import re
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

from preamp.cli.errors import CommandError
from preamp.model.deploy_manifest import FILE_NAME

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SCP = re.compile(r"[\w.-]+@[\w.-]+:(?!//)")
_DEFAULT_BRANCH = "main"


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """A job clones and builds it."""

    url: str
    branch: str
    """The branch that is meant when the user names none."""
    name: str
    """The app's name when the user gives none."""
    uncommitted: bool = False
    """The working folder has changes that no commit holds, so that they are not built."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """A folder or a zip archive, published as it is."""

    path: Path
    branch: str
    name: str

    @property
    def is_bundle(self) -> bool:
        """Whether a server is among them: they have a deploy manifest."""
        if self.path.is_dir():
            return (self.path / FILE_NAME).is_file()
        try:
            with zipfile.ZipFile(self.path) as archive:
                return FILE_NAME in archive.namelist()
        except (OSError, zipfile.BadZipFile):
            return False  # the server says what is wrong with it


def decide(source: str, *, as_files: bool) -> Repository | Files:
    """What `source` is. The first that fits:

    1. a URL (`https://...`, `ssh://...`, `file://...`, `git@host:path`): a repository;
    2. the top of a git working folder, or a bare repository: a repository, unless `as_files`;
    3. any other folder, or a `.zip` file: files.

    Raises CommandError when it is none of them.
    """
    if _URL.match(source) or _SCP.match(source):
        if as_files:
            raise CommandError(f"--files needs a folder or a zip archive, and {source} is a URL")
        return Repository(url=source, branch=_remote_head(source), name=_name(source))
    path = Path(source).absolute()
    if path.is_file():
        if path.suffix.lower() != ".zip":
            raise CommandError(f"{source} is neither a folder, nor a .zip file, nor the URL of a repository")
        return Files(path=path, branch=_DEFAULT_BRANCH, name=_name(path.stem))
    if not path.is_dir():
        raise CommandError(f"{source} does not exist; name a folder, a .zip file or the URL of a repository")
    name = _name(path.resolve().name)
    if as_files or not _is_repository(path):
        return Files(path=path, branch=_DEFAULT_BRANCH, name=name)
    return Repository(
        url=path.resolve().as_uri(),
        branch=_local_head(path),
        name=name,
        uncommitted=(path / ".git").exists() and bool(_git("-C", str(path), "status", "--porcelain")),
    )


def _name(text: str) -> str:
    last = re.split(r"[/:]", text.rstrip("/"))[-1]
    return last.removesuffix(".git") or "site"


def _is_repository(path: Path) -> bool:
    bare = (path / "HEAD").is_file() and (path / "objects").is_dir() and (path / "refs").is_dir()
    return (path / ".git").exists() or bare


def _local_head(path: Path) -> str:
    try:
        return _git("-C", str(path), "symbolic-ref", "--short", "HEAD").strip()
    except CommandError as error:
        raise CommandError(
            f"{path} is not on a branch; check one out or name it with --branch ({error})"
        ) from error


def _remote_head(url: str) -> str:
    for line in _git("ls-remote", "--symref", "--", url, "HEAD").splitlines():
        if line.startswith("ref: refs/heads/"):
            return line.removeprefix("ref: refs/heads/").split("\t")[0]
    return _DEFAULT_BRANCH


def _git(*arguments: str) -> str:
    """git's output. Raises CommandError with git's own words."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=60,
        )
    except FileNotFoundError:
        raise CommandError("git is not installed; install it (Debian: apt install git)") from None
    except subprocess.TimeoutExpired:
        raise CommandError(f"git {arguments[0]} did not answer within 60 s") from None
    if done.returncode != 0:
        text = " ".join(done.stderr.split()) or f"exit status {done.returncode}"
        raise CommandError(f"git: {text}")
    return done.stdout
