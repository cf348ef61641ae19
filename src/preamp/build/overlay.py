"""A cache in no time: its snapshot becomes the lower layer of the workspace, which shows both as one.

Builds read the snapshot's files in place; what they change is written to the workspace alone. Everything
that this process reads in the workspace, such as artifacts and what is cached next, is the merged view.
"""

from __future__ import annotations

import os
from pathlib import Path

from preamp.build import mounts
from preamp.build.snapshots import held
from preamp.build.workspace import Workspace


class NoOverlay(Exception):
    """The archive has to be unpacked; the text says why."""


def lay_under(archive: Path, workspace: Workspace, owner: tuple[int, int] | None) -> None:
    """Until the workspace is removed, its files and those of the archive's snapshot are one tree.

    owner: who owns the workspace's files; the snapshot's seem to be theirs too. No process may use the
    workspace meanwhile. Raises NoOverlay, and then nothing has changed.
    """
    if refusal := mounts.refusal():
        raise NoOverlay(refusal)
    snapshot = workspace.closing.enter_context(held(archive))
    if snapshot is None:
        raise NoOverlay("there is no snapshot of it yet")
    if clash := _clash(workspace.tree, snapshot.tree):
        # the archive wins over the repository, an upper layer would win over the lower one
        raise NoOverlay(f"it holds {clash}, which the repository has too")
    try:
        _mount(snapshot.tree, workspace, owner)
    except OSError as error:
        raise NoOverlay(f"there can be no overlay: {error}") from error


def _mount(tree: Path, workspace: Workspace, owner: tuple[int, int] | None) -> None:
    lower, work = workspace.root / "lower", workspace.root / "work"
    lower.mkdir()
    work.mkdir()
    made_by = (tree / "files").stat().st_uid
    if owner is None or owner[0] == made_by:
        mounts.bind(tree, lower)
    else:
        mounts.show_as(tree, lower, owner=made_by, appears=owner[0])
    try:
        mounts.overlay(lower=lower, upper=workspace.tree, work=work, place=workspace.tree)
    finally:
        mounts.unmount(lower)
    workspace.closing.callback(mounts.unmount, workspace.tree)


def _clash(upper: Path, lower: Path) -> str | None:
    """A path that both have and that is not a folder in both, relative to the workspace's files."""
    pending = ["files"]
    while pending:
        folder = pending.pop()
        with os.scandir(lower / folder) as entries:
            below = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        with os.scandir(upper / folder) as entries:
            for entry in entries:
                if entry.name not in below:
                    continue
                path = f"{folder}/{entry.name}"
                if not (below[entry.name] and entry.is_dir(follow_symlinks=False)):
                    return path.partition("/")[2]
                pending.append(path)
    return None
