from __future__ import annotations

from pathlib import Path

from preamp.build.sandbox.base import Limits
from preamp.build.sandbox.cgroups import SHARES_OF_PROCESS, Group, Hierarchy

KINDS = ("memory", "pids", "cpu")


def version_1(root: Path) -> Hierarchy:
    """Plain folders: as the kernel's, but that files can be made in them."""
    folders = {kind: root / kind for kind in KINDS}
    for folder in folders.values():
        folder.mkdir()
    return Hierarchy(version=1, folders=folders, missing="")


def written(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in root.rglob("*") if path.is_file()}


def test_a_build_that_may_use_all_processors_competes_as_its_processes_do(tmp_path: Path) -> None:
    group = Group(version_1(tmp_path), Limits(memory_bytes=1000, processes=10))
    assert [kind for kind in KINDS if any((tmp_path / kind).iterdir())] == ["memory", "pids"]
    assert group.limited == {"memory", "pids"}
    assert group.notes == []


def test_a_build_with_fewer_processors_has_their_weight(tmp_path: Path) -> None:
    Group(version_1(tmp_path), Limits(cpus=2))
    assert written(tmp_path) == {
        "cpu.cfs_period_us": "100000",
        "cpu.cfs_quota_us": "200000",
        "cpu.shares": str(2 * SHARES_OF_PROCESS),
    }


def test_what_has_no_limits_has_no_group(tmp_path: Path) -> None:
    group = Group(version_1(tmp_path), Limits())
    assert [path for kind in KINDS for path in (tmp_path / kind).iterdir()] == []
    group.join(1)
    assert group.notes == []
    assert not group.out_of_memory()
    group.remove()


def test_what_cannot_be_limited_is_told(tmp_path: Path) -> None:
    none = Hierarchy(version=0, folders={}, missing="no control groups")
    group = Group(none, Limits(memory_bytes=1000, cpus=1))
    assert group.notes == [
        "memory is watched, not limited: this machine has no control group for it",
        "cpu is not limited: this machine has no control group for it",
    ]
