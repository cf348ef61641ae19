"""Unpack the zip of a manual deployment into a folder, believing nothing it says."""

from __future__ import annotations

import errno
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from preamp.release.errors import ArchiveError
from preamp.release.publish import Limits

MAX_RATIO = 200
"""A larger file that shrinks more than this is a bomb: deflate reaches about 1000, real files about 50."""
RATIO_FROM = 10 * 1024 * 1024
"""Bytes from which the ratio counts; a small file of one repeated character is innocent."""

_DRIVE = re.compile(r"[A-Za-z]:")
_CHUNK = 1 << 20
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_ENCRYPTED = 0x1
_UNIX = 3
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, struct.error, ValueError, OverflowError)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unpacked:
    """What an archive held."""

    file_count: int
    total_bytes: int
    warnings: tuple[str, ...]
    """For the log, one line each."""


def unpack(archive: Path, folder: Path, *, limits: Limits) -> Unpacked:
    """Write the archive's files below `folder`, which has to be empty and on trusted ground.

    All names are judged before the first byte is written, and bytes are counted as they come, not as
    the archive claims. Blocking: call it in a thread. Raises ArchiveError, naming the entry, for
    anything that is not a plain file or folder with a safe name, for damage and for more than `limits`;
    OSError for trouble with the disk. On an error the folder may hold some files: throw it away.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            entries = _judged(zipped, limits)
            total = 0
            for info, path in entries:
                total += _extract(zipped, info, folder / path, limits, total)
    except ArchiveError:
        raise
    except _DAMAGED as error:
        raise ArchiveError(_not_a_zip(archive, error)) from error
    except OSError as error:
        # A made-up offset is an invalid seek: the fault of the archive, not of the disk.
        if error.errno != errno.EINVAL:
            raise
        raise ArchiveError(_not_a_zip(archive, error)) from error
    except NotImplementedError as error:
        raise ArchiveError(f"the zip uses a feature that is not supported: {error}") from error
    return Unpacked(
        file_count=len(entries),
        total_bytes=total,
        warnings=_wrapping([path for _info, path in entries]),
    )


def _judged(zipped: zipfile.ZipFile, limits: Limits) -> list[tuple[zipfile.ZipInfo, str]]:
    """The files, in the archive's order, by safe relative path."""
    files: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    claimed = 0
    for info in zipped.infolist():
        path = _safe_path(info)
        _check_kind(info)
        if info.is_dir():
            folders.add(path)
            continue
        if path in files:
            raise ArchiveError(f"the zip has the entry {path!r} twice: make the archive anew")
        files[path] = info
        if len(files) > limits.max_files:
            raise ArchiveError(
                f"the zip has more than {limits.max_files} files (the setting max_release_files)"
            )
        claimed += info.file_size
        if claimed > limits.max_bytes:
            raise _too_large(limits)
        if info.file_size > RATIO_FROM and info.file_size > MAX_RATIO * max(1, info.compress_size):
            raise ArchiveError(
                f"the entry {path!r} unpacks to {info.file_size} bytes from {info.compress_size}: "
                "this looks like a zip bomb and is refused"
            )
        if len(folders) > limits.max_files:
            raise ArchiveError(f"the zip has more than {limits.max_files} folders")
    for path in files:
        _check_parents(path, files, folders)
    if not files:
        raise ArchiveError("the zip is empty: zip the files of the site")
    return [(info, path) for path, info in files.items()]


def _safe_path(info: zipfile.ZipInfo) -> str:
    # `filename` was already cut at a NUL and cleaned by zipfile; judge what the archive really says.
    name = info.orig_filename

    def refuse(why: str) -> ArchiveError:
        return ArchiveError(f"the zip's entry {name!r} {why}")

    if "\x00" in name:
        raise refuse("has a NUL in its name: make the archive anew")
    if "\\" in name:
        raise refuse("has a backslash in its name: make the archive with a tool that writes `/`")
    if name.startswith("/"):
        raise refuse("has an absolute name: zip the files by relative names")
    if _DRIVE.match(name):
        raise refuse("begins with a drive letter: zip the files by relative names")
    parts = name.rstrip("/").split("/") if name.rstrip("/") else []
    if not parts:
        raise refuse("has no name: make the archive anew")
    if ".." in parts:
        raise refuse("points outside with `..`: zip the files by plain names")
    parts = [part for part in parts if part != "."]
    if not all(parts):
        raise refuse("has an empty part (`//`) in its name: make the archive anew")
    if any(len(part.encode("utf-8", "surrogatepass")) > 255 for part in parts):
        raise refuse("has a part of more than 255 bytes in its name: shorten it")
    if not parts and not info.is_dir():
        raise refuse("has no name: make the archive anew")
    return "/".join(parts)


def _check_kind(info: zipfile.ZipInfo) -> None:
    name = info.orig_filename
    if info.flag_bits & _ENCRYPTED:
        raise ArchiveError(f"the zip's entry {name!r} is encrypted: zip the files without a password")
    if info.compress_type not in _METHODS:
        method = zipfile.compressor_names.get(info.compress_type, f"method {info.compress_type}")  # type: ignore[attr-defined]
        raise ArchiveError(
            f"the zip's entry {name!r} is compressed by {method}, which is not supported: use deflate"
        )
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
    if kind == stat.S_IFLNK:
        raise ArchiveError(f"the zip's entry {name!r} is a symbolic link: zip the file itself")
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise ArchiveError(f"the zip's entry {name!r} is a device, pipe or socket: leave it out")


def _check_parents(path: str, files: dict[str, zipfile.ZipInfo], folders: set[str]) -> None:
    clash = path if path in folders else None
    parent = path.rpartition("/")[0]
    while parent and not clash:
        if parent in files:
            clash = parent
        parent = parent.rpartition("/")[0]
    if clash:
        raise ArchiveError(f"the zip has {clash!r} both as a file and as a folder: make the archive anew")


def _extract(
    zipped: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, limits: Limits, before: int
) -> int:
    name = info.orig_filename
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        # A new file with the permissions of this process: setuid and other bits of the archive are dropped.
        with zipped.open(info) as source, target.open("xb") as sink:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if before + written > limits.max_bytes:
                    raise _too_large(limits)
                sink.write(chunk)
    except _DAMAGED as error:
        raise ArchiveError(
            f"the zip's entry {name!r} is damaged: {error}; upload the archive again"
        ) from error
    except (NotImplementedError, RuntimeError) as error:
        raise ArchiveError(f"the zip's entry {name!r} cannot be read: {error}") from error
    if written != info.file_size:
        raise ArchiveError(
            f"the zip's entry {name!r} has {written} bytes instead of {info.file_size}; "
            "upload the archive again"
        )
    return written


def _wrapping(paths: list[str]) -> tuple[str, ...]:
    tops = {path.partition("/")[0] for path in paths}
    if len(tops) > 1 or "/" not in paths[0]:
        return ()
    top = tops.pop()
    text = (
        f"All files of the zip are inside the folder {top!r}: the site is served below /{top}/. "
        "Zip the contents of the folder, not the folder, to serve it at /."
    )
    return (text,)


def _not_a_zip(archive: Path, error: Exception) -> str:
    size = archive.stat().st_size
    if size == 0:
        return "the uploaded file is empty: upload a zip of the site's files"
    with archive.open("rb") as file:
        magic = file.read(4)
    if magic[:2] == b"PK":
        return f"the zip is damaged ({error}): make it anew, or upload it again"
    return "the uploaded file is not a zip: upload a zip of the site's files"


def _too_large(limits: Limits) -> ArchiveError:
    return ArchiveError(
        f"the zip unpacks to more than {limits.max_bytes} bytes (the setting max_release_bytes): "
        "reduce the size of the site"
    )
