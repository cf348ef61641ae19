"""`make bench`: every bench, each in a process of its own. `make bench B=list_jobs`: only that one.

A bench is a module with a `main()` that prints tables (bench/report.py). Exit status of a bench: 0 measured,
77 a tool is missing (it says which), anything else is a failure.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

BENCHES = {
    "build": "bench.build",
    "buildbot": "bench.buildbot",
    "cache": "bench.cache",
    "compute": "bench.compute",
    "edge": "bench.edge.run",
    "engine": "bench.engine",
    "forms": "bench.forms",
    "job": "bench.job",
    "list_jobs": "bench.list_jobs",
    "rollback": "bench.rollback",
    "proxy": "bench.edge.proxy",
    "start_job": "bench.start_job",
    "stored": "bench.stored",
}
SKIPPED = 77
ROOT = Path(__file__).resolve().parent.parent


def main(wanted: list[str]) -> int:
    if unknown := set(wanted) - set(BENCHES):
        print(f"no bench {', '.join(sorted(unknown))}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(
        f"{platform.platform()}, {os.cpu_count()} processors, Python {platform.python_version()}, load {load}"
    )
    failed = []
    for name in wanted or BENCHES:
        print(f"\n######## {name}", flush=True)
        status = subprocess.run([sys.executable, "-m", BENCHES[name]], cwd=ROOT).returncode
        if status not in {0, SKIPPED}:
            failed.append(name)
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
