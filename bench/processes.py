"""Processes that are measured: when they answer, and what they cost."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from urllib.request import urlopen

from tests.support.preamp import until


def wait_until_answers(url: str, process: subprocess.Popen[bytes]) -> None:
    """Until a page of the process's server is there."""

    def answers() -> bool:
        assert process.poll() is None, f"the server of {url} ended"
        try:
            urlopen(url, timeout=5).close()
        except OSError:
            return False
        return True

    until(answers, f"an answer of {url}", seconds=60)


def cpu_seconds(pid: int) -> float:
    """So far, in user mode and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pss_mb(pid: int) -> float:
    """Its own memory, and its share of what it has in common with others (proportional set size)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise LookupError(f"no Pss of {pid}")
