from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from preamp.build.watchdog import memory_of, size_of


def test_size_counts_what_is_there_and_not_what_is_named(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(os.urandom(3_000_000))
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(10**12)
    (tmp_path / "link").symlink_to("/usr")
    os.sync()
    assert 2_900_000 < size_of(tmp_path) < 4_000_000


def test_memory_is_that_of_the_whole_tree() -> None:
    hog = "x = bytearray(60_000_000); print('ready', flush=True); input()"
    script = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hog!r}])"
    process = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    assert 60_000_000 < memory_of(process.pid) < 200_000_000
    process.communicate(b"\n")
    assert memory_of(process.pid) == 0
