"""Reading files of a repository that is not trusted."""

from __future__ import annotations

from pathlib import Path

from preamp.build.errors import SpecError


def read_inside(root: Path, relative: str, limit: int) -> str | None:
    """The text of a file, links followed only below `root`; `None` when there is none.

    Raises SpecError for a link that leaves `root`, a file larger than `limit` bytes, or not UTF-8.
    """
    path = root / relative
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        if path.is_symlink():
            raise SpecError(f"{relative} is a link to something that does not exist") from None
        return None
    if not target.is_relative_to(root.resolve()):
        raise SpecError(f"{relative} is a link that leaves the repository")
    if not target.is_file():
        return None
    if target.stat().st_size > limit:
        raise SpecError(f"{relative} is larger than {limit // 1024} KiB")
    try:
        return target.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SpecError(f"{relative} is not UTF-8 text (byte {error.start})") from None
