"""The packages that `next start` needs: what `dependencies` name, and theirs, wherever Node finds them.

Works on any layout of `node_modules` (npm, Yarn, pnpm, workspaces) without running the package manager again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from preamp.build.next.output import package_place, read_table
from preamp.build.trees import Tree

_BUILD_ONLY = "@next/swc-"
"""The compiler: more than 100 MB that a server never loads."""
_KINDS = ("dependencies", "optionalDependencies", "peerDependencies")


@dataclass(frozen=True, kw_only=True, slots=True)
class Packages:
    trees: tuple[Tree, ...]
    """Where they were, relative to the repository."""
    links: tuple[tuple[str, str], ...]
    """A place and the relative text of the link there: packages of workspaces and all of pnpm's."""


def production_packages(app: Path, root: Path) -> Packages:
    """app: real, at or below `root`. What is named but not installed is left out, as are dev dependencies."""
    trees: dict[Path, Tree] = {}
    links: dict[str, str] = {}
    waiting = [(app, name) for name in _names(app, own=True)]
    while waiting:
        user, name = waiting.pop()
        place = package_place(user, root, name)
        if place is None:
            continue
        real = place.resolve()
        if place.is_symlink():
            links[place.relative_to(root).as_posix()] = os.path.relpath(real, place.parent)
        if real in trees or app.is_relative_to(real):
            continue
        target = real.relative_to(root).as_posix()
        trees[real] = Tree(source=real, target=target, leave=frozenset({"node_modules", ".git"}))
        waiting += [(real, other) for other in _names(real, own=False)]
    return Packages(trees=tuple(trees.values()), links=tuple(sorted(links.items())))


def _names(package: Path, *, own: bool) -> Iterator[str]:
    """Peers of the app itself are for others to bring."""
    table = read_table(package, "package.json")
    for kind in _KINDS[:2] if own else _KINDS:
        found = table.get(kind)
        for name in found if isinstance(found, dict) else ():
            plain = str(name).split("/")
            if not str(name).startswith(_BUILD_ONLY) and ".." not in plain and "" not in plain:
                yield str(name)
