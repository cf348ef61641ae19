"""Whether `node_modules` goes into the cache although the spec does not name it.

`npm ci` would delete it, but for the shim in helpers/npm, which keeps it when it is provably the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

_NPM_CI = re.compile(r"(?:^|[\s;&|(])npm\s+(?:ci|clean-install|ic|install-clean)(?:\s|$|[;&|)])")
_LOCKS = ("package-lock.json", "npm-shrinkwrap.json")
PATH = "node_modules/**/*"


def kept_paths(paths: Sequence[str], *, commands: Iterable[str], folder: Path) -> tuple[str, ...]:
    """What to cache beside `paths`: nothing when they are empty, for then the user wants no cache.

    folder: where commands run and what the paths are relative to.
    """
    if not paths or any("node_modules" in path for path in paths):
        return ()
    if not any(_NPM_CI.search(command) for command in commands):
        return ()
    return (PATH,) if any((folder / name).is_file() for name in _LOCKS) else ()
