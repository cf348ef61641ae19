from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from preamp.build import watchdog
from preamp.build.sandbox import Limits
from preamp.build.watchdog import Excess, memory_of, size_of, taken, watch
from preamp.build.workspace import PREFIX


def test_size_counts_what_is_there_and_not_what_is_named(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(os.urandom(3_000_000))
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**12)
    (tmp_path / "link").symlink_to("/usr")
    os.sync()
    assert 2_900_000 < size_of(tmp_path) < 4_000_000


def test_deleted_files_that_are_open_count_once(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/there").write_bytes(os.urandom(1_000_000))
    hold = """import os, subprocess, sys
os.chdir(sys.argv[1])
file = open("work/gone", "w+b"); file.write(os.urandom(3_000_000)); file.flush(); os.fsync(file.fileno())
twice = os.dup(file.fileno()); os.unlink("work/gone")
subprocess.run(["cat"], pass_fds=[twice])"""
    process = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"ready\n")
    process.stdin.flush()
    process.stdout.read(6)
    os.sync()
    assert 900_000 < size_of(tmp_path) < 1_900_000
    assert 3_900_000 < taken(tmp_path, process.pid) < 4_900_000
    process.communicate()
    assert taken(tmp_path, process.pid) == size_of(tmp_path)


class Run:
    """A build that does nothing but be there."""

    limited = frozenset[str]()
    pid = os.getpid()
    killed = False

    def kill(self) -> None:
        self.killed = True


@pytest.mark.parametrize(("own", "killed"), [(2_000_000, True), (500_000, False)])
def test_on_a_full_disk_the_largest_build_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: int, killed: bool
) -> None:
    for name, size in (("mine", own), ("other", 1_000_000)):
        (tmp_path / f"{PREFIX}{name}/tree/files").mkdir(parents=True)
        (tmp_path / f"{PREFIX}{name}/tree/files/x").write_bytes(os.urandom(size))
    os.sync()
    real = os.statvfs(tmp_path)
    full = os.statvfs_result((*real[:3], 0, 0, *real[5:]))
    monkeypatch.setattr(watchdog.os, "statvfs", lambda _: full)
    monkeypatch.setattr(watchdog, "PERIOD_S", 0.001)
    run = Run()

    async def some_rounds() -> Excess | None:
        watching = watch(run, Limits(disk_bytes=10**9), tmp_path / f"{PREFIX}mine")  # type: ignore[arg-type]
        try:
            return await asyncio.wait_for(watching, 0.5)
        except TimeoutError:
            return None

    assert asyncio.run(some_rounds()) is (Excess.SPACE if killed else None)
    assert run.killed is killed


def test_memory_is_that_of_the_whole_tree() -> None:
    hog = "x = bytearray(60_000_000); print('ready', flush=True); input()"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hog!r}])"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert 60_000_000 < memory_of(process.pid) < 200_000_000
    process.communicate(b"\n")
    assert memory_of(process.pid) == 0
