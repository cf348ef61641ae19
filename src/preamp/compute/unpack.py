"""Unpack the archive of a bundle into a folder, believing nothing it says."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import BinaryIO

import zstandard

from preamp.compute.errors import BundleError

_BLOCK = 1 << 20


def unpack(archive: BinaryIO, folder: Path, *, max_bytes: int, max_files: int) -> None:
    """Write the zstd-compressed tar below `folder`, which exists and is empty.

    Only files, folders and links that stay inside; readable by everybody, so that the server's own user can
    read what we own. Blocking. Raises BundleError; the folder may hold some files then.
    """
    reader = zstandard.ZstdDecompressor().stream_reader(archive)
    try:
        with tarfile.open(fileobj=reader, mode="r|", bufsize=_BLOCK) as tar:
            _Unpacking(folder, max_bytes, max_files).run(tar)
    except (tarfile.TarError, zstandard.ZstdError, EOFError, ValueError, RuntimeError) as error:
        raise BundleError(
            f"the packed server is damaged: {error}: deploy again, and check the disk"
        ) from error


class _Unpacking:
    def __init__(self, folder: Path, max_bytes: int, max_files: int) -> None:
        self._root = str(folder)
        self._folders = {""}
        """That are real ones, by their path inside."""
        self._bytes_left = max_bytes
        self._files_left = max_files
        self._links: list[str] = []

    def run(self, tar: tarfile.TarFile) -> None:
        for member in tar:
            path = _safe(member.name)
            if member.isdir():
                self._make_folder(path)
                continue
            self._make_folder(path.rpartition("/")[0])
            if path in self._folders or not path:
                raise BundleError(f"the packed server has {member.name!r} as a folder and as something else")
            self._files_left -= 1
            if self._files_left < 0:
                raise BundleError("the packed server has more files than were published")
            if member.issym():
                self._link(path, member.linkname)
            elif member.isreg():
                self._file(tar, member, path)
            else:
                raise BundleError(f"the packed server has {member.name!r}, which is no file, folder or link")
        for path in self._links:
            if not Path(f"{self._root}/{path}").resolve().is_relative_to(Path(self._root).resolve()):
                raise BundleError(f"the packed server has a link that leads out: {path!r}")

    def _make_folder(self, path: str) -> None:
        """Parents first; none of them may be a link, so that nothing is written through one."""
        if path in self._folders:
            return
        self._make_folder(path.rpartition("/")[0])
        try:
            Path(f"{self._root}/{path}").mkdir(mode=0o755)
        except FileExistsError:
            raise BundleError(f"the packed server has {path!r} as a folder and as something else") from None
        self._folders.add(path)

    def _file(self, tar: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
        self._bytes_left -= member.size
        if self._bytes_left < 0:
            raise BundleError("the packed server is larger than what was published")
        source = tar.extractfile(member)
        assert source is not None, "a regular file"
        target = Path(f"{self._root}/{path}")
        with target.open("xb") as file:
            while block := source.read(_BLOCK):
                file.write(block)
        target.chmod(0o755 if member.mode & 0o111 else 0o644)

    def _link(self, path: str, target: str) -> None:
        """Where it leads in truth, by way of other links, is seen when all is there; until then nothing is
        written through it."""
        if target.startswith("/"):
            raise BundleError(f"the packed server has a link that leads out: {path!r} -> {target!r}")
        self._links.append(path)
        try:
            Path(f"{self._root}/{path}").symlink_to(target)
        except FileExistsError:
            raise BundleError(f"the packed server has {path!r} twice") from None


def _safe(name: str) -> str:
    """Relative, without empty, `.` and `..` parts; empty for the root itself."""
    if name.startswith("/") or "\0" in name:
        raise BundleError(f"the packed server has a file at {name!r}")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise BundleError(f"the packed server has a file at {name!r}")
    return "/".join(parts)
