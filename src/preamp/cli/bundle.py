"""A folder as the zip archive of a manual deployment."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import IO

from preamp.cli.errors import CommandError


def write_zip(folder: Path, out: IO[bytes]) -> int:
    """Write the folder's contents to `out`; how many files there were.

    Links to files inside the folder become those files. `.git` is left out: history is not for the web.
    Files are stored, not compressed: the server is near, and it compresses what it serves itself.
    Raises CommandError for links that leave the folder, links to folders, special files, and no files at all.
    """
    root = folder.resolve()
    count = 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED, strict_timestamps=False) as archive:
        for parent, folders, names in os.walk(root):
            here = Path(parent)
            folders[:] = sorted(name for name in folders if name != ".git")
            for name in folders:
                if (here / name).is_symlink():
                    raise CommandError(
                        f"{here / name} is a link to a folder; replace it by the folder itself"
                    )
            for name in sorted(names):
                if name == ".git":
                    continue
                _check(here / name, root)
                archive.write(here / name, (here / name).relative_to(root).as_posix())
                count += 1
    if not count:
        raise CommandError(f"{folder} holds no files to publish")
    return count


def _check(path: Path, root: Path) -> None:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise CommandError(f"{path} is a link that leads nowhere") from error
    if not target.is_relative_to(root):
        raise CommandError(f"{path} is a link to {target}, outside of the folder that is deployed")
    if not target.is_file():
        raise CommandError(f"{path} is not a regular file")
